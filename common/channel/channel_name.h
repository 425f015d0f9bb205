#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace spillway {

// What clients subscribe to. The grammar: 1 to 255 bytes of UTF-8 without control characters and
// without '*', in segments separated by '.', ':' or '/'; no segment is empty. Names are compared
// byte by byte.
inline constexpr size_t kMaxChannelBytes = 255;

constexpr bool IsChannelSeparator(char c) { return c == '.' || c == ':' || c == '/'; }

// Hot: no allocation.
bool IsValidChannelName(std::string_view name);

// Whether it is valid and has no separator: whoever puts it into a name adds one segment, or a part
// of one.
bool IsChannelSegment(std::string_view text);

// OK, or InvalidArgument that says what is wrong.
absl::Status ValidateChannelName(std::string_view name);

}  // namespace spillway
