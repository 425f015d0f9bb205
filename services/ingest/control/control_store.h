#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/control/control_table.h"
#include "common/log/rate_limited.h"
#include "common/metrics/metrics.h"
#include "services/ingest/kafka/compacted_topic.h"
#include "services/ingest/kafka/producer.h"
#include "spillway/v1/control.pb.h"

namespace spillway::ingest {

// The control state as this ingest knows it: what the control topic holds and what was written
// through this ingest. Tells edges of every change, writes for them, and clears entries that have
// ended out of the topic.
//
// Every ingest clears: each waits a while of its own, and leaves out what another has cleared
// meanwhile. Thread-safe. Owned by the app; outlives the topic's thread and the producer's
// callbacks.
class ControlStore final : public CompactedTopic::Sink {
 public:
  struct Options {
    std::string topic;
    std::string node_id;
    size_t max_entries = 100'000;
    // Between an entry's end and its tombstone: the least, and up to so much more by key and node.
    std::chrono::milliseconds clear_after{5'000};
    std::chrono::milliseconds clear_spread{10'000};
  };
  struct Counters {
    metrics::AtomicCounter records;  // read
    metrics::AtomicCounter bad;      // of them, those that are no entries
    metrics::AtomicCounter dropped;  // for lack of room
    metrics::AtomicCounter written;  // acknowledged by Kafka
    metrics::AtomicCounter failed;
    metrics::AtomicCounter cleared;  // tombstones of entries that have ended
  };
  struct Status {
    bool whole = false;   // the topic was read to its end
    std::string problem;  // why not
    size_t entries = 0;   // in force
  };
  // To all links, on any thread.
  using Tell = std::function<void(const v1::Control&)>;
  // Where records go: Producer::Produce.
  using Produce = std::function<absl::Status(const ProduceRequest&, Producer::Callback)>;
  // Whether a later entry of its key made it superfluous.
  using Written = std::function<void(absl::StatusOr<bool> superseded)>;

  ControlStore(Options options, const Clock& clock, Produce produce, Tell tell);

  // CompactedTopic::Sink
  void OnRecord(const RecordView& record) override;
  void OnWhole() override;
  void OnProblem(const std::string& problem) override;
  void OnTurn() override;

  // All that a new link is to be told, in pieces.
  std::vector<v1::Control> Whole() const;
  // Writes an entry. INVALID_ARGUMENT; RESOURCE_EXHAUSTED: as many are in force as may be; else
  // what Producer says. `written` is called once, now or from the producer's thread.
  void Write(const v1::ControlEntry& entry, Written written);

  Status status() const;
  const Counters& counters() const { return counters_; }
  const std::string& topic() const { return options_.topic; }

 private:
  // Takes it in and tells it.
  void Take(const v1::ControlEntry& entry);
  void ClearLater(const v1::ControlEntry& entry, MonoTime now) SPILLWAY_REQUIRES(mutex_);
  absl::Status Send(const v1::ControlEntry& entry, bool tombstone, Producer::Callback done);

  const Options options_;
  const Clock& clock_;
  const Produce produce_;
  const Tell tell_;
  Counters counters_;
  log::RateLimited log_;

  mutable Mutex mutex_;
  control::ControlTable table_ SPILLWAY_GUARDED_BY(mutex_);
  bool whole_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::string problem_ SPILLWAY_GUARDED_BY(mutex_);
  struct Ended {
    v1::ControlEntry entry;
    MonoTime clear_at;
  };
  // By key: still in the topic.
  std::map<std::string, Ended> ended_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::ingest
