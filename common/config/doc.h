#pragma once

#include <string>

namespace spillway::config {

// docs/configuration.md: every key with its type, default, range and meaning, from the schema
// alone.
std::string ConfigDoc();

}  // namespace spillway::config
