#include "common/base/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace spillway {
namespace {

bool InRange(char c, uint8_t low, uint8_t high) {
  const auto byte = static_cast<uint8_t>(c);
  return byte >= low && byte <= high;
}

// Stands for itself in a string.
bool IsPlain(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

// How many characters at the head of `text` stand for themselves.
size_t PlainRun(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr uint64_t kHighs = kOnes * 0x80;
  // High bits of the bytes that are zero; of others only above a zero one.
  const auto zeros = [](uint64_t word) { return (word - kOnes) & ~word; };
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= text.size(); i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof(word));
    const uint64_t special = word | ((word - kOnes * 0x20) & ~word) | zeros(word ^ (kOnes * '"')) |
                             zeros(word ^ (kOnes * '\\')) | zeros(word ^ (kOnes * 0x7F));
    if ((special & kHighs) != 0) break;
  }
  while (i < text.size() && IsPlain(text[i])) ++i;
  return i;
}

}  // namespace

size_t Utf8SequenceLength(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  size_t length = 0;
  uint8_t low = 0x80;  // of the second byte: excludes overlong forms, surrogates and above U+10FFFF
  uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || !InRange(text[1], low, high)) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!InRange(text[i], 0x80, 0xBF)) return 0;
  }
  return length;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void AppendJsonString(std::string* out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  size_t i = 0;
  for (;;) {
    size_t end = i;
    for (;;) {
      end += PlainRun(text.substr(end));
      const size_t length = Utf8SequenceLength(text.substr(end));
      if (length < 2) break;
      end += length;
    }
    out->append(text, i, end - i);
    i = end;
    if (i == text.size()) break;
    const char c = text[i];
    const auto byte = static_cast<uint8_t>(c);
    ++i;
    if (byte >= 0x80) {
      out->append("\xEF\xBF\xBD");
      continue;
    }
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      default:
        out->append("\\u00");
        out->push_back(kHex[byte >> 4]);
        out->push_back(kHex[byte & 0xF]);
    }
  }
  out->push_back('"');
}

std::string JsonString(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonString(&out, text);
  return out;
}

void AppendJsonNumber(std::string* out, double value) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
  std::array<char, 32> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out->append(buffer.data(), result.ptr);
}

}  // namespace spillway
