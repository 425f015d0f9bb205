#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

// What every fuzz target is made of. A target is a function that is given any bytes, and that ends
// the process if what it calls breaks a promise; crashes and reads beyond a buffer the sanitizers
// see. Single-threaded.
namespace spillway::fuzz {

// Ends the process, so that libFuzzer keeps the input, unless `holds`.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Takes an input apart. What is not there is 0 or empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t TakeByte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  // Up to the next line end, without it: corpora stay readable.
  std::string_view TakeLine() {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return line;
  }
  // As many bytes, or what there is.
  std::string_view Take(size_t size) {
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  bool empty() const { return rest_.empty(); }
  std::string_view TakeRest() { return std::exchange(rest_, {}); }

 private:
  std::string_view rest_;
};

}  // namespace spillway::fuzz
