#include "services/ingest/kafka/cluster_query.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/kafka_error.h"

namespace spillway::ingest {
namespace {

int Millis(std::chrono::milliseconds timeout) { return static_cast<int>(timeout.count()); }

TopicInfo ToTopicInfo(const rd_kafka_metadata_topic_t& topic) {
  TopicInfo info;
  info.name = topic.topic;
  // A topic under creation or without leaders exists all the same.
  if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR ||
      topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    info.partitions = topic.partition_cnt;
    info.leaders.assign(static_cast<size_t>(topic.partition_cnt), -1);
    for (int i = 0; i < topic.partition_cnt; ++i) {
      const rd_kafka_metadata_partition_t& partition = topic.partitions[i];
      if (partition.id < 0 || partition.id >= topic.partition_cnt) continue;
      info.leaders[static_cast<size_t>(partition.id)] = partition.leader;
    }
  } else {
    info.status = ToStatus(topic.err, absl::StrCat("topic ", info.name));
  }
  return info;
}

constexpr char kCleanupPolicy[] = "cleanup.policy";

TopicPolicy ToPolicy(const rd_kafka_ConfigResource_t& resource) {
  TopicPolicy policy;
  policy.topic = rd_kafka_ConfigResource_name(&resource);
  if (const rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(&resource);
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    policy.status = ToStatus(error, absl::StrCat("settings of topic ", policy.topic));
    return policy;
  }
  policy.status = absl::NotFoundError(absl::StrCat("settings of topic ", policy.topic,
                                                   ": Kafka does not tell its ", kCleanupPolicy));
  size_t count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(&resource, &count);
  for (size_t i = 0; i < count; ++i) {
    const char* const value = rd_kafka_ConfigEntry_value(entries[i]);
    if (std::string_view(rd_kafka_ConfigEntry_name(entries[i])) != kCleanupPolicy) continue;
    if (value == nullptr) continue;
    policy.status = absl::OkStatus();
    policy.compacted = std::string_view(value).find("compact") != std::string_view::npos;
  }
  return policy;
}

absl::StatusOr<MetadataHandle> Ask(KafkaClient& client, rd_kafka_topic_t* only,
                                   std::chrono::milliseconds timeout) {
  const struct rd_kafka_metadata* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(client.get(), only == nullptr ? 1 : 0, only, &raw, Millis(timeout));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return MetadataHandle(raw);
  absl::Status status = ToStatus(error, "no answer from Kafka");
  if (const std::string problem = client.LastProblem(); !problem.empty())
    status = absl::Status(status.code(), absl::StrCat(status.message(), ": ", problem));
  return status;
}

}  // namespace

absl::StatusOr<ClusterInfo> ListTopics(KafkaClient& client, std::chrono::milliseconds timeout) {
  absl::StatusOr<MetadataHandle> metadata = Ask(client, nullptr, timeout);
  if (!metadata.ok()) return metadata.status();
  ClusterInfo info;
  info.brokers = (*metadata)->broker_cnt;
  for (int i = 0; i < (*metadata)->topic_cnt; ++i)
    info.topics.push_back(ToTopicInfo((*metadata)->topics[i]));
  std::sort(info.topics.begin(), info.topics.end(),
            [](const TopicInfo& a, const TopicInfo& b) { return a.name < b.name; });
  // Known from the answer that has just come: does not wait.
  if (char* id = rd_kafka_clusterid(client.get(), 0); id != nullptr) {
    info.cluster_id = id;
    rd_kafka_mem_free(client.get(), id);
  }
  return info;
}

absl::StatusOr<ClusterInfo> ListTopics(const KafkaSettings& settings,
                                       std::chrono::milliseconds timeout) {
  absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = ClientRole::kProber});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  return ListTopics(**client, timeout);
}

absl::StatusOr<TopicInfo> DescribeTopic(KafkaClient& client, const std::string& name,
                                        std::chrono::milliseconds timeout) {
  const TopicHandle topic(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  if (!topic) {
    return TopicInfo{
        .name = name,
        .partitions = 0,
        .status = absl::InvalidArgumentError(absl::StrCat("not a topic name: \"", name, "\""))};
  }
  absl::StatusOr<MetadataHandle> metadata = Ask(client, topic.get(), timeout);
  if (!metadata.ok()) return metadata.status();
  for (int i = 0; i < (*metadata)->topic_cnt; ++i) {
    if ((*metadata)->topics[i].topic == name) return ToTopicInfo((*metadata)->topics[i]);
  }
  return TopicInfo{
      .name = name,
      .partitions = 0,
      .status = ToStatus(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, absl::StrCat("topic ", name))};
}

absl::StatusOr<std::vector<TopicPolicy>> DescribePolicies(KafkaClient& client,
                                                          const std::vector<std::string>& topics,
                                                          std::chrono::milliseconds timeout) {
  const AdminOptionsHandle options(
      rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  char problem[256] = "";
  rd_kafka_AdminOptions_set_request_timeout(options.get(), Millis(timeout), problem,
                                            sizeof problem);
  std::vector<ConfigResourceHandle> owned;
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const std::string& topic : topics) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    // Only this one is asked for.
    rd_kafka_ConfigResource_set_config(owned.back().get(), kCleanupPolicy, "");
    resources.push_back(owned.back().get());
  }
  const QueueHandle queue(rd_kafka_queue_new(client.get()));
  rd_kafka_DescribeConfigs(client.get(), resources.data(), resources.size(), options.get(),
                           queue.get());
  // The request's own timeout ends it; a little more is for its answer to come by the queue.
  const EventHandle event(rd_kafka_queue_poll(queue.get(), Millis(timeout) + 100));
  if (!event) return absl::DeadlineExceededError("no answer from Kafka about topics' settings");
  if (const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ToStatus(error, "settings of topics");
  }
  size_t count = 0;
  const rd_kafka_ConfigResource_t** described = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  std::vector<TopicPolicy> policies;
  for (size_t i = 0; i < count; ++i) policies.push_back(ToPolicy(*described[i]));
  return policies;
}

std::vector<absl::StatusOr<int64_t>> LookUpOffsets(KafkaClient& client,
                                                   const std::vector<OffsetQuery>& queries,
                                                   std::chrono::milliseconds timeout) {
  const PartitionListHandle list(
      rd_kafka_topic_partition_list_new(static_cast<int>(queries.size())));
  for (const OffsetQuery& query : queries) {
    rd_kafka_topic_partition_t* element =
        rd_kafka_topic_partition_list_add(list.get(), query.topic.c_str(), query.partition);
    // The call takes times in the offset's place and sends them as they are; the protocol's times
    // -1 and -2 mean latest and earliest.
    element->offset = query.what;
    // What stays if the call has no answer for this partition.
    element->err = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
  }
  const rd_kafka_resp_err_t error =
      rd_kafka_offsets_for_times(client.get(), list.get(), Millis(timeout));
  std::vector<absl::StatusOr<int64_t>> results;
  results.reserve(queries.size());
  for (const OffsetQuery& query : queries) {
    const std::string what = absl::StrCat("offsets of ", query.topic, " [", query.partition, "]");
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // __NOENT: not one of the partitions has a leader that is known.
      results.emplace_back(ToStatus(
          error == RD_KAFKA_RESP_ERR__NOENT ? RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION : error, what));
      continue;
    }
    const rd_kafka_topic_partition_t* element =
        rd_kafka_topic_partition_list_find(list.get(), query.topic.c_str(), query.partition);
    if (element->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      results.emplace_back(ToStatus(element->err, what));
    else
      results.emplace_back(element->offset);
  }
  return results;
}

}  // namespace spillway::ingest
