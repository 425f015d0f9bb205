#pragma once

#include <functional>
#include <string>

#include "common/config/loader.h"
#include "common/log/log.h"
#include "common/metrics/families.h"

namespace spillway::app {

// What a service is called and reads.
struct Service {
  std::string name;                   // "spillway-edge"
  std::string section;                // of the configuration: "edge"
  const metrics::Families& families;  // all that it exports
  // Where the configuration names some of them once more.
  const v1::MetricsConfig& (*metrics)(const v1::Config& config);
  // What --check-config checks beyond the schema: all that the service compiles from the
  // configuration.
  std::function<absl::Status(const config::Loaded& loaded)> check = {};
};

// Exit codes that scripts can rely on.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed =
    1;  // could not start, or stopped badly: the reason is on standard error
inline constexpr int kExitUsage = 2;  // command line or configuration

// What both services do before they are themselves: the command line (--help says it), printing and
// checking the configuration, --probe URL (an HTTP GET for container health checks: exit 0 if it
// answers 2xx), listing the metrics, warnings about ignored environment variables. Calls `run` with
// a complete configuration otherwise; the process ends with what it returns. For main() only.
int ServiceMain(int argc, char** argv, const Service& service,
                const std::function<int(const config::Loaded& loaded)>& run);

// `configured`, or else the host's name with a random tail: unique for each process.
std::string NodeId(const std::string& configured);

// "host:port" of where a server listens, with the port that it really got.
std::string WithPort(const std::string& listen, int port);

// The level that the configuration asks for.
log::Level LogLevel(const v1::LogConfig& config);

inline constexpr char kVersion[] = "0.1.0";

}  // namespace spillway::app
