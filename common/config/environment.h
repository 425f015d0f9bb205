#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::config {

// The outside world as the loader sees it: environment variables and files. Injected, so that a
// test needs neither. Implementations are used from one thread, while a configuration is loaded.
class Environment {
 public:
  virtual ~Environment() = default;
  // The variable's value; nullopt when it is not set (an empty value is a value).
  virtual std::optional<std::string> Get(const std::string& name) const = 0;
  // The names of all variables, in any order.
  virtual std::vector<std::string> Names() const = 0;
  // A whole file; NotFound or another error with the system's reason.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) const = 0;
  // The regular files of a folder, by name; empty if it cannot be read.
  virtual std::vector<std::string> ListFolder(const std::string& path) const = 0;

  // The process's own.
  static const Environment& Real();
};

}  // namespace spillway::config
