#include "services/ingest/normalise/framing.h"

#include <cstddef>
#include <cstdint>

namespace spillway::ingest {
namespace {

constexpr size_t kHeaderBytes = 5;
constexpr int64_t kMaxIndexes = 64;  // messages are not nested deeper

bool TakeZigzag(std::string_view& text, int64_t& value) {
  uint64_t bits = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    if (text.empty()) return false;
    const auto byte = static_cast<uint8_t>(text[0]);
    text.remove_prefix(1);
    bits |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) {
      value = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string_view> SkipConfluentHeader(std::string_view value) {
  if (value.size() < kHeaderBytes || value[0] != '\0') return std::nullopt;
  return value.substr(kHeaderBytes);
}

std::optional<std::string_view> SkipMessageIndexes(std::string_view value) {
  int64_t count = 0;
  if (!TakeZigzag(value, count) || count < 0 || count > kMaxIndexes) return std::nullopt;
  for (; count > 0; --count) {
    int64_t index = 0;
    if (!TakeZigzag(value, index) || index < 0) return std::nullopt;
  }
  return value;
}

}  // namespace spillway::ingest
