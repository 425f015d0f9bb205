#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "services/edge/control/admin_workers.h"
#include "services/edge/dialect/event_encoder.h"
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

// v1::AdminService for this node. Calls are fanned out to the workers and answered by the last of
// them: no gRPC thread waits. Thread-safe. Owned by the composition root; must outlive its server,
// and the workers must run until that is shut down.
class AdminService {
 public:
  struct Options {
    std::string node_id;
    std::string version;
  };
  // Of the node, for GetStats; called on gRPC's threads.
  using UpstreamStatusOf = std::function<std::shared_ptr<const UpstreamStatus>()>;

  using TotalsOf = std::function<AdminTotals()>;

  // What it is given outlives it.
  AdminService(Options options, AdminWorkers& workers, const VariantTable& variants,
               UpstreamStatusOf upstream, TotalsOf totals, const Clock& clock);
  ~AdminService();

  // For rpc::ServerOptions.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::edge
