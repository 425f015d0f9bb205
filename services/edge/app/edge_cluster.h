#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/audit/output.h"
#include "common/base/clock.h"
#include "common/gateway/gateway.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "services/edge/app/app_options.h"
#include "services/edge/app/edge_workers.h"
#include "services/edge/app/metric_families.h"
#include "services/edge/control/admin_refusals.h"
#include "services/edge/control/admin_service.h"
#include "services/edge/control/control_state.h"
#include "services/edge/control/control_writer.h"
#include "services/edge/control/members.h"
#include "services/edge/control/node_calls.h"
#include "services/edge/session/affinity.h"
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
              LinkRuntime& upstream, ConnectionLimits& limits, ConnectionGate& gate,
              lifecycle::Readiness& readiness);
  ~EdgeCluster() override;  // Stop(0)

  // Learns who may call the admin API; before the functions below. InvalidArgument names the key
  // that is wrong.
  absl::Status OpenDoors();
  // Adds the admin API as HTTP/JSON, if it is to be served so: it answers once StartAdmin has.
  // `pages`: what aliases may stand for beside calls, by path.
  void AddHttp(http::Routes* routes, std::map<std::string, http::Handler> pages);
  // Serves the admin API, if there is to be one. After the workers have begun.
  absl::Status StartAdmin(const VariantTable& variants);
  // Its port; 0: there is none.
  int admin_port() const { return server_ == nullptr ? 0 : server_->port(); }
  // Under which addresses this node is told to others; before anyone can call.
  void SetAddresses(const v1::NodeAddresses& addresses);

  // What happens on this node, for whoever wants to know.
  EventBus& events() { return events_; }
  // Takes the audit log's lines to Kafka, by an ingest. This outlives it.
  std::unique_ptr<audit::Output> NewAuditOutput();
  // Letting clients go by call.
  NodeDrain& drain() { return drain_; }
  // Lets clients go, each told where to: to the other edges that take clients, as far as they are
  // known. Under way it begins anew. For drain() until that is stopped, then for the owner.
  void BeginHandOver(HandOver::Plan plan);
  // Whether one of those that clients were told takes nobody any more. As BeginHandOver.
  bool PlaceGone();

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

  // Who takes clients, as it is now. Any thread.
  void UpdateAffinity();
  std::vector<std::string> WriterAddresses() const;
  NodeDrain::Parts DrainParts(ConnectionGate& gate, lifecycle::Readiness& readiness);

  const EdgeOptions& options_;
  const Clock& clock_;
  EdgeWorkers& workers_;
  LinkRuntime& upstream_;
  Blocks& blocks_;
  Members members_;
  ControlState control_;
  NodeCalls peer_calls_;
  NodeCalls ingest_calls_;
  NodeCalls audit_calls_;  // of ingests, until the last line
  ControlWriter writer_;
  rpc::TlsFilesWatch peer_tls_;
  rpc::TlsFilesWatch ingest_tls_;
  EventBus events_;
  AdminRefusals refusals_;
  const Cluster cluster_;
  ClusterWatches watches_;
  NodeDrain drain_;
  std::vector<std::string> told_places_;  // where clients were told to go at the last hand-over
  AffinityTable affinity_;
  Mutex addresses_mutex_;
  std::string public_address_ SPILLWAY_GUARDED_BY(addresses_mutex_);
  std::shared_ptr<rpc::Access> access_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<rpc::Server> server_;
  std::atomic<const rpc::Server*> serving_{nullptr};  // it, for whoever reads the metrics
  std::unique_ptr<gateway::Gateway> gateway_;         // calls the server
};

}  // namespace spillway::edge
