#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/gateway/gateway.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "services/edge/app/app_options.h"
#include "services/edge/app/edge_workers.h"
#include "services/edge/app/metric_families.h"
#include "services/edge/control/admin_service.h"
#include "services/edge/control/control_state.h"
#include "services/edge/control/control_writer.h"
#include "services/edge/control/members.h"
#include "services/edge/control/node_calls.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/upstream/link_runtime.h"

namespace spillway::edge {

// What makes an edge one of a cluster: who the others are, who is kept out, and the admin API, by
// which either is told. For main's thread. Owned by EdgeApp: made before anybody is let in, stopped
// while the workers run.
class EdgeCluster final : public ClusterListener {
 public:
  // Holds clients back from now on, as ControlState says. What it is given outlives it.
  EdgeCluster(const EdgeOptions& options, const Clock& clock, EdgeWorkers& workers,
              LinkRuntime& upstream, ConnectionLimits& limits, ConnectionGate& gate);
  ~EdgeCluster() override;  // Stop(0)

  // Adds the admin API as HTTP/JSON, if it is to be served so: it answers once StartAdmin has.
  void AddHttp(http::Routes* routes);
  // Serves the admin API, if there is to be one. After the workers have begun.
  absl::Status StartAdmin(const VariantTable& variants);
  // Its port; 0: there is none.
  int admin_port() const { return server_ == nullptr ? 0 : server_->port(); }
  // Under which addresses this node is told to others; before anyone can call.
  void SetAddresses(const v1::NodeAddresses& addresses);

  // What happens on this node, for whoever wants to know.
  EventBus& events() { return events_; }
  // Where clients reach the other edges, as far as they are known.
  std::vector<std::string> PeersPublicAddresses();

  // Timers: a few times a second.
  void Update();
  ControlState::Status status() const { return control_.status(); }
  // Calls under way are ended, those of others after `grace`. Idempotent.
  void Stop(std::chrono::milliseconds grace);

  void AddMetrics(metrics::Registry& registry, const EdgeFamilies& families,
                  std::vector<metrics::Handle>* handles);

 private:
  // ClusterListener, on the link thread.
  void OnIngest(const v1::IngestHello& hello) override;
  void OnIngestGone(std::string_view node_id) override;
  void OnMembership(std::string_view node_id, const v1::Membership& membership) override;
  void OnControl(std::string_view node_id, const v1::Control& control) override;

  std::vector<std::string> WriterAddresses() const;

  const EdgeOptions& options_;
  const Clock& clock_;
  EdgeWorkers& workers_;
  LinkRuntime& upstream_;
  Blocks& blocks_;
  Members members_;
  ControlState control_;
  NodeCalls peer_calls_;
  NodeCalls ingest_calls_;
  ControlWriter writer_;
  EventBus events_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<gateway::Gateway> gateway_;  // calls the server
};

}  // namespace spillway::edge
