#pragma once

#include <string>

#include "spillway/v1/config_root.pb.h"

namespace spillway::config {

// The whole configuration with defaults, as YAML that the loader reads back, secrets as "***".
std::string PrintConfig(const v1::Config& config);

}  // namespace spillway::config
