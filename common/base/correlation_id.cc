#include "common/base/correlation_id.h"

#include <algorithm>

namespace spillway {
namespace {

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

bool IsCorrelationId(std::string_view text) {
  constexpr std::string_view kOthers = "-._~:/+=@";
  return !text.empty() && text.size() <= kMaxCorrelationBytes &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return IsLetterOrDigit(c) || kOthers.find(c) != std::string_view::npos;
         });
}

std::string_view TraceIdOf(std::string_view traceparent) {
  // version "-" trace-id "-" parent-id "-" flags; later versions may have more behind.
  constexpr size_t kLength = 55;
  if (traceparent.size() < kLength || traceparent[2] != '-' || traceparent[35] != '-' ||
      traceparent[52] != '-') {
    return {};
  }
  const std::string_view version = traceparent.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return {};
  if (traceparent.size() > kLength && (version == "00" || traceparent[kLength] != '-')) return {};
  const std::string_view id = traceparent.substr(3, 32);
  const bool zero = id.find_first_not_of('0') == std::string_view::npos;
  if (zero || !IsLowerHex(id) || !IsLowerHex(traceparent.substr(36, 16))) return {};
  return id;
}

std::string HexId(const uint8_t* bytes, size_t size) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  id.reserve(2 * size);
  for (size_t i = 0; i < size; ++i) {
    id.push_back(kHex[bytes[i] >> 4]);
    id.push_back(kHex[bytes[i] & 15]);
  }
  return id;
}

}  // namespace spillway
