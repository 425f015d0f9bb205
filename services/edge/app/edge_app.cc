#include "services/edge/app/edge_app.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/app/metric_names.h"
#include "common/app/service_main.h"
#include "common/base/json_text.h"
#include "common/http/ops_routes.h"
#include "common/lifecycle/shutdown.h"
#include "common/log/log.h"
#include "services/edge/app/auth_options.h"
#include "services/edge/control/audit_sink.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

// What parts of the shutdown may take of the whole.
constexpr milliseconds kPublishingGrace{2'000};
constexpr milliseconds kAdminGrace{1'000};
constexpr milliseconds kOpsGrace{500};
constexpr milliseconds kHandOverGrace{500};
constexpr milliseconds kAuditGrace{2'000};

uint64_t Seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

absl::Status At(const char* key, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(key, ": ", status.message()));
}

}  // namespace

EdgeApp::EdgeApp(EdgeOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      readiness_(clock, {.report_degraded = options_.report_degraded, .info = Info()}),
      edge_readiness_(readiness_, options_.ready_grace),
      gate_(options_.max_connections) {}

absl::StatusOr<std::unique_ptr<EdgeApp>> EdgeApp::Start(const v1::EdgeConfig& config,
                                                        Clock& clock) {
  auto options = MakeEdgeOptions(config);
  if (!options.ok()) return options.status();
  auto app = std::unique_ptr<EdgeApp>(new EdgeApp(*std::move(options), clock));
  if (absl::Status status = app->Build(config); !status.ok()) return status;
  return app;
}

EdgeApp::~EdgeApp() { Stop(milliseconds(0)); }

absl::Status EdgeApp::Build(const v1::EdgeConfig& config) {
  auto endpoints = EndpointSet::Create(config, clock_);
  if (!endpoints.ok()) return endpoints.status();
  endpoints_ = *std::move(endpoints);
  for (const std::string& warning : endpoints_->warnings()) log::Warn(warning);

  if (options_.public_tls.enabled()) {
    auto tls = PublicTls::Load(options_.public_tls, options_.public_tls_options, clock_);
    if (!tls.ok()) return At("edge.tls", tls.status());
    tls_ = *std::move(tls);
  }
  auto audit = MakeAuditLog(config.audit(), options_.node_id, clock_);
  if (!audit.ok()) return audit.status();
  audit_ = *std::move(audit);
  pool_ = std::make_unique<net::IoPool>(options_.threads, options_.worker, clock_);
  workers_ = std::make_unique<EdgeWorkers>(*pool_, clock_);
  options_.link.token =
      std::make_shared<rpc::PresentedToken>(options_.link_token, options_.link_token_file, clock_);
  upstream_ = std::make_unique<LinkRuntime>(options_.link, endpoints_->variants(), *workers_,
                                            clock_, Seed());
  options_.hub.settings_of = [&policy = endpoints_->policy()](std::string_view channel) {
    return policy.SettingsOf(channel);
  };
  keyless_ = std::make_unique<KeylessWarning>(endpoints_->policy());
  options_.hub.on_keyless = [&keyless = *keyless_](std::string_view channel) {
    keyless.Tell(channel);
  };
  patterns_ = std::make_unique<PatternLimit>(options_.node_patterns);
  options_.hub.patterns = patterns_.get();
  workers_->Create(options_, endpoints_->variants(), *upstream_);
  options_.connection_limits.users.channel_rates = endpoints_->policy().rates();
  limits_ = std::make_unique<ConnectionLimits>(options_.connection_limits, clock_);
  cluster_ = std::make_unique<EdgeCluster>(options_, clock_, *workers_, *upstream_, *limits_, gate_,
                                           readiness_);
  publishing_ = std::make_unique<EdgePublishing>(options_, clock_, *workers_, *upstream_,
                                                 endpoints_->policy().lets_publish());
  if (config.audit().kafka()) audit_->AddOutput("kafka", cluster_->NewAuditOutput());
  AddAuditSink(cluster_->events(), *audit_);
  if (absl::Status status = cluster_->OpenDoors(); !status.ok()) return status;
  upstream_->SetCluster(cluster_.get());
  auto auth = MakeAuthService(config.auth_service(), clock_,
                              [this](size_t worker, std::function<void()> task) {
                                pool_->worker(worker).Post(std::move(task));
                              });
  if (!auth.ok()) return auth.status();
  auth_ = *std::move(auth);
  for (SessionContext* context : workers_->contexts()) context->auth = auth_.get();
  auto acceptor =
      EndpointAcceptor::Create(endpoints_->endpoints(), workers_->contexts(), gate_, limits_.get());
  if (!acceptor.ok()) return acceptor.status();
  acceptor_ = *std::move(acceptor);
  metrics_ = std::make_unique<EdgeMetrics>(registry_, families_, *pool_, *workers_, gate_,
                                           *upstream_, endpoints_->variants());
  metrics_->AddLimits(*limits_);
  metrics_->AddPatterns(*patterns_);
  metrics_->AddCluster(*cluster_);
  metrics_->AddPublishing(*publishing_);
  metrics_->AddAudit(*audit_);
  if (tls_ != nullptr) metrics_->AddTls(*tls_);
  metrics_->AddKeys(endpoints_->keys());
  if (auth_ != nullptr) metrics_->AddAuthChecks(auth_->checks());
  if (absl::Status status = registry_.SetAliases(app::MetricAliases(config.metrics()));
      !status.ok()) {
    return At("edge.metrics.names", status);
  }
  if (absl::Status status = registry_.status(); !status.ok()) return status;

  net::HttpRoutes routes;
  routes.Add("GET", "/health", http::HealthHandler(clock_, Info()));
  routes.Add("GET", "/ready", http::ReadyHandler(readiness_));
  auto port = pool_->Listen(options_.listen.ip, options_.listen.port, std::move(routes), *acceptor_,
                            tls_ == nullptr ? nullptr : &tls_->server());
  if (!port.ok()) return At("edge.listen", port.status());
  public_port_ = *port;
  if (absl::Status status = StartOps(); !status.ok()) return status;
  audit_->Start();
  endpoints_->keys().Start();
  if (auth_ != nullptr) auth_->Start();
  pool_->Start();
  workers_->StartTicks();
  // Its calls are answered by the workers: only once they run.
  if (absl::Status status = cluster_->StartAdmin(endpoints_->variants()); !status.ok()) {
    return status;
  }
  const v1::NodeAddresses addresses = AddressesOf(options_, public_port_, ops_port(), admin_port());
  cluster_->SetAddresses(addresses);
  upstream_->Start(addresses);
  return absl::OkStatus();
}

std::map<std::string, std::string> EdgeApp::Info() const {
  return {{"node", options_.node_id}, {"version", app::kVersion}};
}

absl::Status EdgeApp::StartOps() {
  if (!options_.has_ops) return absl::OkStatus();
  http::HttpServerOptions options;
  options.host = options_.ops_listen.ip;
  options.port = options_.ops_listen.port;
  http::Routes routes;
  http::AddOpsRoutes(&routes, clock_, readiness_, registry_, Info());
  cluster_->AddHttp(&routes, {{"/health", http::HealthHandler(clock_, Info())},
                              {"/ready", http::ReadyHandler(readiness_)}});
  auto server = http::HttpServer::Start(options, std::move(routes));
  if (!server.ok()) return At("edge.ops_listen", server.status());
  ops_ = *std::move(server);
  return absl::OkStatus();
}

void EdgeApp::Update() {
  cluster_->Update();
  publishing_->Update();
  // What is asked for later is told first: nobody is to find the node ready with the one, and
  // refused for want of the other.
  const auto upstream = upstream_->status();
  edge_readiness_.UpdateControl(cluster_->status());
  edge_readiness_.Update(upstream);
  edge_readiness_.UpdateAudit(audit_->status());
  edge_readiness_.UpdateKeys(endpoints_->keys().sources());
  if (tls_ != nullptr) tls_->Update();
}

void EdgeApp::HandOver(milliseconds left) {
  const milliseconds spread = std::min(options_.drain_spread, left / 2);
  if (spread.count() <= 0 || cluster_ == nullptr || gate_.count() == 0) return;
  const MonoTime ends = clock_.Now() + spread;
  cluster_->BeginHandOver({.spread = spread});
  // Steps of it come a little late under load; whoever is left is ended with the workers.
  while (!workers_->handed_over() && gate_.count() > 0 && clock_.Now() < ends + kHandOverGrace) {
    std::this_thread::sleep_for(milliseconds(5));
    const auto rest = std::chrono::duration_cast<milliseconds>(ends - clock_.Now());
    if (rest.count() > 0 && cluster_->PlaceGone()) cluster_->BeginHandOver({.spread = rest});
  }
}

bool EdgeApp::Stop(milliseconds grace) {
  if (std::exchange(stopped_, true)) return true;
  lifecycle::Shutdown shutdown(clock_);
  shutdown.Add("lead", [this](milliseconds left) {
    // Where an operator has begun with it, balancers have had a part of the lead, or all.
    const auto lead = cluster_ == nullptr ? std::nullopt : cluster_->drain().Stop();
    readiness_.Drain();
    if (upstream_ != nullptr) upstream_->SetDraining(true);
    std::this_thread::sleep_for(std::min({options_.drain_lead, left, lead.value_or(left)}));
  });
  shutdown.Add("accepting", [this](milliseconds) {
    gate_.Shut(true);
    if (pool_ != nullptr) pool_->StopAccepting();
  });
  // With everything at work: events go on until a client's turn has come.
  shutdown.Add("hand-over", [this](milliseconds left) { HandOver(left); });
  // While the workers run: they tell clients what became of it.
  shutdown.Add(
      "publishing",
      [this](milliseconds left) {
        if (publishing_ != nullptr) publishing_->Stop(left);
      },
      kPublishingGrace);
  // Likewise: they answer its calls.
  shutdown.Add(
      "admin",
      [this](milliseconds left) {
        if (cluster_ != nullptr) cluster_->Stop(left);
      },
      kAdminGrace);
  // Before the workers end: these post to them.
  shutdown.Add("auth service", [this](milliseconds) {
    if (auth_ != nullptr) auth_->Stop();
  });
  shutdown.Add("links", [this](milliseconds) {
    if (upstream_ != nullptr) upstream_->Stop();
  });
  shutdown.Add("clients", [this](milliseconds left) {
    if (pool_ != nullptr) pool_->Stop(left);
  });
  // What the clients' end caused is in it.
  shutdown.Add(
      "audit",
      [this](milliseconds left) {
        if (audit_ != nullptr) audit_->Stop(left);
      },
      kAuditGrace);
  shutdown.Add("keys", [this](milliseconds) {
    if (endpoints_ != nullptr) endpoints_->keys().Stop();
  });
  shutdown.Add(
      "operations",
      [this](milliseconds left) {
        if (ops_ != nullptr) ops_->Stop(left);
      },
      kOpsGrace);
  return shutdown.Run(grace);
}

std::string EdgeApp::ListeningLine() const {
  std::string line = "{\"event\":\"listening\",\"node\":";
  AppendJsonString(&line, options_.node_id);
  line += ",\"public\":";
  AppendJsonString(&line, app::HostPort(options_.listen.ip, public_port_));
  if (ops_ != nullptr) {
    line += ",\"ops\":";
    AppendJsonString(&line, app::HostPort(options_.ops_listen.ip, ops_port()));
  }
  if (admin_port() != 0) {
    line += ",\"admin\":";
    AppendJsonString(&line, app::WithPort(options_.admin_listen, admin_port()));
  }
  return line + "}";
}

}  // namespace spillway::edge
