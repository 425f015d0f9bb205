#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "services/ingest/kafka/kafka_settings.h"

namespace spillway::ingest {

class KafkaClient;

// Commits offsets under the configured group id, so that tools which show a group's lag have
// something to show. Nothing in Spillway reads them. From a thread of its own, at most once per
// interval: what has moved is compared with what the group has committed and written where it is
// higher, so several ingests that read one partition never take each other's mark back. Errors are
// counted and otherwise left alone (a group with live members, a missing permission).
class LagCommits {
 public:
  struct Options {
    std::chrono::milliseconds interval{5000};
    std::chrono::milliseconds request_timeout{2000};
    std::chrono::milliseconds last_timeout{500};  // of the requests of the last commit
    size_t max_partitions = 100'000;              // more are ignored
  };
  struct Counters {
    metrics::Counter committed;  // partitions' marks
    metrics::Counter errors;
  };

  // settings.group_id must not be empty.
  static absl::StatusOr<std::unique_ptr<LagCommits>> Create(const KafkaSettings& settings,
                                                            const Options& options);
  // Commits once more what has moved, unless Kafka did not answer the last time, then stops: after
  // two request timeouts and two last ones at most.
  ~LagCommits();
  LagCommits(const LagCommits&) = delete;
  LagCommits& operator=(const LagCommits&) = delete;

  // Everything of the partition below `next_offset` has been processed. Any thread; call it at a
  // low rate (with progress, not with records).
  void Processed(std::string_view topic, int32_t partition, int64_t next_offset);

  const Counters& counters() const { return counters_; }

 private:
  using Partition = std::pair<std::string, int32_t>;
  using Marks = std::map<Partition, int64_t>;

  explicit LagCommits(const Options& options);
  void Run();
  // False: Kafka did not answer.
  bool Commit(const Marks& marks, std::chrono::milliseconds timeout);

  const Options options_;
  std::unique_ptr<KafkaClient> client_;
  Counters counters_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  Marks moved_ SPILLWAY_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace spillway::ingest
