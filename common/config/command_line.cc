#include "common/config/command_line.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/config/scalars.h"

namespace spillway::config {
namespace {

struct ListFlag {
  const char* name;
  std::vector<std::string> Sources::*target;
};
constexpr ListFlag kListFlags[] = {{"--config", &Sources::files},
                                   {"--preset", &Sources::presets},
                                   {"--presets-folder", &Sources::preset_folders},
                                   {"--set", &Sources::overrides}};

struct ActionFlag {
  const char* name;
  CommandLine::Action action;
};
constexpr ActionFlag kActionFlags[] = {{"--check-config", CommandLine::Action::kCheckConfig},
                                       {"--print-config", CommandLine::Action::kPrintConfig},
                                       {"--print-config-doc", CommandLine::Action::kPrintConfigDoc},
                                       {"--print-metrics", CommandLine::Action::kPrintMetrics},
                                       {"--help", CommandLine::Action::kHelp},
                                       {"--version", CommandLine::Action::kVersion}};

absl::Status UnknownArgument(const std::string& argument) {
  std::vector<std::string> names;
  for (const ListFlag& flag : kListFlags) names.emplace_back(flag.name);
  for (const ActionFlag& flag : kActionFlags) names.emplace_back(flag.name);
  const std::string nearest = NearestName(argument.substr(0, argument.find('=')), names);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown argument \"", argument, "\"; ",
                   nearest.empty() ? "see --help" : absl::StrCat("did you mean ", nearest, "?")));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    bool known = false;
    for (const ActionFlag& flag : kActionFlags) {
      if (argument != flag.name) continue;
      line.action = flag.action;
      known = true;
    }
    for (const ListFlag& flag : kListFlags) {
      if (known) break;
      std::string_view value = argument;
      if (argument == flag.name) {
        if (++i == arguments.size()) {
          return absl::InvalidArgumentError(absl::StrCat(flag.name, " needs a value"));
        }
        value = arguments[i];
      } else if (argument.starts_with(absl::StrCat(flag.name, "="))) {
        value.remove_prefix(std::strlen(flag.name) + 1);
      } else {
        continue;
      }
      (line.sources.*flag.target).emplace_back(value);
      known = true;
    }
    if (!known) return UnknownArgument(argument);
  }
  return line;
}

std::string CommandLineHelp(const std::string& program) {
  return absl::StrCat("usage: ", program,
                      R"( [--preset NAME]... [--config FILE]... [--set KEY.PATH=VALUE]...

  --config FILE            read a YAML file; may be given several times, later ones win
  --preset NAME            read NAME.yaml of the presets folder, before the files
  --presets-folder FOLDER  where presets are looked for (default: config/presets)
  --set KEY.PATH=VALUE     set one key, after the files; VALUE is YAML
  --check-config           check the configuration and exit
  --print-config           print the configuration in force, secrets masked, and exit
  --print-config-doc       print the documentation of all keys, as Markdown, and exit
  --print-metrics          print all metrics, as Markdown, and exit
  --version                print the version and exit
)");
}

}  // namespace spillway::config
