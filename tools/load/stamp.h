#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway::load {

// What every payload of a publisher carries, so that a receiver knows what it got without parsing
// it: a JSON member of fixed width, "l":"SSNNNNNNQQQQQQQQTTTTTTTTTTTTTTTT" in hexadecimal.
struct Stamp {
  static constexpr size_t kDigits = 32;
  static constexpr std::string_view kMember = "\"l\":\"";  // what stands before the digits
  static constexpr size_t kSize = kMember.size() + kDigits + 1;

  uint8_t stream = 0;     // SS: which of the run's streams
  uint32_t channel = 0;   // N: number of the channel within the stream, below 2^24
  uint32_t sequence = 0;  // Q: of the channel, from 1 on
  int64_t due_ns = 0;     // T: when it was to be sent, by the clock that the run chose
};

// Writes kSize bytes.
void WriteStamp(const Stamp& stamp, char* out);

// Finds stamps in messages. Messages of one kind have it at the same distance from their end, so
// that is where it is looked for first. One thread.
class StampFinder {
 public:
  // The first stamp of `text`; false if it has none.
  bool Find(std::string_view text, Stamp* stamp);

 private:
  size_t from_end_ = 0;  // where the last one was found
};

}  // namespace spillway::load
