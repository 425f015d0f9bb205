// Configuration files: whatever they hold, the answer is a configuration or an error with a place.

#include <map>
#include <optional>
#include <vector>

#include "common/config/environment.h"
#include "common/config/loader.h"
#include "fuzz/input.h"

namespace {

class OneFile final : public spillway::config::Environment {
 public:
  explicit OneFile(std::string text) : text_(std::move(text)) {}
  std::optional<std::string> Get(const std::string& name) const override {
    return name == "SET" ? std::optional<std::string>("value") : std::nullopt;
  }
  std::vector<std::string> Names() const override { return {"SET"}; }
  absl::StatusOr<std::string> ReadFile(const std::string& path) const override {
    if (path == "f.yaml") return text_;
    return absl::NotFoundError("No such file or directory");
  }
  std::vector<std::string> ListFolder(const std::string&) const override { return {}; }

 private:
  const std::string text_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const OneFile environment(std::string(reinterpret_cast<const char*>(data), size));
  spillway::config::Sources sources;
  sources.files = {"f.yaml"};
  const auto loaded = spillway::config::Load(sources, environment);
  if (!loaded.ok()) {
    spillway::fuzz::Require(loaded.status().message().find("f.yaml") != std::string::npos,
                            "an error names the file");
  }
  return 0;
}
