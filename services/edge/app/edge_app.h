#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/audit/audit_log.h"
#include "common/base/clock.h"
#include "common/http/http_server.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"
#include "services/edge/app/app_endpoints.h"
#include "services/edge/app/app_metrics.h"
#include "services/edge/app/app_options.h"
#include "services/edge/app/app_readiness.h"
#include "services/edge/app/edge_audit.h"
#include "services/edge/app/edge_cluster.h"
#include "services/edge/app/edge_publishing.h"
#include "services/edge/app/edge_workers.h"
#include "services/edge/app/keyless_warning.h"
#include "services/edge/app/metric_families.h"
#include "services/edge/app/public_tls.h"
#include "services/edge/auth/http_auth_service.h"
#include "services/edge/net/io_pool.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint_acceptor.h"
#include "services/edge/upstream/link_runtime.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

// The composition root: makes everything an edge is made of, in the order in which it depends on
// each other (members below), and takes it down in the opposite one. For main's thread.
class EdgeApp {
 public:
  // How often Update() is to be called.
  static constexpr std::chrono::milliseconds kUpdateInterval{200};

  // Binds everything and serves. InvalidArgument for what is wrong with the configuration,
  // Unavailable for an address that cannot be had. Ingests being away is no error: the edge starts,
  // is not ready, and goes on trying.
  static absl::StatusOr<std::unique_ptr<EdgeApp>> Start(const v1::EdgeConfig& config, Clock& clock);
  ~EdgeApp();  // Stop(0)

  // Brings readiness up to date, and the certificate.
  void Update();
  // Not ready any more, accepts nobody, ends clients with 1001 after what is queued for them, then
  // the links and the servers. False if that took longer than `grace`. Idempotent.
  bool Stop(std::chrono::milliseconds grace);

  const std::string& node_id() const { return options_.node_id; }
  int public_port() const { return public_port_; }
  int ops_port() const { return ops_ == nullptr ? 0 : ops_->port(); }
  int admin_port() const { return cluster_ == nullptr ? 0 : cluster_->admin_port(); }
  std::chrono::milliseconds shutdown_grace() const { return options_.shutdown_grace; }
  // {"event":"listening",...}: where it listens, for scripts that let the system choose ports.
  std::string ListeningLine() const;

  // For tests.
  const LinkRuntime& upstream() const { return *upstream_; }

 private:
  EdgeApp(EdgeOptions options, Clock& clock);

  absl::Status Build(const v1::EdgeConfig& config);
  std::map<std::string, std::string> Info() const;
  absl::Status StartOps();
  void HandOver(std::chrono::milliseconds left);

  EdgeOptions options_;
  Clock& clock_;
  int public_port_ = 0;
  bool stopped_ = false;
  const EdgeFamilies families_;
  metrics::Registry registry_{families_.all};
  lifecycle::Readiness readiness_;
  EdgeReadiness edge_readiness_;
  std::unique_ptr<audit::AuditLog> audit_;  // takes the events of all below
  std::unique_ptr<EndpointSet> endpoints_;
  ConnectionGate gate_;
  std::unique_ptr<ConnectionLimits> limits_;
  std::unique_ptr<PublicTls> tls_;  // null: clients are served without
  std::unique_ptr<KeylessWarning> keyless_;
  std::unique_ptr<PatternLimit> patterns_;
  std::unique_ptr<HttpAuthService>
      auth_;                           // null: nobody is asked; posts to the pool until its Stop()
  std::unique_ptr<net::IoPool> pool_;  // its threads end in Stop(), before all below
  std::unique_ptr<EdgeWorkers> workers_;   // timers in the pool's wheels
  std::unique_ptr<LinkRuntime> upstream_;  // posts to the workers until its Stop()
  std::unique_ptr<EdgePublishing> publishing_;
  std::unique_ptr<EndpointAcceptor> acceptor_;
  std::unique_ptr<EdgeCluster> cluster_;
  std::unique_ptr<EdgeMetrics> metrics_;
  std::unique_ptr<http::HttpServer> ops_;  // scrapes the metrics
};

}  // namespace spillway::edge
