#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace spillway::config {

// A place in a configuration source.
struct Location {
  std::string source;  // a file, or "--set KEY"
  int line = 0;        // from 1; 0 for a source without lines

  // "file:line", or the source alone; "configuration" when nothing is known.
  std::string ToString() const;
};

// Where each key that was given came from, by key path such as "ingest.routes[0].emit[1].type".
class Locations {
 public:
  void Set(std::string path, Location location);
  // "file:line: path", with the place of the nearest enclosing key when this one was not given.
  std::string Describe(std::string_view path) const;
  // "key.path: what" with the key's place in front; as it is when it names no key that was given.
  std::string Locate(std::string_view message) const;

 private:
  std::map<std::string, Location, std::less<>> places_;
};

// Collects what is wrong with a configuration, one line each: "file:line: key.path: what".
// Not thread-safe.
class Errors {
 public:
  void Add(const Location& location, std::string_view path, std::string_view what);
  // A line that is already whole.
  void AddLine(std::string line) { lines_.push_back(std::move(line)); }
  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }
  // OK, or InvalidArgument with all lines.
  absl::Status ToStatus() const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace spillway::config
