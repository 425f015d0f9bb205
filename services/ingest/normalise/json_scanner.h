#pragma once

// JsonDocument's own: included by json_document.cc alone.

#include <simdjson.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "services/ingest/normalise/json_document.h"

namespace spillway::ingest {

// Takes a text apart in one pass, depth first. Records are short: for them this is twice as fast as
// finding the structure first and walking over it (docs/performance.md).
class JsonDocument::Scanner {
 public:
  Scanner(JsonDocument& document, std::string_view text)
      : document_(document),
        nodes_(document.nodes_),
        text_(text),
        at_(text.data()),
        end_(text.data() + text.size()) {}

  bool Run() {
    SkipSpace();
    if (at_ == end_) return Fail("empty");
    if (!Value({}, 0)) return false;
    SkipSpace();
    if (at_ != end_) return Fail("something follows the value");
    // Outside strings such bytes have been refused.
    if ((high_ & kHighs) != 0 && !simdjson::validate_utf8(text_.data(), text_.size())) {
      return Fail("not UTF-8");
    }
    return true;
  }

 private:
  static constexpr int kMaxDepth = 128;
  static constexpr char kNoValue[] = "a value is neither a number, true, false nor null";

  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

  // The value of four hexadecimal digits; -1 if they are none.
  static int32_t Hex4(const char* at) {
    int32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = at[i];
      const char lower = static_cast<char>(c | 0x20);
      if (IsDigit(c)) {
        value = value * 16 + (c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + (lower - 'a' + 10);
      } else {
        return -1;
      }
    }
    return value;
  }

  static void AppendUtf8(uint32_t code, std::string* out) {
    const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6));
      put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3F));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }

  static constexpr uint64_t kOnes = 0x0101010101010101u;
  static constexpr uint64_t kHighs = kOnes * 0x80;

  bool Fail(std::string_view why) { return document_.Fail(why); }

  void SkipSpace() {
    while (at_ != end_ && IsSpace(*at_)) ++at_;
  }
  bool At(char c) const { return at_ != end_ && *at_ == c; }

  bool Value(std::string_view key, int depth) {
    if (depth > kMaxDepth) return Fail("nested too deeply");
    if (at_ == end_) return Fail("a value is missing");
    const auto index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back().key = key;
    const char* const begin = at_;
    JsonNode::Type type = JsonNode::Type::kNull;
    switch (*at_) {
      case '{':
        type = JsonNode::Type::kObject;
        if (!Object(index, depth)) return false;
        break;
      case '[':
        type = JsonNode::Type::kArray;
        if (!Array(depth)) return false;
        break;
      case '"':
        type = JsonNode::Type::kString;
        if (std::string_view text; String(&text)) {
          nodes_[index].text = text;
        } else {
          return false;
        }
        break;
      case 't':
        type = JsonNode::Type::kTrue;
        if (!Word("true")) return false;
        break;
      case 'f':
        type = JsonNode::Type::kFalse;
        if (!Word("false")) return false;
        break;
      case 'n':
        if (!Word("null")) return false;
        break;
      default:
        type = JsonNode::Type::kNumber;
        if (!Number()) return false;
    }
    JsonNode& node = nodes_[index];
    node.type = type;
    node.raw = {begin, static_cast<size_t>(at_ - begin)};
    if (type > JsonNode::Type::kString) node.text = node.raw;
    node.next = static_cast<uint32_t>(nodes_.size());
    return true;
  }

  bool Object(uint32_t index, int depth) {
    ++at_;
    SkipSpace();
    if (At('}')) {
      ++at_;
      return true;
    }
    uint64_t seen = 0;  // a bit for each name, by a hash of it: if all differ, so do the names
    bool maybe_twice = false;
    for (;;) {
      if (!At('"')) return Fail("a name in quotes is missing");
      std::string_view key;
      if (!String(&key)) return false;
      const uint64_t bit = uint64_t{1} << (NameHash(key) & 63);
      maybe_twice = maybe_twice || (seen & bit) != 0;
      seen |= bit;
      SkipSpace();
      if (!At(':')) return Fail("':' is missing after a name");
      ++at_;
      SkipSpace();
      if (!Value(key, depth + 1)) return false;
      SkipSpace();
      if (At('}')) break;
      if (!At(',')) return Fail("',' or '}' is missing");
      ++at_;
      SkipSpace();
    }
    ++at_;
    if (!maybe_twice) return true;
    nodes_[index].next = static_cast<uint32_t>(nodes_.size());
    return !document_.HasDuplicateNames(index) || Fail("a name occurs twice in an object");
  }

  static size_t NameHash(std::string_view name) {
    if (name.empty()) return 0;
    return name.size() + 7 * static_cast<uint8_t>(name.front()) +
           31 * static_cast<uint8_t>(name.back()) +
           13 * static_cast<uint8_t>(name[name.size() / 2]);
  }

  bool Array(int depth) {
    ++at_;
    SkipSpace();
    if (At(']')) {
      ++at_;
      return true;
    }
    for (;;) {
      if (!Value({}, depth + 1)) return false;
      SkipSpace();
      if (At(']')) break;
      if (!At(',')) return Fail("',' or ']' is missing");
      ++at_;
      SkipSpace();
    }
    ++at_;
    return true;
  }

  bool Word(std::string_view word) {
    if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(word)) {
      return Fail(kNoValue);
    }
    at_ += word.size();
    return true;
  }

  bool Digits() {
    const char* const begin = at_;
    while (at_ != end_ && IsDigit(*at_)) ++at_;
    return at_ != begin;
  }

  // RFC 8259, section 6. Whoever comes next finds what may not follow it.
  bool Number() {
    if (*at_ == '-') ++at_;
    if (At('0')) {
      ++at_;
    } else if (!Digits()) {
      return Fail(kNoValue);
    }
    if (At('.')) {
      ++at_;
      if (!Digits()) return Fail(kNoValue);
    }
    if (At('e') || At('E')) {
      ++at_;
      if (At('+') || At('-')) ++at_;
      if (!Digits()) return Fail(kNoValue);
    }
    return true;
  }

  // The first quote, backslash or control character from `at` on, or the end. Notes bytes above
  // ASCII.
  const char* PlainEnd(const char* at) {
    // High bits of the bytes that are below `low`, or equal to `c`: the lowest one is right, which
    // is the first in a little-endian word.
    const auto below = [](uint64_t word, uint64_t low) { return (word - kOnes * low) & ~word; };
    const auto equal = [&](uint64_t word, char c) {
      return below(word ^ (kOnes * static_cast<uint8_t>(c)), 1);
    };
    while (end_ - at >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, at, sizeof(word));
      high_ |= word;
      const uint64_t special = (below(word, 0x20) | equal(word, '"') | equal(word, '\\')) & kHighs;
      if (special != 0) {
        if constexpr (std::endian::native == std::endian::little) {
          return at + std::countr_zero(special) / 8;
        }
        break;
      }
      at += 8;
    }
    for (; at != end_; ++at) {
      const auto byte = static_cast<uint8_t>(*at);
      if (byte < 0x20 || byte == '"' || byte == '\\') break;
      high_ |= byte;
    }
    return at;
  }

  // From a quote to behind the next one.
  bool String(std::string_view* text) {
    const char* const begin = at_ + 1;
    at_ = PlainEnd(begin);
    if (At('\\')) return EscapedString(begin, text);
    *text = {begin, static_cast<size_t>(at_ - begin)};
    return Close();
  }

  bool Close() {
    if (at_ == end_) return Fail("a string does not end");
    if (*at_ != '"') return Fail("a control character within a string");
    ++at_;
    return true;
  }

  bool EscapedString(const char* begin, std::string_view* text) {
    std::string& out = document_.unescaped_;
    // What all strings need together: views into it must hold.
    if (out.empty()) out.reserve(text_.size());
    const size_t from = out.size();
    out.append(begin, at_);
    while (At('\\')) {
      if (!Escape(&out)) return false;
      const char* const plain = at_;
      at_ = PlainEnd(plain);
      out.append(plain, at_);
    }
    *text = std::string_view(out).substr(from);
    return Close();
  }

  bool Escape(std::string* out) {
    ++at_;
    if (at_ == end_) return Fail("a string does not end");
    const char c = *at_++;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out->push_back(c);
        return true;
      case 'b':
        out->push_back('\b');
        return true;
      case 'f':
        out->push_back('\f');
        return true;
      case 'n':
        out->push_back('\n');
        return true;
      case 'r':
        out->push_back('\r');
        return true;
      case 't':
        out->push_back('\t');
        return true;
      case 'u':
        return Unicode(out);
      default:
        return Fail("a bad escape");
    }
  }

  // The digits after \u, and the second half of a pair.
  bool Unicode(std::string* out) {
    if (end_ - at_ < 4) return Fail("a bad escape");
    const int32_t first = Hex4(at_);
    if (first < 0) return Fail("a bad escape");
    at_ += 4;
    auto code = static_cast<uint32_t>(first);
    if (code >= 0xD800 && code < 0xE000) {
      const bool pair = code < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u';
      const int32_t second = pair ? Hex4(at_ + 2) : -1;
      if (second < 0xDC00 || second > 0xDFFF) return Fail("half of a surrogate pair");
      at_ += 6;
      code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<uint32_t>(second) - 0xDC00);
    }
    AppendUtf8(code, out);
    return true;
  }

  JsonDocument& document_;
  std::vector<JsonNode>& nodes_;
  const std::string_view text_;
  const char* at_;
  const char* const end_;
  uint64_t high_ = 0;  // high bits are set if strings have bytes above ASCII
};

}  // namespace spillway::ingest
