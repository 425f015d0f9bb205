#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace spillway::http {

// The path of a route: "/ws", or with placeholders for whole segments, "/ws/trading/{user_id}".
// Immutable after Parse: usable from any thread.
class PathTemplate {
 public:
  // Names with their values; both point into what they were taken from.
  using Values = std::vector<std::pair<std::string_view, std::string_view>>;

  // InvalidArgument says what is wrong.
  static absl::StatusOr<PathTemplate> Parse(std::string_view text);

  // The placeholders' values; nothing if the path is another one. `path` is decoded: a separator
  // that was escaped in it parts segments as any other, and no value is empty.
  std::optional<Values> Match(std::string_view path) const;

  bool has_placeholders() const { return !names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& text() const { return text_; }
  // The same for paths that match the same.
  std::string Shape() const;

 private:
  struct Segment {
    bool placeholder = false;
    std::string text;  // literal, or name
  };

  std::string text_;
  std::vector<Segment> segments_;  // what stands between '/'; empty without placeholders
  std::vector<std::string> names_;
};

}  // namespace spillway::http
