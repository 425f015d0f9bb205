#include "common/config/errors.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace spillway::config {

std::string Location::ToString() const {
  if (source.empty()) return "configuration";
  return line > 0 ? absl::StrCat(source, ":", line) : source;
}

void Locations::Set(std::string path, Location location) {
  places_.insert_or_assign(std::move(path), std::move(location));
}

std::string Locations::Describe(std::string_view path) const {
  for (std::string_view parent = path;;) {
    if (auto it = places_.find(parent); it != places_.end()) {
      return absl::StrCat(it->second.ToString(), ": ", Abs(path));
    }
    const size_t cut = parent.find_last_of(".[");
    if (cut == std::string_view::npos) return std::string(path);
    parent = parent.substr(0, cut);
  }
}

std::string Locations::Locate(std::string_view message) const {
  const size_t end = message.find(": ");
  if (end == std::string_view::npos) return std::string(message);
  return Describe(message.substr(0, end)) + std::string(message.substr(end));
}

void Errors::Add(const Location& location, std::string_view path, std::string_view what) {
  lines_.push_back(path.empty()
                       ? absl::StrCat(location.ToString(), ": ", Abs(what))
                       : absl::StrCat(location.ToString(), ": ", Abs(path), ": ", Abs(what)));
}

absl::Status Errors::ToStatus() const {
  if (lines_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
}

}  // namespace spillway::config
