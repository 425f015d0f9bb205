#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/lifecycle/readiness.h"
#include "services/ingest/kafka/partition_watch.h"
#include "services/ingest/shard/shard_context.h"

namespace spillway::ingest {

// What the shards last told of their readers, put together for /ready, the metrics and the watch.
// Any thread. Owned by the app; `clock` and `readiness` outlive it.
class ReaderBoard {
 public:
  // So many stalled readers are named in /ready; their number is told whatever it is.
  static constexpr size_t kNamed = 100;

  ReaderBoard(const Clock& clock, lifecycle::Readiness& readiness);

  // Replaces what the shard told before.
  void Report(size_t shard, std::vector<ReaderReport> readers);
  void SetKafkaUp(bool up);

  // What is being read, for the watch; nothing while Kafka is away.
  std::vector<PartitionWatch::Partition> Watched() const;
  // Records that readers are behind, by topic.
  std::map<std::string, int64_t> Lags() const;

 private:
  // Tells `readiness_` which readers are stalled, if that is news.
  void Tell() SPILLWAY_REQUIRES(mutex_);

  const Clock& clock_;
  lifecycle::Readiness& readiness_;
  mutable Mutex mutex_;
  std::map<size_t, std::vector<ReaderReport>> shards_ SPILLWAY_GUARDED_BY(mutex_);
  bool kafka_up_ SPILLWAY_GUARDED_BY(mutex_) = false;
  // (topic, partition, since, reason): what was told last.
  struct Stalled {
    std::string topic;
    int32_t partition = 0;
    MonoTime since;
    std::string reason;
    auto operator<=>(const Stalled&) const = default;
  };
  std::vector<Stalled> told_ SPILLWAY_GUARDED_BY(mutex_);
  bool told_any_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::ingest
