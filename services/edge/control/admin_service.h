#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "services/edge/control/admin_workers.h"
#include "services/edge/control/cluster_call.h"
#include "services/edge/control/cluster_watch.h"
#include "services/edge/control/control_state.h"
#include "services/edge/control/control_writer.h"
#include "services/edge/control/event_bus.h"
#include "services/edge/control/node_drain.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/upstream/channel_history.h"
#include "services/edge/upstream/link_core.h"

namespace grpc {
class Service;
}

namespace spillway::edge {

// What all workers have counted since the start.
struct AdminTotals {
  uint64_t messages_sent = 0;
  uint64_t messages_received = 0;
};

// What the admin API works with. All outlives the service.
struct AdminParts {
  Cluster cluster;
  AdminWorkers& workers;
  const VariantTable& variants;
  // A piece of a channel's history; called on gRPC's threads.
  std::function<void(HistoryAsk ask, HistoryDone done)> history;
  // Of the node, for GetStats; called on gRPC's threads.
  std::function<std::shared_ptr<const UpstreamStatus>()> upstream;
  std::function<AdminTotals()> totals;
  const Clock& clock;
  Blocks& blocks;
  ControlState& control;
  ControlWriter& writer;
  EventBus& events;
  ClusterWatches& watches;
  NodeDrain& drain;
  NodeDrain::Times drain_times;  // what a call leaves open
};

// v1::AdminService. A call is fanned out to the workers and answered by the last of them, and, if
// it is of the whole cluster, by the other edges meanwhile: no gRPC thread waits. Thread-safe.
// Owned by the composition root; must outlive its server, and the workers must run until that is
// shut down.
class AdminService {
 public:
  struct Options {
    std::string version;
    std::chrono::milliseconds revocation_ttl{0};
  };

  AdminService(Options options, AdminParts parts);
  ~AdminService();

  // Of this node, for ListNodes.
  void SetAddresses(const v1::NodeAddresses& addresses);
  // For rpc::ServerOptions.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::edge
