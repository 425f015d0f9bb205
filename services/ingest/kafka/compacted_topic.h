#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/ingest/kafka/kafka_settings.h"
#include "services/ingest/kafka/record_view.h"

namespace spillway::ingest {

class KafkaClient;
class PartitionConsumer;
class ShardReader;

// Reads a small compacted topic from its beginning and goes on with what is written to it, from a
// thread of its own. Makes the topic if it is not there and that is allowed; refuses one that is
// not compacted, for what is in it would be gone some day. Whatever goes wrong is told, and tried
// again.
class CompactedTopic {
 public:
  struct Options {
    std::string topic;
    bool create = true;
    int replication = 0;  // of a topic that is made; 0: the brokers' default
    std::chrono::milliseconds retry{1'000};
    std::chrono::milliseconds request_timeout{2'000};
    // For whether it is compacted; a broker that does not know the question lets it time out.
    std::chrono::milliseconds policy_timeout{500};
    std::chrono::milliseconds look_again{30'000};  // for partitions that were added
    std::chrono::milliseconds turn{100};           // OnTurn() at least so often
  };
  // All on the topic's thread.
  class Sink {
   public:
    virtual ~Sink() = default;
    // In the order of each partition. The same ones may come again after trouble.
    virtual void OnRecord(const RecordView& record) = 0;
    // All that was in the topic when reading began was handed out. May come again.
    virtual void OnWhole() = 0;
    // It cannot be read, in words for an operator.
    virtual void OnProblem(const std::string& problem) = 0;
    // Between records.
    virtual void OnTurn() = 0;
  };

  // INVALID_ARGUMENT for settings that librdkafka refuses. `sink` outlives it.
  static absl::StatusOr<std::unique_ptr<CompactedTopic>> Create(const KafkaSettings& settings,
                                                                Options options, Sink& sink);
  ~CompactedTopic();  // Stop()
  CompactedTopic(const CompactedTopic&) = delete;
  CompactedTopic& operator=(const CompactedTopic&) = delete;

  // Once.
  void Start();
  // Waits for a request under way (request_timeout). Idempotent.
  void Stop();

 private:
  CompactedTopic(const KafkaSettings& settings, Options options, Sink& sink);

  void Run();
  // Reads until something is wrong.
  absl::Status Follow();
  // The number of partitions of a topic that can be used.
  absl::StatusOr<int32_t> Prepare();
  absl::Status CheckPolicy();
  absl::Status StartPartitions(int32_t first, int32_t count);
  absl::Status Take();
  void Wait(std::chrono::milliseconds time) const;

  const KafkaSettings settings_;
  const Options options_;
  Sink& sink_;
  const int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<KafkaClient> client_;  // for questions
  std::unique_ptr<PartitionConsumer> consumer_;
  // The thread's own.
  std::unique_ptr<ShardReader> reader_;
  std::vector<bool> at_end_;  // by partition, since reading began
  size_t reading_ = 0;        // those that are not
  std::thread thread_;
};

}  // namespace spillway::ingest
