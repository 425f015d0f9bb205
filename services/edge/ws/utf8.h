#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::edge::ws {

// Whether a whole text is UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

// `text` without a character cut at `limit` bytes; at most `limit` bytes long.
std::string_view CutUtf8(std::string_view text, size_t limit);

// Checks a text that comes in pieces and fails at the first byte that no text could continue with.
// A value without ownership or thread of its own.
class Utf8Validator {
 public:
  // False: not UTF-8, whatever follows. Not to be called again after that.
  bool Feed(std::string_view piece);
  // Whether the text may end here.
  bool complete() const { return missing_ == 0; }

 private:
  uint8_t missing_ = 0;  // continuation bytes still to come
  uint8_t low_ = 0x80;   // range of the next one
  uint8_t high_ = 0xBF;
};

}  // namespace spillway::edge::ws
