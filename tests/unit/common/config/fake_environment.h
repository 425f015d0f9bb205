#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config/environment.h"

namespace spillway::config {

// Variables and files held in memory.
class FakeEnvironment final : public Environment {
 public:
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;

  std::optional<std::string> Get(const std::string& name) const override {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional<std::string>(it->second);
  }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, value] : variables) names.push_back(name);
    return names;
  }
  absl::StatusOr<std::string> ReadFile(const std::string& path) const override {
    const auto it = files.find(path);
    if (it == files.end()) return absl::NotFoundError("No such file or directory");
    return it->second;
  }
  std::vector<std::string> ListFolder(const std::string& path) const override {
    std::vector<std::string> names;
    for (const auto& [name, text] : files) {
      if (name.rfind(path + "/", 0) == 0) names.push_back(name.substr(path.size() + 1));
    }
    return names;
  }
};

}  // namespace spillway::config
