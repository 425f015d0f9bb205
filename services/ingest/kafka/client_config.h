#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "common/log/rate_limited.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/kafka_settings.h"

namespace spillway::ingest {

enum class ClientRole : uint8_t {
  kReader,     // PartitionConsumer
  kProber,     // metadata and offset look-ups
  kProducer,   // Producer
  kCommitter,  // LagCommits: the only one with the group id
};

struct ClientOptions {
  ClientRole role = ClientRole::kProber;
  // Readers: bytes that may wait in one shard's queue before fetching for it pauses, and the most
  // that one fetch may add on top.
  int64_t queue_bytes = 32 << 20;
  int64_t fetch_max_bytes = 8 << 20;
  // Producers.
  int delivery_timeout_ms = 5000;
  int max_in_flight_messages = 100'000;
  int64_t max_in_flight_bytes = 64 << 20;
  int max_message_bytes = 8 << 20;
};

// A configuration for one role: Spillway's defaults, over them the user's properties, over those
// what Spillway relies on. Those last ones can't be set by the user:
//   bootstrap.servers, client.id, group.id (they have settings of their own), auto.offset.reset,
//   enable.partition.eof, enable.auto.commit, enable.auto.offset.store, enable.idempotence, acks,
//   sticky.partitioning.linger.ms
// INVALID_ARGUMENT names the property and quotes librdkafka; a secret's value never appears.
absl::StatusOr<ConfHandle> BuildConf(const KafkaSettings& settings, const ClientOptions& options);

// Refuses at start what BuildConf or rd_kafka_new would refuse later, for all roles.
absl::Status CheckSettings(const KafkaSettings& settings);

// One librdkafka instance and the last trouble that it logged. Its log lines go to common/log,
// through KafkaSettings::log_limit by their kind. Thread-safe as librdkafka is; every queue, topic
// and event taken from it must be gone before it.
class KafkaClient {
 public:
  static absl::StatusOr<std::unique_ptr<KafkaClient>> Create(rd_kafka_type_t type,
                                                             const KafkaSettings& settings,
                                                             ConfHandle conf);
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  rd_kafka_t* get() const { return client_.get(); }
  // The last connection, authentication or protocol failure in librdkafka's words ("...: Connect to
  // ipv4#127.0.0.1:9092 failed: Connection refused"); empty if there was none since Clear.
  std::string LastProblem() const;
  void ClearProblem();

 private:
  KafkaClient() = default;
  static void OnLog(const rd_kafka_t* client, int level, const char* facility, const char* text);

  std::shared_ptr<log::RateLimited> log_limit_;
  mutable Mutex mutex_;
  std::string problem_ SPILLWAY_GUARDED_BY(mutex_);
  RawClientHandle client_;
};

}  // namespace spillway::ingest
