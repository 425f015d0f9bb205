#include "services/edge/app/edge_workers.h"

#include <sys/random.h>

#include <cstdlib>
#include <utility>

#include "services/edge/timer/timing_wheel.h"

namespace spillway::edge {
namespace {

// Not longer: the wheel rounds up, and lanes are to be flushed at every tick of it.
constexpr std::chrono::milliseconds kNextTick{1};

void FillRandom(uint8_t* bytes, size_t size) {
  // getrandom(2) gives up to 256 bytes whole once the system is up.
  if (::getrandom(bytes, size, 0) != static_cast<ssize_t>(size)) std::abort();
}

}  // namespace

// One worker's share. Belongs to the worker's thread.
struct EdgeWorkers::Worker {
  Worker(net::Worker& on, Clock& clock_of, HubShard::Options hub_options,
         const EdgeOptions& options, VariantTable& variants, Upstream& upstream)
      : worker(on),
        clock(clock_of),
        hub(std::move(hub_options), variants, upstream),
        context{.hub = hub,
                .clock = clock_of,
                .wheel = on.wheel(),
                .variants = variants,
                .registry = registry,
                .counters = counters,
                .node_id = options.node_id,
                .limits = options.limits,
                .random = FillRandom,
                .keep = [&on](Ref<Frame> frame) { on.connections().Keep(std::move(frame)); }},
        hand_over(registry, on.wheel(), clock_of) {
    context.worker = on.index();
  }

  void Tick() {
    hub.Tick(clock.Now());
    const HubShard::Counters& counted = hub.counters();
    gauges.subscriptions.Set(static_cast<int64_t>(hub.subscription_count()));
    gauges.channels.Set(static_cast<int64_t>(hub.channel_count()));
    gauges.ring_bytes.Set(static_cast<int64_t>(hub.ring_bytes()));
    gauges.deliveries.Set(static_cast<int64_t>(counted.deliveries));
    gauges.events.Set(static_cast<int64_t>(counted.events));
    gauges.gaps.Set(static_cast<int64_t>(counted.gaps));
    gauges.ephemeral_gaps.Set(static_cast<int64_t>(counted.ephemeral_gaps));
    gauges.checkpoints.Set(static_cast<int64_t>(counted.checkpoints));
    gauges.ring_evictions.Set(static_cast<int64_t>(counted.ring_evictions));
    gauges.reads.Set(static_cast<int64_t>(counted.reads));
    gauges.positions_proven.Set(static_cast<int64_t>(counted.positions_proven));
    gauges.positions_foreign.Set(static_cast<int64_t>(counted.positions_foreign));
    gauges.positions_unproven.Set(static_cast<int64_t>(counted.positions_unproven));
    gauges.positions_unjudged.Set(static_cast<int64_t>(counted.positions_unjudged));
    for (size_t i = 0; i < kFrequencies; ++i) {
      gauges.conflated[i].Set(static_cast<int64_t>(counted.conflated[i]));
      gauges.lane_flushes[i].Set(static_cast<int64_t>(counted.lane_flushes[i]));
    }
    gauges.lane_early_flushes.Set(static_cast<int64_t>(counted.lane_early_flushes));
    gauges.lane_events.Set(static_cast<int64_t>(hub.lane_events()));
    gauges.lane_bytes.Set(static_cast<int64_t>(hub.lane_bytes()));
    if (handing_over != nullptr && hand_over.done()) {
      handing_over->fetch_sub(1);
      handing_over.reset();
    }
    worker.wheel().Set(tick, kNextTick);
  }

  net::Worker& worker;
  Clock& clock;
  SessionRegistry registry;
  SessionCounters counters;
  HubGauges gauges;
  HubShard hub;
  SessionContext context;
  HandOver hand_over;
  std::shared_ptr<std::atomic<size_t>> handing_over;  // to be told when it is done
  Timer tick = Timer::Of<&Worker::Tick>(this);
};

EdgeWorkers::EdgeWorkers(net::IoPool& pool, Clock& clock) : pool_(pool), clock_(clock) {}

EdgeWorkers::~EdgeWorkers() = default;

void EdgeWorkers::Create(const EdgeOptions& options, VariantTable& variants, Upstream& upstream) {
  for (size_t i = 0; i < pool_.size(); ++i) {
    HubShard::Options hub = options.hub;
    hub.worker = i;
    workers_.push_back(
        std::make_unique<Worker>(pool_.worker(i), clock_, hub, options, variants, upstream));
  }
}

void EdgeWorkers::StartTicks() {
  for (const auto& worker : workers_) {
    worker->worker.Post([&worker = *worker] { worker.Tick(); });
  }
}

void EdgeWorkers::BeginHandOver(const HandOver::Plan& plan) {
  handing_over_ = std::make_shared<std::atomic<size_t>>(workers_.size());
  for (const auto& worker : workers_) {
    worker->worker.Post([left = handing_over_, &worker = *worker, plan] {
      worker.handing_over = left;
      worker.hand_over.Begin(plan);
    });
  }
}

void EdgeWorkers::CancelHandOver() {
  handing_over_.reset();
  for (const auto& worker : workers_) {
    worker->worker.Post([&worker = *worker] {
      worker.handing_over.reset();
      worker.hand_over.Cancel();
    });
  }
}

void EdgeWorkers::Post(size_t index, HubWorkers::Task task) {
  Worker& worker = *workers_[index];
  worker.worker.Post([&worker, task = std::move(task)] { task(worker.hub, worker.clock.Now()); });
}

void EdgeWorkers::Post(size_t index, AdminWorkers::Task task) {
  Worker& worker = *workers_[index];
  worker.worker.Post([&worker, task = std::move(task)] { task(worker.registry, worker.hub); });
}

std::vector<SessionContext*> EdgeWorkers::contexts() {
  std::vector<SessionContext*> all;
  for (const auto& worker : workers_) all.push_back(&worker->context);
  return all;
}

const SessionCounters& EdgeWorkers::session_counters(size_t worker) const {
  return workers_[worker]->counters;
}

const HubGauges& EdgeWorkers::hub_gauges(size_t worker) const { return workers_[worker]->gauges; }

}  // namespace spillway::edge
