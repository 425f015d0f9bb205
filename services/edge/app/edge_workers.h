#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/metrics/metrics.h"
#include "services/edge/app/app_options.h"
#include "services/edge/control/admin_workers.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/net/io_pool.h"
#include "services/edge/session/hand_over.h"
#include "services/edge/session/session_context.h"
#include "services/edge/session/session_counters.h"
#include "services/edge/session/session_registry.h"
#include "services/edge/upstream/link_runtime.h"

namespace spillway::edge {

// What a worker's hub shard has counted, as of its last tick. Written by the worker, read by any.
struct HubGauges {
  metrics::Gauge subscriptions;
  metrics::Gauge channels;
  metrics::Gauge ring_bytes;
  metrics::Gauge deliveries;
  metrics::Gauge events;
  metrics::Gauge gaps;
  metrics::Gauge ephemeral_gaps;
  metrics::Gauge checkpoints;
  metrics::Gauge ring_evictions;
  metrics::Gauge reads;
  metrics::Gauge positions_proven;
  metrics::Gauge positions_foreign;
  metrics::Gauge positions_unproven;
  metrics::Gauge positions_unjudged;
  // By frequency; high has no lanes.
  std::array<metrics::Gauge, kFrequencies> conflated;
  std::array<metrics::Gauge, kFrequencies> lane_flushes;
  metrics::Gauge lane_early_flushes;
  metrics::Gauge lane_events;
  metrics::Gauge lane_bytes;
};

// Gives every worker of the pool its hub shard, its sessions' context and its tick, and lets the
// link thread and the admin API reach them. Post() is for any thread. Owned by EdgeApp; outlives
// the workers' threads.
class EdgeWorkers final : public HubWorkers, public AdminWorkers {
 public:
  // `pool` outlives this.
  EdgeWorkers(net::IoPool& pool, Clock& clock);
  ~EdgeWorkers() override;

  // Before anything is posted. `variants` and `upstream` outlive the workers' threads.
  void Create(const EdgeOptions& options, VariantTable& variants, Upstream& upstream);
  // Starts the ticks; after the pool was started.
  void StartTicks();

  // Ends all sessions over a time (HandOver), anew if it is under way. The pool must not stop
  // before handed_over(), or it ends the rest at once. These three are for one caller at a time.
  void BeginHandOver(const HandOver::Plan& plan);
  void CancelHandOver();
  bool handed_over() const { return handing_over_ == nullptr || handing_over_->load() == 0; }

  size_t count() const override { return workers_.size(); }
  void Post(size_t index, HubWorkers::Task task) override;
  void Post(size_t index, AdminWorkers::Task task) override;

  std::vector<SessionContext*> contexts();
  const SessionCounters& session_counters(size_t worker) const;
  const HubGauges& hub_gauges(size_t worker) const;

 private:
  struct Worker;

  net::IoPool& pool_;
  Clock& clock_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Workers that are not done, of the last BeginHandOver.
  std::shared_ptr<std::atomic<size_t>> handing_over_;
};

}  // namespace spillway::edge
