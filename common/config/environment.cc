#include "common/config/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::config {
namespace {

class RealEnvironment final : public Environment {
 public:
  std::optional<std::string> Get(const std::string& name) const override {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  }

  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view variable = *entry;
      const size_t end = variable.find('=');
      if (end != std::string_view::npos) names.emplace_back(variable.substr(0, end));
    }
    return names;
  }

  absl::StatusOr<std::string> ReadFile(const std::string& path) const override {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
      return absl::InvalidArgumentError("it is a folder");
    }
    errno = 0;
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
      return absl::NotFoundError(std::generic_category().message(errno != 0 ? errno : ENOENT));
    }
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (stream.bad()) return absl::UnavailableError("reading failed");
    return text;
  }

  std::vector<std::string> ListFolder(const std::string& path) const override {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
         it.increment(error)) {
      if (it->is_regular_file(error)) names.push_back(it->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace

const Environment& Environment::Real() {
  static const RealEnvironment environment;
  return environment;
}

}  // namespace spillway::config
