#include "common/channel/channel_name.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace spillway {
namespace {

enum class Fault { kNone, kEmpty, kTooLong, kControl, kStar, kNotUtf8, kEmptySegment };

// The bytes of the UTF-8 sequence at the start of `text` (RFC 3629); 0 if it is none, or a C1
// control character.
size_t Utf8Length(std::string_view text, bool& control) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  control = lead == 0xC2 && byte(1) < 0xA0;
  return length;
}

Fault FindFault(std::string_view name) {
  if (name.empty()) return Fault::kEmpty;
  if (name.size() > kMaxChannelBytes) return Fault::kTooLong;
  bool in_segment = false;
  for (size_t i = 0; i < name.size();) {
    const auto c = static_cast<uint8_t>(name[i]);
    if (c < 0x20 || c == 0x7F) return Fault::kControl;
    if (c == '*') return Fault::kStar;
    if (IsChannelSeparator(name[i])) {
      if (!in_segment) return Fault::kEmptySegment;
      in_segment = false;
      ++i;
      continue;
    }
    in_segment = true;
    if (c < 0x80) {
      ++i;
      continue;
    }
    bool control = false;
    const size_t length = Utf8Length(name.substr(i), control);
    if (length == 0) return Fault::kNotUtf8;
    if (control) return Fault::kControl;
    i += length;
  }
  return in_segment ? Fault::kNone : Fault::kEmptySegment;
}

}  // namespace

bool IsValidChannelName(std::string_view name) { return FindFault(name) == Fault::kNone; }

bool IsChannelSegment(std::string_view text) {
  return std::none_of(text.begin(), text.end(), IsChannelSeparator) && IsValidChannelName(text);
}

absl::Status ValidateChannelName(std::string_view name) {
  switch (FindFault(name)) {
    case Fault::kNone:
      return absl::OkStatus();
    case Fault::kEmpty:
      return absl::InvalidArgumentError("a channel name must not be empty");
    case Fault::kTooLong:
      return absl::InvalidArgumentError(absl::StrCat(
          "a channel name has at most ", kMaxChannelBytes, " bytes, this one has ", name.size()));
    case Fault::kControl:
      return absl::InvalidArgumentError("a channel name must not contain control characters");
    case Fault::kStar:
      return absl::InvalidArgumentError("a channel name must not contain '*'");
    case Fault::kNotUtf8:
      return absl::InvalidArgumentError("a channel name must be UTF-8");
    case Fault::kEmptySegment:
      break;
  }
  return absl::InvalidArgumentError(
      "a channel name must not have an empty segment (at its ends or between '.', ':' and '/')");
}

}  // namespace spillway
