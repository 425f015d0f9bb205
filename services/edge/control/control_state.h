#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/string_map.h"
#include "common/log/rate_limited.h"
#include "services/edge/control/admin_workers.h"
#include "services/edge/session/blocks.h"
#include "services/edge/session/ip_limits.h"
#include "spillway/v1/link.pb.h"

namespace spillway::edge {

// Brings blocks and revocations into force: takes them in, from ingests, from other edges and from
// this node's admin API, and ends the connections that they mean. What comes several ways, in
// whatever order, is one state (control::ControlTable).
//
// At the start nobody is let in until it is known who is kept out: until an ingest has told all of
// its control topic, or the first ingests say that they have none; for Options::wait at most.
// Thread-safe. Owned by the composition root; outlives the link thread and the workers' tasks.
class ControlState {
 public:
  struct Options {
    std::chrono::milliseconds wait{10'000};  // 0: it is not waited
  };
  enum class Phase {
    kWaiting,  // nobody is let in
    kNone,     // no ingest has a control topic
    kKnown,    // all of it is in force
    kGivenUp,  // the wait was over before it was known
  };
  struct Status {
    Phase phase = Phase::kWaiting;
    std::string problem;   // why it is not known yet
    bool durable = false;  // a linked ingest has a control topic
  };
  using Hold = std::function<void(bool hold)>;

  // All outlive it. `hold`: whether clients are let in, ConnectionGate::Hold; called at once.
  ControlState(Options options, const Clock& clock, Blocks& blocks, IpLimits& ips,
               AdminWorkers& workers, Hold hold);

  // From the links.
  void OnIngest(std::string_view node_id, bool has_topic);
  void OnIngestGone(std::string_view node_id);
  void OnControl(std::string_view node_id, const v1::Control& control);
  // From an operator, through this or another edge. The entry was checked. Whoever comes in from
  // here on is held against it; Enforce() ends those who are there.
  Blocks::Merged Merge(const v1::ControlEntry& entry);
  // Has all connections looked at, each worker its own, so many in a turn.
  void Enforce();

  // Timers: a few times a second.
  void Update();

  Status status() const;
  // Linked ingests with a control topic, by node id.
  std::vector<std::string> Writers() const;

 private:
  // Of one worker: whether its connections are about to be looked at.
  struct Sweep {
    std::atomic<bool> asked{false};
  };

  Blocks::Merged Take(const v1::ControlEntry& entry, bool* sweep);
  void SweepWorker(size_t worker);
  void SetPhase(Phase phase) SPILLWAY_REQUIRES(mutex_);

  const Options options_;
  const Clock& clock_;
  Blocks& blocks_;
  IpLimits& ips_;
  AdminWorkers& workers_;
  const Hold hold_;
  const MonoTime started_;
  log::RateLimited log_;
  std::vector<std::unique_ptr<Sweep>> sweeps_;

  mutable Mutex mutex_;
  Phase phase_ SPILLWAY_GUARDED_BY(mutex_) = Phase::kWaiting;
  std::string problem_ SPILLWAY_GUARDED_BY(mutex_);
  StringMap<bool> ingests_ SPILLWAY_GUARDED_BY(mutex_);  // linked; whether it has a control topic
};

}  // namespace spillway::edge
