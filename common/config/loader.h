#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/environment.h"
#include "common/config/errors.h"
#include "spillway/v1/config_root.pb.h"

namespace spillway::config {

// Where a configuration comes from. Later ones win: presets, then files, then overrides.
struct Sources {
  std::vector<std::string> preset_folders;  // searched in order for NAME.yaml
  std::vector<std::string> presets;
  std::vector<std::string> files;
  std::vector<std::string>
      overrides;  // "key.path=value"; the value is YAML, list elements are key[0]
  // Sections that must be there: "ingest", "edge". What another section needs from the environment
  // or from files may be missing then; of all else it is checked.
  std::vector<std::string> sections;
};

struct Loaded {
  v1::Config config;    // complete: every absent key has its default
  Locations locations;  // for errors that are only found when the values are used
};

// Reads, merges (mappings key by key, all else replaced), interpolates, types and checks a
// configuration. InvalidArgument otherwise, with everything that is wrong, one line each:
// "file:line: key.path: what was expected and found".
absl::StatusOr<Loaded> Load(const Sources& sources, const Environment& environment);

// One warning for each set environment variable that matches `environment.ignored` of a section;
// stable order.
std::vector<std::string> ValidateEnvironment(const v1::Config& config,
                                             const Environment& environment);

}  // namespace spillway::config
