#include "services/edge/ws/utf8.h"

#include <simdjson.h>

#include <cstring>

namespace spillway::edge::ws {

bool IsUtf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string_view CutUtf8(std::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<uint8_t>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

bool Utf8Validator::Feed(std::string_view piece) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  const char* p = piece.data();
  const char* const end = p + piece.size();
  while (p != end) {
    if (missing_ == 0) {
      for (uint64_t word; end - p >= 8; p += 8) {  // a run of ASCII
        std::memcpy(&word, p, 8);
        if ((word & kHighBits) != 0) break;
      }
      if (p == end) break;
    }
    const auto byte = static_cast<uint8_t>(*p++);
    if (missing_ > 0) {
      if (byte < low_ || byte > high_) return false;
      low_ = 0x80;
      high_ = 0xBF;
      --missing_;
    } else if (byte >= 0x80) {
      // The first continuation byte's range excludes overlong forms, surrogates and what is past
      // U+10FFFF.
      if (byte < 0xC2 || byte > 0xF4) return false;
      missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      if (byte == 0xE0) low_ = 0xA0;
      if (byte == 0xED) high_ = 0x9F;
      if (byte == 0xF0) low_ = 0x90;
      if (byte == 0xF4) high_ = 0x8F;
    }
  }
  return true;
}

}  // namespace spillway::edge::ws
