#include "services/ingest/kafka/embedded_broker.h"

#include <librdkafka/rdkafka.h>
// After rdkafka.h: it does not include it.
#include <librdkafka/rdkafka_mock.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/kafka_error.h"

namespace spillway::ingest {

struct EmbeddedBroker::Cluster {
  using MockHandle =
      std::unique_ptr<rd_kafka_mock_cluster_t,
                      FreeWith<rd_kafka_mock_cluster_t, rd_kafka_mock_cluster_destroy>>;
  RawClientHandle client;  // the cluster's book-keeping needs one; must be gone after it
  MockHandle mock;
};

EmbeddedBroker::EmbeddedBroker() : cluster_(std::make_unique<Cluster>()) {}

EmbeddedBroker::~EmbeddedBroker() {
  if (bootstrap_file_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(bootstrap_file_, ignored);
}

absl::StatusOr<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::Start(const Options& options) {
  std::unique_ptr<EmbeddedBroker> broker(new EmbeddedBroker());
  Cluster& cluster = *broker->cluster_;
  ConfHandle conf(rd_kafka_conf_new());
  // Neither its book-keeping client nor the cluster has anything to say to an operator.
  rd_kafka_conf_set_log_cb(conf.get(), nullptr);
  char text[512] = "";
  cluster.client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text, sizeof(text)));
  if (!cluster.client) return absl::InternalError(absl::StrCat("embedded broker: ", text));
  (void)conf.release();
  cluster.mock.reset(rd_kafka_mock_cluster_new(cluster.client.get(), options.brokers));
  if (!cluster.mock) return absl::InternalError("embedded broker: could not listen on 127.0.0.1");
  broker->bootstrap_ = rd_kafka_mock_cluster_bootstraps(cluster.mock.get());
  for (const Topic& topic : options.topics) {
    if (absl::Status status = broker->CreateTopic(topic.name, topic.partitions); !status.ok())
      return status;
  }
  if (options.bootstrap_file.empty()) return broker;

  // Whoever waits for the file must never read half an address.
  const std::string unfinished = options.bootstrap_file + ".new";
  std::ofstream(unfinished) << broker->bootstrap_ << '\n';
  std::error_code error;
  std::filesystem::rename(unfinished, options.bootstrap_file, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("embedded broker: can't write ",
                                                   options.bootstrap_file, ": ", error.message()));
  }
  broker->bootstrap_file_ = options.bootstrap_file;
  return broker;
}

absl::Status EmbeddedBroker::CreateTopic(std::string_view name, int partitions) {
  const std::string topic(name);
  const rd_kafka_resp_err_t error =
      rd_kafka_mock_topic_create(cluster_->mock.get(), topic.c_str(), partitions, 1);
  if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    return absl::AlreadyExistsError(absl::StrCat("topic ", topic, " exists"));
  return ToStatus(error, absl::StrCat("can't create topic ", topic));
}

void EmbeddedBroker::SetDown() { rd_kafka_mock_broker_set_down(cluster_->mock.get(), -1); }

void EmbeddedBroker::SetUp() { rd_kafka_mock_broker_set_up(cluster_->mock.get(), -1); }

void EmbeddedBroker::SetBrokerDown(int broker) {
  rd_kafka_mock_broker_set_down(cluster_->mock.get(), broker);
}

void EmbeddedBroker::SetBrokerUp(int broker) {
  rd_kafka_mock_broker_set_up(cluster_->mock.get(), broker);
}

absl::Status EmbeddedBroker::SetLeader(std::string_view topic, int32_t partition, int broker) {
  const std::string name(topic);
  return ToStatus(
      rd_kafka_mock_partition_set_leader(cluster_->mock.get(), name.c_str(), partition, broker),
      absl::StrCat("leader of ", name, " [", partition, "]"));
}

void EmbeddedBroker::PushErrors(int api_key, const std::vector<int>& errors) {
  std::vector<rd_kafka_resp_err_t> codes;
  codes.reserve(errors.size());
  for (int error : errors) codes.push_back(static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(cluster_->mock.get(), static_cast<int16_t>(api_key),
                                          codes.size(), codes.data());
}

void EmbeddedBroker::SetTopicError(std::string_view name, int error) {
  rd_kafka_mock_topic_set_error(cluster_->mock.get(), std::string(name).c_str(),
                                static_cast<rd_kafka_resp_err_t>(error));
}

}  // namespace spillway::ingest
