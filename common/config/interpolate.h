#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/config/environment.h"

namespace spillway::config {

struct Interpolated {
  std::string text;
  bool changed = false;  // something was put in from outside
};

// Replaces in one scalar:
//   ${NAME}            the variable; not set is an error
//   ${NAME:-default}   the variable, or the default (itself interpolated) when it is not set or
//   empty
//   ${NAME:?message}   the variable; not set or empty is an error with this message
//   ${file:/path}      the file's content without its trailing newline; unreadable is an error
//   $$                 one $
// A $ before anything else stands for itself. Errors name the variable or file, never a value.
absl::StatusOr<Interpolated> Interpolate(std::string_view text, const Environment& environment);

}  // namespace spillway::config
