#include <cstdio>
#include <future>
#include <string>

#include "common/app/service_main.h"
#include "common/base/strings.h"
#include "common/lifecycle/signals.h"
#include "common/log/log.h"
#include "services/edge/app/app_endpoints.h"
#include "services/edge/app/app_options.h"
#include "services/edge/app/edge_app.h"
#include "services/edge/app/metric_families.h"
#include "services/edge/app/public_tls.h"

namespace {

constexpr char kName[] = "spillway-edge";

// The key that the message begins with gets its place in the configuration.
int Fail(const absl::Status& status, const spillway::config::Locations& locations = {}) {
  const std::string message = locations.Locate(spillway::Std(status.message()));
  std::fprintf(stderr, "%s: %s\n", kName, message.c_str());
  return absl::IsInvalidArgument(status) ? spillway::app::kExitUsage : spillway::app::kExitFailed;
}

int Run(const spillway::config::Loaded& loaded) {
  spillway::v1::EdgeConfig config = loaded.config.edge();
  config.set_node_id(spillway::app::NodeId(config.node_id()));
  spillway::log::Options logging;
  logging.service = kName;
  logging.node = config.node_id();
  logging.level = spillway::app::LogLevel(config.log());
  spillway::log::Init(logging);

  std::promise<int> stop;
  // Before any other thread: all of them leave signals to it.
  auto signals = spillway::lifecycle::Signals::Install([&](int signal) { stop.set_value(signal); });
  if (!signals.ok()) return Fail(signals.status());
  auto app = spillway::edge::EdgeApp::Start(config, spillway::Clock::Real());
  if (!app.ok()) return Fail(app.status(), loaded.locations);
  std::printf("%s\n", (*app)->ListeningLine().c_str());
  std::fflush(stdout);

  std::future<int> stopped = stop.get_future();
  do {
    (*app)->Update();
  } while (stopped.wait_for(spillway::edge::EdgeApp::kUpdateInterval) != std::future_status::ready);
  spillway::log::Info("stopping", {{"signal", stopped.get()}});
  const bool in_time = (*app)->Stop((*app)->shutdown_grace());
  spillway::log::Flush();
  return in_time ? spillway::app::kExitOk : spillway::app::kExitFailed;
}

absl::Status Check(const spillway::config::Loaded& loaded) {
  const auto options = spillway::edge::MakeEdgeOptions(loaded.config.edge());
  if (!options.ok()) return options.status();
  if (options->public_tls.enabled()) {
    const auto tls = spillway::edge::PublicTls::Load(
        options->public_tls, options->public_tls_options, spillway::Clock::Real());
    if (!tls.ok()) {
      return absl::InvalidArgumentError("edge.tls: " + std::string(tls.status().message()));
    }
  }
  return spillway::edge::EndpointSet::Create(loaded.config.edge(), spillway::Clock::Real())
      .status();
}

const spillway::v1::MetricsConfig& Metrics(const spillway::v1::Config& config) {
  return config.edge().metrics();
}

}  // namespace

int main(int argc, char** argv) {
  const spillway::edge::EdgeFamilies families;
  return spillway::app::ServiceMain(argc, argv, {kName, "edge", families.all, Metrics, Check}, Run);
}
