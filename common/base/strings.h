#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace spillway {

// Abseil as packaged by Debian has a string_view type of its own, without conversions to the
// standard's.
inline absl::string_view Abs(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace spillway
