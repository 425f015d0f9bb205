#include "services/edge/app/edge_cluster.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/app/service_main.h"
#include "common/rpc/authorizer.h"
#include "common/rpc/client.h"

namespace spillway::edge {

namespace {

constexpr std::string_view kAdminService = "spillway.v1.AdminService";

rpc::Authorizer AuthorizerOf(const EdgeOptions& options) {
  if (options.admin_token.empty()) return nullptr;
  return rpc::BearerAuthorizer(options.admin_token, {std::string(kAdminService)});
}

}  // namespace

EdgeCluster::EdgeCluster(const EdgeOptions& options, const Clock& clock, EdgeWorkers& workers,
                         LinkRuntime& upstream, ConnectionLimits& limits, ConnectionGate& gate)
    : options_(options),
      clock_(clock),
      workers_(workers),
      upstream_(upstream),
      blocks_(limits.blocks),
      members_({.node_id = options.node_id}, clock),
      control_(options.control, clock, limits.blocks, limits.ips, workers,
               [&gate](bool hold) { gate.Hold(hold); }),
      peer_calls_({.bearer_token = options.peer_token},
                  [tls = options.peer_tls](const std::string& address) {
                    rpc::ChannelOptions channel;
                    channel.tls = tls;
                    return rpc::CreateChannel(address, channel);
                  }),
      ingest_calls_(
          {.bearer_token = options.control_token},
          [&upstream](const std::string& address) { return upstream.NewChannel(address); }),
      writer_({}, clock, ingest_calls_, [this] { return WriterAddresses(); }),
      events_({.node_id = options.node_id}, clock) {
  for (SessionContext* context : workers.contexts()) {
    context->blocks = &limits.blocks;
    context->events = &events_;
  }
}

EdgeCluster::~EdgeCluster() { Stop(std::chrono::milliseconds(0)); }

absl::Status EdgeCluster::StartAdmin(const VariantTable& variants) {
  if (options_.admin_listen.empty()) return absl::OkStatus();
  admin_ = std::make_unique<AdminService>(
      AdminService::Options{.version = app::kVersion, .revocation_ttl = options_.revocation_ttl},
      AdminParts{.cluster = {.node_id = options_.node_id,
                             .timeout = options_.peer_timeout,
                             .members = &members_,
                             .calls = &peer_calls_},
                 .workers = workers_,
                 .variants = variants,
                 .upstream = [this] { return upstream_.status().upstream; },
                 .totals =
                     [this] {
                       AdminTotals totals;
                       for (size_t i = 0; i < workers_.count(); ++i) {
                         const SessionCounters& counted = workers_.session_counters(i);
                         totals.messages_sent += counted.messages_sent.Value();
                         totals.messages_received += counted.messages_received.Value();
                       }
                       return totals;
                     },
                 .clock = clock_,
                 .blocks = blocks_,
                 .control = control_,
                 .writer = writer_,
                 .events = events_});
  rpc::ServerOptions options;
  options.address = options_.admin_listen;
  options.services = {admin_->service()};
  options.tls = options_.admin_tls;
  options.authorize = AuthorizerOf(options_);
  auto server = rpc::Server::Start(options);
  if (!server.ok()) {
    return absl::Status(server.status().code(),
                        absl::StrCat("edge.admin.listen: ", server.status().message()));
  }
  server_ = *std::move(server);
  if (gateway_ != nullptr) gateway_->Open(server_->InProcess());
  return absl::OkStatus();
}

void EdgeCluster::AddHttp(http::Routes* routes) {
  if (!options_.admin_http || options_.admin_listen.empty()) return;
  gateway_ = std::make_unique<gateway::Gateway>(
      gateway::Gateway::Options{.title = "Spillway edge",
                                .version = app::kVersion,
                                .services = {std::string(kAdminService)},
                                .authorize = AuthorizerOf(options_)});
  gateway_->AddTo(routes);
}

void EdgeCluster::SetAddresses(const v1::NodeAddresses& addresses) {
  if (admin_ != nullptr) admin_->SetAddresses(addresses);
}

std::vector<std::string> EdgeCluster::WriterAddresses() const {
  const std::vector<std::string> writers = control_.Writers();
  std::vector<std::string> addresses;
  for (const IngestTargetStatus& ingest : upstream_.status().ingests) {
    if (ingest.up && std::find(writers.begin(), writers.end(), ingest.node_id) != writers.end()) {
      addresses.push_back(ingest.address);
    }
  }
  return addresses;
}

void EdgeCluster::OnIngest(const v1::IngestHello& hello) {
  control_.OnIngest(hello.node_id(), !hello.control_topic().empty());
}

void EdgeCluster::OnIngestGone(std::string_view node_id) {
  control_.OnIngestGone(node_id);
  members_.OnIngestGone(node_id);
}

void EdgeCluster::OnMembership(std::string_view node_id, const v1::Membership& membership) {
  members_.OnMembership(node_id, membership);
}

void EdgeCluster::OnControl(std::string_view node_id, const v1::Control& control) {
  control_.OnControl(node_id, control);
}

std::vector<std::string> EdgeCluster::PeersPublicAddresses() {
  std::vector<std::string> addresses;
  for (const v1::Node& node : members_.Peers()) {
    if (!node.addresses().public_address().empty()) {
      addresses.push_back(node.addresses().public_address());
    }
  }
  return addresses;
}

void EdgeCluster::Update() {
  control_.Update();
  std::vector<std::string> peers;
  for (const v1::Node& node : members_.Peers()) peers.push_back(node.addresses().grpc_address());
  peer_calls_.Forget(peers);
  std::vector<std::string> ingests;
  for (const IngestTargetStatus& ingest : upstream_.status().ingests) {
    ingests.push_back(ingest.address);
  }
  ingest_calls_.Forget(ingests);
}

void EdgeCluster::Stop(std::chrono::milliseconds grace) {
  // Calls of ours that wait for others are answered once these have ended.
  peer_calls_.Stop();
  ingest_calls_.Stop();
  if (gateway_ != nullptr) gateway_->Shutdown();
  if (server_ != nullptr) server_->Shutdown(grace);
}

void EdgeCluster::AddMetrics(metrics::Registry& registry, const EdgeFamilies& families,
                             std::vector<metrics::Handle>* handles) {
  handles->push_back(registry.AddCollector([this, &families](metrics::Sink& sink) {
    sink.Add(families.control_entries, {}, static_cast<double>(blocks_.size()));
    sink.Add(families.control_dropped, {}, static_cast<double>(blocks_.dropped().Value()));
    const ControlState::Phase phase = control_.status().phase;
    sink.Add(families.control_known, {}, phase == ControlState::Phase::kKnown ? 1 : 0);
    sink.Add(families.cluster_peers, {}, static_cast<double>(members_.Peers().size()));
    sink.Add(families.event_watchers, {}, static_cast<double>(events_.watchers()));
    sink.Add(families.events_dropped, {}, static_cast<double>(events_.dropped().Value()));
    sink.Add(families.cluster_left_out, {}, static_cast<double>(members_.left_out()));
  }));
}

}  // namespace spillway::edge
