#include "common/app/service_main.h"

#include <unistd.h>

#include <cstdio>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/app/metric_names.h"
#include "common/app/probe.h"
#include "common/base/strings.h"
#include "common/config/command_line.h"
#include "common/config/doc.h"
#include "common/config/environment.h"
#include "common/config/print.h"

namespace spillway::app {
namespace {

int Fail(const Service& service, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", service.name.c_str(), std::string(status.message()).c_str());
  return kExitUsage;
}

}  // namespace

int ServiceMain(int argc, char** argv, const Service& service,
                const std::function<int(const config::Loaded& loaded)>& run) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--probe") return Probe(arguments[1]);

  const config::Environment& environment = config::Environment::Real();
  absl::StatusOr<config::CommandLine> line = config::ParseCommandLine(arguments);
  if (!line.ok()) return Fail(service, line.status());
  using Action = config::CommandLine::Action;
  switch (line->action) {
    case Action::kHelp:
      std::fputs(config::CommandLineHelp(service.name).c_str(), stdout);
      std::puts("  --probe URL            HTTP GET; exit 0 if the answer is 2xx");
      return kExitOk;
    case Action::kVersion:
      std::printf("%s %s\n", service.name.c_str(), kVersion);
      return kExitOk;
    case Action::kPrintConfigDoc:
      std::fputs(config::ConfigDoc().c_str(), stdout);
      return kExitOk;
    case Action::kPrintMetrics:
      std::fputs(service.families.Table().c_str(), stdout);
      return kExitOk;
    default:
      break;
  }
  line->sources.sections = {service.section};
  if (line->sources.preset_folders.empty()) line->sources.preset_folders = {"config/presets"};
  absl::StatusOr<config::Loaded> loaded = config::Load(line->sources, environment);
  if (!loaded.ok()) return Fail(service, loaded.status());
  if (line->action == Action::kPrintConfig) {
    std::fputs(config::PrintConfig(loaded->config).c_str(), stdout);
    return kExitOk;
  }
  if (const absl::Status status =
          CheckMetricNames(service.metrics(loaded->config), service.families,
                           absl::StrCat(service.section, ".metrics.names"), loaded->locations);
      !status.ok()) {
    return Fail(service, status);
  }
  if (line->action == Action::kCheckConfig) {
    if (service.check) {
      if (const absl::Status status = service.check(*loaded); !status.ok()) {
        return Fail(service,
                    absl::InvalidArgumentError(loaded->locations.Locate(Std(status.message()))));
      }
    }
    std::puts("the configuration is good");
    return kExitOk;
  }
  log::Options logging;
  logging.service = service.name;
  log::Init(logging);  // `run` does it again, with what the configuration says
  for (const std::string& warning : config::ValidateEnvironment(loaded->config, environment)) {
    log::Warn(warning);
  }
  return run(*loaded);
}

std::string NodeId(const std::string& configured) {
  if (!configured.empty()) return configured;
  char host[256] = "node";
  gethostname(host, sizeof host - 1);
  std::random_device random;
  return absl::StrFormat("%s-%08x", host, random());
}

log::Level LogLevel(const v1::LogConfig& config) {
  switch (config.level()) {
    case v1::LOG_LEVEL_DEBUG:
      return log::Level::kDebug;
    case v1::LOG_LEVEL_WARN:
      return log::Level::kWarn;
    case v1::LOG_LEVEL_ERROR:
      return log::Level::kError;
    default:
      return log::Level::kInfo;
  }
}

std::string WithPort(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

}  // namespace spillway::app
