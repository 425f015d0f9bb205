#include "common/http/path_template.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::http {
namespace {

// The next segment of a path, which begins with '/'.
std::string_view TakeSegment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

}  // namespace

absl::StatusOr<PathTemplate> PathTemplate::Parse(std::string_view text) {
  if (!text.starts_with('/')) return absl::InvalidArgumentError("the path must begin with '/'");
  PathTemplate path;
  path.text_ = std::string(text);
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view segment = TakeSegment(rest);
    const bool placeholder = segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
    const std::string_view name = placeholder ? segment.substr(1, segment.size() - 2) : segment;
    if (name.find_first_of("{}") != std::string_view::npos) {
      return absl::InvalidArgumentError(
          "a placeholder of the path is a whole segment with a name: /{name}/");
    }
    if (placeholder) {
      if (std::find(path.names_.begin(), path.names_.end(), name) != path.names_.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("placeholder '", std::string(name), "' is given twice"));
      }
      path.names_.emplace_back(name);
    }
    path.segments_.push_back({placeholder, std::string(name)});
  }
  return path;
}

std::optional<PathTemplate::Values> PathTemplate::Match(std::string_view path) const {
  if (!has_placeholders()) {
    if (path != text_) return std::nullopt;
    return Values();
  }
  Values values;
  for (const Segment& segment : segments_) {
    if (!path.starts_with('/')) return std::nullopt;
    const std::string_view given = TakeSegment(path);
    if (segment.placeholder) {
      if (given.empty()) return std::nullopt;
      values.emplace_back(segment.text, given);
    } else if (given != segment.text) {
      return std::nullopt;
    }
  }
  if (!path.empty()) return std::nullopt;
  return values;
}

std::string PathTemplate::Shape() const {
  std::string shape;
  for (const Segment& segment : segments_) {
    absl::StrAppend(&shape, "/", segment.placeholder ? "{}" : segment.text);
  }
  return shape;
}

}  // namespace spillway::http
