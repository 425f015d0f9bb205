#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/ingest/kafka/cluster_query.h"

namespace spillway::ingest {

struct PartitionBounds {
  int64_t begin = 0;  // first offset that can be read
  int64_t end = 0;    // last stable offset: the one after the last record that read_committed sees
};

// A question about a partition's offsets, and who asked: one of the two callbacks.
struct OffsetLookup {
  std::string topic;
  int32_t partition = 0;
  int64_t time = kLogEnd;  // Unix milliseconds, for on_offset
  std::function<void(absl::StatusOr<PartitionBounds>)> on_bounds = nullptr;
  std::function<void(absl::StatusOr<int64_t>)> on_offset = nullptr;

  void Fail(const absl::Status& status) const;
};

// Look-ups that wait for Kafka, by the broker that leads their partition: one that does not answer
// fails a whole call, and holds it up for as long as the call may take. So each call asks one
// leader, they take turns, and one that was silent is not asked again for a while: what waits for
// it fails at once. Pure: given the time, no I/O; owned and called by the prober's thread, which
// bounds what waits.
class LookupQueue {
 public:
  struct Options {
    size_t batch = 256;                        // look-ups of one call at most
    std::chrono::milliseconds silence{2'000};  // a silent leader is left alone for this long
  };
  static constexpr int32_t kUnknownLeader = -1;  // not in what is known of the cluster
  static constexpr int32_t kNoLeader = -2;       // known to have none at the moment

  explicit LookupQueue(const Options& options) : options_(options) {}

  // `leader`: a broker's number. Under kUnknownLeader each is asked alone; kNoLeader is silent.
  void Add(int32_t leader, OffsetLookup lookup);
  bool empty() const { return waiting_.empty(); }

  struct Batch {
    int32_t leader = kUnknownLeader;
    bool silent = false;                // the leader is: these are to be failed, without asking
    std::vector<OffsetLookup> lookups;  // each partition once, unless silent
  };
  // What to do next; not while empty.
  Batch Next(MonoTime now);
  // A call that asked this leader was not answered.
  void OnSilent(int32_t leader, MonoTime now);
  // Everything that waits; the queue is empty then.
  std::vector<OffsetLookup> TakeAll();

 private:
  const Options options_;
  std::map<int32_t, std::vector<OffsetLookup>> waiting_;  // by leader; none is empty
  std::map<int32_t, MonoTime> silent_until_;              // as many as there are brokers at most
  int32_t last_ = kUnknownLeader;                         // whose turn was last
};

}  // namespace spillway::ingest
