#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "services/ingest/kafka/kafka_settings.h"

struct rd_kafka_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_s;

namespace spillway::ingest {

class KafkaClient;

// A record to write. Refers to the caller's bytes, which are copied by Produce.
struct ProduceRequest {
  std::string topic;
  // Chosen by the record key if absent; without a key by the idempotency key, so that a publisher's
  // retries meet in one partition; without either at random.
  std::optional<int32_t> partition;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // nothing = a tombstone
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view idempotency_key;  // only to choose the partition; not written
  int64_t timestamp_ms = 0;          // Unix milliseconds; 0 = now
};

struct ProducedAt {
  int32_t partition = 0;
  int64_t offset = 0;
};

// Idempotent producer: within one run a record accepted once is written once and in the order of
// the calls, per partition. Produce may be called from any thread; callbacks run on the
// producer's own thread and must not block.
//
// Bounds: accepted and unanswered records, in number and bytes; above them Produce answers
// RESOURCE_EXHAUSTED. Every accepted record is answered within delivery_timeout (and some):
//   DEADLINE_EXCEEDED  not confirmed in time: it may or may not have been written
//   NOT_FOUND          no such topic or partition
//   PERMISSION_DENIED, INVALID_ARGUMENT (too large for the topic, ...), UNAVAILABLE (retry),
//   CANCELLED          the producer was stopped before
// After an error that librdkafka calls fatal (the broker lost this producer's sequence) the
// instance is replaced by a new one; what it held is answered with the error.
class Producer {
 public:
  struct Options {
    std::chrono::milliseconds delivery_timeout{5000};
    int max_in_flight_messages = 100'000;
    int64_t max_in_flight_bytes = 64 << 20;
    int max_message_bytes = 8 << 20;
    std::chrono::milliseconds stop_timeout{5000};  // for what is in flight when it is destroyed
  };
  using Callback = std::function<void(absl::StatusOr<ProducedAt>)>;

  struct Counters {
    metrics::AtomicCounter accepted;
    metrics::AtomicCounter refused;  // at the bounds, or by librdkafka
    metrics::Counter delivered;
    metrics::Counter failed;
    metrics::Counter replaced;  // instances given up after a fatal error
  };

  static absl::StatusOr<std::unique_ptr<Producer>> Create(const KafkaSettings& settings,
                                                          const Options& options);
  // Flushes, at most stop_timeout long; then answers what is left CANCELLED.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // OK: accepted, and `callback` will be called exactly once. Otherwise it never is.
  absl::Status Produce(const ProduceRequest& request, Callback callback);

  int64_t in_flight_messages() const { return in_flight_.load(std::memory_order_relaxed); }
  int64_t in_flight_bytes() const { return in_flight_bytes_.load(std::memory_order_relaxed); }
  const Counters& counters() const { return counters_; }

 private:
  struct Delivery;
  using PartitionFunction = int32_t (*)(const rd_kafka_topic_s*, const void*, size_t, int32_t,
                                        void*, void*);

  Producer(const KafkaSettings& settings, const Options& options);

  absl::StatusOr<std::shared_ptr<KafkaClient>> NewClient();
  bool Reserve(int64_t bytes);
  void Release(int64_t bytes);
  void Run();
  void ReplaceClient();
  // Serves callbacks of `client` until nothing of it is in flight, at most until `deadline`.
  static void Drain(const std::shared_ptr<KafkaClient>& client, MonoTime deadline);
  static void OnDelivery(rd_kafka_s* client, const rd_kafka_message_s* message, void* opaque);
  static int32_t ChoosePartition(const rd_kafka_topic_s* topic, const void* key, size_t key_size,
                                 int32_t partitions, void* topic_opaque, void* message_opaque);

  const KafkaSettings settings_;
  const Options options_;
  PartitionFunction by_key_ = nullptr;  // the "partitioner" property
  std::atomic<int64_t> in_flight_{0};
  std::atomic<int64_t> in_flight_bytes_{0};
  std::atomic<bool> stopping_{false};
  Counters counters_;

  Mutex mutex_;
  std::shared_ptr<KafkaClient> client_ SPILLWAY_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace spillway::ingest
