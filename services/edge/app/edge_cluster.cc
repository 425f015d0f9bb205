#include "services/edge/app/edge_cluster.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/app/service_main.h"
#include "common/rpc/client.h"
#include "services/edge/control/ingest_output.h"

namespace spillway::edge {
namespace {

// What is presented to ingests for having them write blocks and audit lines.
std::shared_ptr<const rpc::PresentedToken> WritersToken(const EdgeOptions& options,
                                                        const Clock& clock) {
  if (options.control_token.empty()) return options.link.token;
  return std::make_shared<rpc::PresentedToken>(options.control_token, "", clock);
}

}  // namespace

EdgeCluster::EdgeCluster(const EdgeOptions& options, const Clock& clock, EdgeWorkers& workers,
                         LinkRuntime& upstream, ConnectionLimits& limits, ConnectionGate& gate,
                         lifecycle::Readiness& readiness)
    : options_(options),
      clock_(clock),
      workers_(workers),
      upstream_(upstream),
      blocks_(limits.blocks),
      members_({.node_id = options.node_id}, clock),
      control_(options.control, clock, limits.blocks, limits.ips, workers,
               [&gate](bool hold) { gate.Hold(hold); }),
      peer_calls_({.token = std::make_shared<rpc::PresentedToken>(options.peer_token,
                                                                  options.peer_token_file, clock)},
                  [tls = options.peer_tls](const std::string& address) {
                    rpc::ChannelOptions channel;
                    channel.tls = tls;
                    return rpc::CreateChannel(address, channel);
                  }),
      ingest_calls_(
          {.token = WritersToken(options, clock)},
          [&upstream](const std::string& address) { return upstream.NewChannel(address); }),
      audit_calls_(
          {.token = WritersToken(options, clock)},
          [&upstream](const std::string& address) { return upstream.NewChannel(address); }),
      writer_({}, clock, ingest_calls_, [this] { return WriterAddresses(); }),
      peer_tls_(options.peer_tls, clock),
      ingest_tls_(options.link.tls, clock),
      events_({.node_id = options.node_id}, clock),
      refusals_(events_, clock),
      cluster_{.node_id = options.node_id,
               .timeout = options.peer_timeout,
               .members = &members_,
               .calls = &peer_calls_},
      watches_({}, cluster_, clock),
      drain_(DrainParts(gate, readiness), clock),
      affinity_(options.node_id) {
  for (SessionContext* context : workers.contexts()) {
    context->blocks = &limits.blocks;
    context->events = &events_;
    context->affinity = &affinity_;
  }
}

absl::Status EdgeCluster::OpenDoors() {
  auto access = rpc::Access::Create({options_.admin_door}, clock_);
  if (!access.ok()) return access.status();
  access_ = *std::move(access);
  access_->SetOnRefused(
      [this](const rpc::Access::Refusal& refusal) { refusals_.OnRefused(refusal); });
  return absl::OkStatus();
}

NodeDrain::Parts EdgeCluster::DrainParts(ConnectionGate& gate, lifecycle::Readiness& readiness) {
  return {.tell =
              [this, &readiness](bool draining) {
                readiness.Drain(draining);
                upstream_.SetDraining(draining);
              },
          .shut = [&gate](bool shut) { gate.Shut(shut); },
          .hand_over =
              [this](std::chrono::milliseconds spread) {
                BeginHandOver({.spread = spread, .reason = "this node is being drained"});
              },
          .take_back = [this] { workers_.CancelHandOver(); },
          .place_gone = [this] { return PlaceGone(); },
          .handed_over = [this] { return workers_.handed_over(); }};
}

void EdgeCluster::BeginHandOver(HandOver::Plan plan) {
  plan.addresses = members_.PublicAddresses();
  told_places_ = plan.addresses;
  workers_.BeginHandOver(plan);
}

bool EdgeCluster::PlaceGone() {
  const std::vector<std::string> now = members_.PublicAddresses();
  return std::any_of(told_places_.begin(), told_places_.end(), [&now](const std::string& place) {
    return std::find(now.begin(), now.end(), place) == now.end();
  });
}

EdgeCluster::~EdgeCluster() { Stop(std::chrono::milliseconds(0)); }

absl::Status EdgeCluster::StartAdmin(const VariantTable& variants) {
  if (options_.admin_listen.empty()) return absl::OkStatus();
  Cluster cluster = cluster_;
  cluster.access = access_.get();
  admin_ = std::make_unique<AdminService>(
      AdminService::Options{.version = app::kVersion, .revocation_ttl = options_.revocation_ttl},
      AdminParts{.cluster = cluster,
                 .workers = workers_,
                 .variants = variants,
                 .history =
                     [this](HistoryAsk ask, HistoryDone done) {
                       upstream_.ReadHistory(std::move(ask), std::move(done));
                     },
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
                 .events = events_,
                 .watches = watches_,
                 .drain = drain_,
                 .drain_times = {.lead = options_.drain_lead, .spread = options_.drain_spread}});
  rpc::ServerOptions options;
  options.address = options_.admin_listen;
  options.services = {admin_->service()};
  options.tls = options_.admin_tls;
  options.clock = &clock_;
  options.access = access_;
  auto server = rpc::Server::Start(options);
  if (!server.ok()) {
    return absl::Status(server.status().code(),
                        absl::StrCat("edge.admin.listen: ", server.status().message()));
  }
  server_ = *std::move(server);
  serving_ = server_.get();
  if (gateway_ != nullptr) gateway_->Open(server_->InProcess());
  return absl::OkStatus();
}

void EdgeCluster::AddHttp(http::Routes* routes, std::map<std::string, http::Handler> pages) {
  if (!options_.admin_http || options_.admin_listen.empty()) return;
  gateway_ = std::make_unique<gateway::Gateway>(
      gateway::Gateway::Options{.title = "Spillway edge",
                                .version = app::kVersion,
                                .services = {kAdminService},
                                .access = access_,
                                .aliases = options_.admin_aliases,
                                .pages = std::move(pages)});
  gateway_->AddTo(routes);
}

void EdgeCluster::SetAddresses(const v1::NodeAddresses& addresses) {
  {
    MutexLock lock(addresses_mutex_);
    public_address_ = addresses.public_address();
  }
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

std::unique_ptr<audit::Output> EdgeCluster::NewAuditOutput() {
  return std::make_unique<IngestOutput>(
      IngestOutput::Options{.node_id = options_.node_id}, audit_calls_, [this] {
        std::vector<std::string> addresses;
        for (const IngestTargetStatus& ingest : upstream_.status().ingests) {
          if (ingest.up) addresses.push_back(ingest.address);
        }
        return addresses;
      });
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
  UpdateAffinity();
}

void EdgeCluster::UpdateAffinity() {
  std::vector<AffinityNode> nodes;
  if (drain_.status().stage == v1::DRAIN_STAGE_SERVING) {
    MutexLock lock(addresses_mutex_);
    nodes.push_back({options_.node_id, public_address_});
  }
  for (const v1::Node& node : members_.Serving()) {
    nodes.push_back({node.node_id(), node.addresses().public_address()});
  }
  affinity_.SetNodes(std::move(nodes));
}

void EdgeCluster::OnControl(std::string_view node_id, const v1::Control& control) {
  control_.OnControl(node_id, control);
}

void EdgeCluster::Update() {
  control_.Update();
  drain_.Update();
  UpdateAffinity();
  watches_.Update();
  std::vector<std::string> peers;
  for (const v1::Node& node : members_.Peers()) peers.push_back(node.addresses().grpc_address());
  // A channel keeps the certificates that it was made with: new ones need others.
  if (peer_tls_.Changed()) {
    peer_calls_.Forget({});
    peer_tls_.Took();
  }
  if (ingest_tls_.Changed()) {
    ingest_calls_.Forget({});
    audit_calls_.Forget({});
    ingest_tls_.Took();
  }
  peer_calls_.Forget(peers);
  std::vector<std::string> ingests;
  for (const IngestTargetStatus& ingest : upstream_.status().ingests) {
    ingests.push_back(ingest.address);
  }
  ingest_calls_.Forget(ingests);
  audit_calls_.Forget(ingests);
}

void EdgeCluster::Stop(std::chrono::milliseconds grace) {
  // Calls of ours that wait for others are answered once these have ended.
  watches_.Stop();
  peer_calls_.Stop();
  ingest_calls_.Stop();
  upstream_.EndHistories();
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
    sink.Add(families.drain_stage, {}, static_cast<double>(drain_.status().stage - 1));
    sink.Add(families.cluster_peers, {}, static_cast<double>(members_.Peers().size()));
    sink.Add(families.event_watchers, {}, static_cast<double>(events_.watchers()));
    sink.Add(families.events_dropped, {},
             static_cast<double>(events_.dropped().Value() + watches_.dropped()));
    access_->AddMetrics(families.calls_refused, families.token_file_failures, sink);
    if (const rpc::Server* server = serving_.load(); server != nullptr) {
      sink.Add(families.admin_tls_reload_failures, {},
               static_cast<double>(server->tls_reload_failures()));
    }
    sink.Add(families.cluster_left_out, {}, static_cast<double>(members_.left_out()));
  }));
}

}  // namespace spillway::edge
