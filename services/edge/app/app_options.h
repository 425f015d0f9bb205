#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/app/listen_address.h"
#include "common/gateway/alias.h"
#include "common/rpc/access.h"
#include "common/rpc/tls.h"
#include "services/edge/control/control_state.h"
#include "services/edge/control/publish_client.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/net/worker_options.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/publish_desk.h"
#include "services/edge/session/session_context.h"
#include "services/edge/upstream/link_runtime.h"
#include "services/edge/ws/tls_server.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

// The configuration in the modules' own terms (endpoints apart, see EndpointSet).
struct EdgeOptions {
  std::string node_id;
  size_t threads = 1;
  app::ListenAddress listen;
  // No certificate: the public listener is plain.
  rpc::TlsFiles public_tls;
  ws::TlsServer::Options public_tls_options;
  bool has_ops = false;
  app::ListenAddress ops_listen;
  std::string advertised_address;         // of the admin server; empty: the host's
  std::string advertised_public_address;  // where clients reach it; empty: the host's
  std::string admin_listen;               // empty: no admin server
  std::chrono::milliseconds drain_lead{0};
  std::chrono::milliseconds drain_spread{0};
  rpc::Access::Door admin_door;
  bool admin_http = false;                    // on the operations port, too
  std::vector<gateway::Alias> admin_aliases;  // of it
  rpc::TlsFiles admin_tls;
  net::WorkerOptions worker;
  HubShard::Options hub;  // of every worker but for its index
  SessionLimits limits;
  int64_t max_connections = 0;
  size_t node_patterns = 1000;  // different ones that clients are subscribed to
  // But for the rates of channels, which EndpointSet knows.
  ConnectionLimits::Options connection_limits;
  LinkRuntime::Options link;
  ControlState::Options control;
  std::chrono::milliseconds revocation_ttl{0};
  std::string link_token;  // presented to ingests
  std::string link_token_file;
  std::string control_token;  // presented to ingests for writing blocks; empty: link_token
  std::chrono::milliseconds peer_timeout{0};
  std::string peer_token;  // presented to other edges
  std::string peer_token_file;
  rpc::TlsFiles peer_tls;
  // What clients publish.
  PublishDesk::Options publish_desk;
  PublishClient::Options publish_client;
  size_t publishes_in_flight = 4096;
  size_t publish_bytes = size_t{64} << 20;
  std::string publish_token;  // presented to ingests for it; both empty: link_token
  std::string publish_token_file;
  std::chrono::milliseconds shutdown_grace{0};
  std::chrono::milliseconds ready_grace{0};
  bool report_degraded = true;
};

// InvalidArgument names the key that is wrong.
absl::StatusOr<EdgeOptions> MakeEdgeOptions(const v1::EdgeConfig& config);

// Under which addresses others reach this node. Port 0: there is no such server.
v1::NodeAddresses AddressesOf(const EdgeOptions& options, int public_port, int ops_port,
                              int admin_port);

}  // namespace spillway::edge
