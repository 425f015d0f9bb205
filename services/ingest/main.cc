#include <cstdio>
#include <future>
#include <string>

#include "common/app/service_main.h"
#include "common/base/json_text.h"
#include "common/lifecycle/signals.h"
#include "common/log/log.h"
#include "services/ingest/app/ingest_app.h"
#include "services/ingest/app/metric_families.h"

namespace {

using spillway::app::WithPort;

int Run(const spillway::config::Loaded& loaded) {
  const spillway::v1::IngestConfig& config = loaded.config.ingest();
  std::promise<int> stop;
  auto signals = spillway::lifecycle::Signals::Install([&](int signal) { stop.set_value(signal); });
  if (!signals.ok()) {
    std::fprintf(stderr, "spillway-ingest: %s\n", std::string(signals.status().message()).c_str());
    return spillway::app::kExitFailed;
  }
  spillway::ingest::IngestApp app(spillway::Clock::Real());
  spillway::log::Options logging;
  logging.service = "spillway-ingest";
  logging.level = spillway::app::LogLevel(config.log());
  spillway::log::Init(logging);
  if (const absl::Status status = app.Start(loaded); !status.ok()) {
    std::fprintf(stderr, "spillway-ingest: %s\n", std::string(status.message()).c_str());
    return absl::IsInvalidArgument(status) ? spillway::app::kExitUsage : spillway::app::kExitFailed;
  }
  // For scripts that let the system choose ports.
  std::printf(
      "{\"event\":\"listening\",\"node\":\"%s\",\"grpc\":\"%s\",\"ops\":\"%s\",\"kafka\":\"%s\"}\n",
      app.node_id().c_str(), WithPort(config.listen(), app.grpc_port()).c_str(),
      WithPort(config.ops_listen(), app.ops_port()).c_str(), app.bootstrap().c_str());
  std::fflush(stdout);
  const int signal = stop.get_future().get();
  spillway::log::Info("stopping", {{"signal", signal}});
  app.Stop(std::chrono::milliseconds(config.shutdown_grace()));
  spillway::log::Flush();
  return spillway::app::kExitOk;
}

absl::Status Check(const spillway::config::Loaded& loaded) {
  return spillway::ingest::RouteTable::Compile(loaded.config.ingest(), loaded.locations,
                                               spillway::config::Environment::Real())
      .status();
}

}  // namespace

int main(int argc, char** argv) {
  const spillway::ingest::IngestFamilies families;
  const spillway::app::Service service = {
      .name = "spillway-ingest", .section = "ingest", .families = families.all, .metrics = [
      ](const auto& config) -> auto& {return config.ingest().metrics();
}
, .check = Check,
}
;
return spillway::app::ServiceMain(argc, argv, service, Run);
}
