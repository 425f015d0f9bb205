#pragma once

#include <string>

#include "common/base/clock.h"

namespace spillway {

// "2026-03-01T12:34:56.789Z": ISO 8601, UTC, milliseconds. Any thread.
std::string IsoTime(WallTime time);

}  // namespace spillway
