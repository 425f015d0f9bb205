#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::ingest {

enum class TimeUnit : uint8_t { kSeconds, kMillis, kMicros, kNanos, kIso8601 };

// A time as text, in microseconds since the Unix epoch. Numbers may have a fraction and an
// exponent-free sign; what is finer than a microsecond is cut off. ISO 8601 as in RFC 3339: date,
// 'T' or space, time, optional fraction, and 'Z' or an offset (none: UTC). Nullopt for anything
// else, or years beyond 0 to 9999.
std::optional<int64_t> ParseEventTime(std::string_view text, TimeUnit unit);

}  // namespace spillway::ingest
