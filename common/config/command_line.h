#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/loader.h"

namespace spillway::config {

// The command line that both services understand.
struct CommandLine {
  enum class Action {
    kRun,
    kCheckConfig,
    kPrintConfig,
    kPrintConfigDoc,
    kPrintMetrics,
    kHelp,
    kVersion
  };
  Action action = Action::kRun;
  Sources sources;
};

// Parses the arguments after the program's name: --config FILE, --preset NAME, --presets-folder
// FOLDER, --set key.path=value (each may repeat, also as --flag=value), --check-config,
// --print-config, --print-config-doc, --print-metrics, --help, --version. InvalidArgument with one
// line for the operator otherwise.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// What --help prints.
std::string CommandLineHelp(const std::string& program);

}  // namespace spillway::config
