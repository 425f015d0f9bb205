#include <cstdio>
#include <future>
#include <string>
#include <utility>

#include "common/app/listen_address.h"
#include "common/app/service_main.h"
#include "common/app/tls_files.h"
#include "common/base/strings.h"
#include "common/lifecycle/signals.h"
#include "common/log/log.h"
#include "services/ingest/app/ingest_app.h"
#include "services/ingest/app/ingest_doors.h"
#include "services/ingest/app/metric_families.h"

namespace {

using spillway::app::WithPort;

constexpr char kName[] = "spillway-ingest";

// The key that the message begins with gets its place in the configuration.
int Fail(const absl::Status& status, const spillway::config::Locations& locations = {}) {
  const std::string message = locations.Locate(spillway::Std(status.message()));
  std::fprintf(stderr, "%s: %s\n", kName, message.c_str());
  return absl::IsInvalidArgument(status) ? spillway::app::kExitUsage : spillway::app::kExitFailed;
}

absl::Status CheckAddresses(const spillway::v1::IngestConfig& config) {
  for (const auto& [key, address] : {std::pair("ingest.listen", &config.listen()),
                                     std::pair("ingest.ops_listen", &config.ops_listen())}) {
    if (address->empty()) continue;
    const auto listen = spillway::app::ListenAddressAt(key, *address);
    if (!listen.ok()) return listen.status();
  }
  return absl::OkStatus();
}

absl::Status CheckTls(const spillway::v1::IngestConfig& config) {
  if (!config.has_tls()) return absl::OkStatus();
  return spillway::app::TlsFilesOf("ingest.tls", config.tls()).status();
}

// Those who may call, and what they may do; reads the files that they have tokens in.
absl::Status CheckCallers(const spillway::v1::IngestConfig& config) {
  const auto grants = spillway::ingest::PublishGrants::Create(config.publish());
  if (!grants.ok()) return grants.status();
  return spillway::rpc::Access::Create(spillway::ingest::DoorsOf(config), spillway::Clock::Real())
      .status();
}

int Run(const spillway::config::Loaded& loaded) {
  const spillway::v1::IngestConfig& config = loaded.config.ingest();
  std::promise<int> stop;
  auto signals = spillway::lifecycle::Signals::Install([&](int signal) { stop.set_value(signal); });
  if (!signals.ok()) return Fail(signals.status());
  spillway::ingest::IngestApp app(spillway::Clock::Real());
  spillway::log::Options logging;
  logging.service = kName;
  logging.level = spillway::app::LogLevel(config.log());
  spillway::log::Init(logging);
  for (const auto check : {CheckAddresses, CheckTls, CheckCallers}) {
    if (const absl::Status status = check(config); !status.ok()) {
      return Fail(status, loaded.locations);
    }
  }
  if (const absl::Status status = app.Start(loaded); !status.ok()) {
    return Fail(status, loaded.locations);
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
  if (absl::Status status = CheckAddresses(loaded.config.ingest()); !status.ok()) return status;
  if (absl::Status status = CheckTls(loaded.config.ingest()); !status.ok()) return status;
  if (absl::Status status = CheckCallers(loaded.config.ingest()); !status.ok()) return status;
  return spillway::ingest::RouteTable::Compile(loaded.config.ingest(), loaded.locations,
                                               spillway::config::Environment::Real())
      .status();
}

const spillway::v1::MetricsConfig& Metrics(const spillway::v1::Config& config) {
  return config.ingest().metrics();
}

}  // namespace

int main(int argc, char** argv) {
  const spillway::ingest::IngestFamilies families;
  return spillway::app::ServiceMain(argc, argv, {kName, "ingest", families.all, Metrics, Check},
                                    Run);
}
