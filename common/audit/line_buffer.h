#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace spillway::audit {

// Lines that wait for one output, in order and bounded. At the bound lines are left out, those that
// clients cause before it is quite reached: however many they cause, there is room for what
// operators do. Not thread-safe.
class LineBuffer {
 public:
  struct Options {
    size_t lines = 10'000;
    size_t bytes = 8 << 20;
  };
  // By whom a line is caused.
  enum class By : uint8_t { kOperator, kClient };

  explicit LineBuffer(const Options& options) : options_(options) {}

  // Whether there is room for a line of so many bytes.
  bool HasRoom(size_t bytes, By by) const;
  void Put(std::string line);
  void CountLeftOut() { ++left_out_; }
  // Lines left out since the last time that this was asked.
  uint64_t TakeLeftOut() { return std::exchange(left_out_, 0); }
  uint64_t left_out() const { return left_out_; }
  // The oldest, at least one if there is any.
  std::vector<std::string> Take(size_t lines, size_t bytes);

  bool empty() const { return lines_.empty(); }
  size_t size() const { return lines_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  const Options options_;
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace spillway::audit
