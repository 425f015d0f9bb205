#include "tools/load/kafka_sink.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "tools/load/load_clock.h"

namespace spillway::load {
namespace {

// A record's due time travels as its opaque pointer.
void* ToOpaque(int64_t due_ns) { return reinterpret_cast<void*>(static_cast<intptr_t>(due_ns)); }
static_assert(sizeof(void*) >= sizeof(int64_t));

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaSink>> KafkaSink::Create(
    const std::map<std::string, std::string>& properties,
    const std::vector<StreamOptions>& streams) {
  std::unique_ptr<KafkaSink> sink(new KafkaSink());
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  // Few requests under way, so that records gather while a busy broker answers. Not idempotent:
  // while such a producer waits for its id or the broker, librdkafka 2.0.2 spins, and takes the
  // core from a broker on the same machine. Without retries the order holds all the same.
  std::map<std::string, std::string> all = {{"client.id", "spillway-load"},
                                            {"linger.ms", "0"},
                                            {"max.in.flight.requests.per.connection", "5"},
                                            {"queue.buffering.max.messages", "500000"},
                                            {"message.timeout.ms", "30000"}};
  if (!properties.contains("enable.idempotence")) all["message.send.max.retries"] = "0";
  for (const auto& [name, value] : properties) all[name] = value;
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return absl::InvalidArgumentError(absl::StrCat("Kafka: ", error.data()));
    }
  }
  rd_kafka_conf_set_opaque(conf, sink.get());
  rd_kafka_conf_set_dr_msg_cb(conf, &KafkaSink::OnDelivery);
  sink->client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  if (sink->client_ == nullptr) {
    rd_kafka_conf_destroy(conf);
    return absl::InvalidArgumentError(absl::StrCat("Kafka: ", error.data()));
  }
  for (const StreamOptions& stream : streams) {
    Topic topic;
    if (stream.via == Via::kKafka) {
      topic.handle = rd_kafka_topic_new(sink->client_, stream.topic.c_str(), nullptr);
      if (topic.handle == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("topic ", stream.topic, ": ", rd_kafka_err2str(rd_kafka_last_error())));
      }
      topic.partitions = stream.partitions;
      topic.header = stream.header;
    }
    sink->topics_.push_back(std::move(topic));
  }
  sink->poller_ = std::thread([self = sink.get()] {
    while (!self->stop_.load(std::memory_order_relaxed)) rd_kafka_poll(self->client_, 50);
  });
  return sink;
}

KafkaSink::~KafkaSink() {
  stop_.store(true, std::memory_order_relaxed);
  if (poller_.joinable()) poller_.join();
  if (client_ == nullptr) return;
  rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_poll(client_, 0);
  for (const Topic& topic : topics_) {
    if (topic.handle != nullptr) rd_kafka_topic_destroy(topic.handle);
  }
  rd_kafka_destroy(client_);
}

bool KafkaSink::Publish(const Publication& publication) {
  const Topic& topic = topics_[publication.stream];
  counters_.sent.fetch_add(1, std::memory_order_release);
  const int error =
      topic.header.empty() ? Produce(topic, publication) : ProduceWithHeader(topic, publication);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    counters_.sent.fetch_sub(1, std::memory_order_release);
    return false;
  }
  counters_.failed.fetch_add(1, std::memory_order_release);
  return true;
}

int KafkaSink::Produce(const Topic& topic, const Publication& publication) {
  // librdkafka copies the value, and takes it as not const.
  const int result = rd_kafka_produce(
      topic.handle,
      static_cast<int32_t>(publication.partition % static_cast<uint32_t>(topic.partitions)),
      RD_KAFKA_MSG_F_COPY, const_cast<char*>(publication.payload.data()),
      publication.payload.size(), publication.record_key.data(), publication.record_key.size(),
      ToOpaque(publication.due_ns));
  return result == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

int KafkaSink::ProduceWithHeader(const Topic& topic, const Publication& publication) {
  return rd_kafka_producev(
      client_, RD_KAFKA_V_RKT(topic.handle),
      RD_KAFKA_V_PARTITION(
          static_cast<int32_t>(publication.partition % static_cast<uint32_t>(topic.partitions))),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_VALUE(const_cast<char*>(publication.payload.data()), publication.payload.size()),
      RD_KAFKA_V_KEY(publication.record_key.data(), publication.record_key.size()),
      RD_KAFKA_V_HEADER(topic.header.c_str(), publication.channel_name.data(),
                        static_cast<ssize_t>(publication.channel_name.size())),
      RD_KAFKA_V_OPAQUE(ToOpaque(publication.due_ns)), RD_KAFKA_V_END);
}

void KafkaSink::OnDelivery(rd_kafka_s*, const rd_kafka_message_s* message, void* opaque) {
  auto* const sink = static_cast<KafkaSink*>(opaque);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    sink->counters_.failed.fetch_add(1, std::memory_order_release);
    return;
  }
  sink->Confirmed(static_cast<int64_t>(reinterpret_cast<intptr_t>(message->_private)), NowNs());
}

void KafkaSink::Finish(std::chrono::seconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!all_answered() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop_.store(true, std::memory_order_relaxed);
  if (poller_.joinable()) poller_.join();
  const uint64_t answered = counters_.confirmed.load() + counters_.failed.load();
  if (answered < counters_.sent.load())
    counters_.failed.fetch_add(counters_.sent.load() - answered);
}

}  // namespace spillway::load
