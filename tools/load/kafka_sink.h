#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/run_options.h"
#include "tools/load/sink.h"

struct rd_kafka_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_s;

namespace spillway::load {

// Produces records: a stream's to its topic, a channel's all to one partition. librdkafka is used
// directly: a record costs no allocation of ours.
class KafkaSink final : public Sink {
 public:
  // `properties` are librdkafka's; bootstrap.servers among them. Streams that are not for Kafka are
  // ignored.
  static absl::StatusOr<std::unique_ptr<KafkaSink>> Create(
      const std::map<std::string, std::string>& properties,
      const std::vector<StreamOptions>& streams);
  ~KafkaSink() override;

  bool Publish(const Publication& publication) override;
  void Finish(std::chrono::seconds timeout) override;

 private:
  struct Topic {
    rd_kafka_topic_s* handle = nullptr;
    int32_t partitions = 1;
    std::string header;
  };

  KafkaSink() = default;
  // librdkafka's error codes.
  static int Produce(const Topic& topic, const Publication& publication);
  int ProduceWithHeader(const Topic& topic, const Publication& publication);
  static void OnDelivery(rd_kafka_s* client, const rd_kafka_message_s* message, void* opaque);

  rd_kafka_s* client_ = nullptr;
  std::vector<Topic> topics_;  // by stream
  std::atomic<bool> stop_{false};
  std::thread poller_;
};

}  // namespace spillway::load
