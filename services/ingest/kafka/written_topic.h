#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "services/ingest/kafka/kafka_settings.h"

namespace spillway::ingest {

class KafkaClient;

// Sees to it that a topic that is only written to is there: makes it, with one partition, if it is
// not and that is allowed. From a thread of its own, since Kafka is asked; tries again until it is.
// Look() is for any thread, all else for the owner.
class WrittenTopic {
 public:
  struct Options {
    std::string topic;
    bool create = true;
    int replication = 0;  // of a topic that is made; 0: the brokers' default
    std::string setting;  // that says whether it may be made, for the operator
    std::chrono::milliseconds retry{1'000};
    std::chrono::milliseconds request_timeout{2'000};
  };
  // Why it cannot be written to, in words for an operator; empty: it is there. On the thread.
  using Told = std::function<void(const std::string& problem)>;

  // INVALID_ARGUMENT for settings that librdkafka refuses.
  static absl::StatusOr<std::unique_ptr<WrittenTopic>> Create(const KafkaSettings& settings,
                                                              Options options, Told told);
  ~WrittenTopic();  // Stop()
  WrittenTopic(const WrittenTopic&) = delete;
  WrittenTopic& operator=(const WrittenTopic&) = delete;

  // Once.
  void Start();
  // Waits for a request under way (request_timeout). Idempotent.
  void Stop();
  // Somebody found it missing.
  void Look();

 private:
  WrittenTopic(Options options, Told told, std::unique_ptr<KafkaClient> client);

  void Run();
  absl::Status Prepare();

  const Options options_;
  const Told told_;
  const std::unique_ptr<KafkaClient> client_;
  Mutex mutex_;
  CondVar wake_;
  bool look_ SPILLWAY_GUARDED_BY(mutex_) = true;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::string last_problem_;  // the thread's own
  std::thread thread_;
};

}  // namespace spillway::ingest
