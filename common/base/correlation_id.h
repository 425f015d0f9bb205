#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway {

// What the lines, answers and calls of one request have in common: an id that the caller gave, or
// one that was made for it. Pure functions; any thread.

// How it is called in HTTP headers and gRPC metadata.
inline constexpr std::string_view kCorrelationHeader = "x-correlation-id";
inline constexpr size_t kMaxCorrelationBytes = 128;

// Whether a caller may give it: up to 128 letters, digits and -._~:/+=@, so that it can be shown
// anywhere as it is.
bool IsCorrelationId(std::string_view text);

// The trace id of a `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header); "" if
// it is not one.
std::string_view TraceIdOf(std::string_view traceparent);

// Hexadecimal of so many bytes, which are random.
std::string HexId(const uint8_t* bytes, size_t size);

// The id that a caller gave: x-correlation-id, else x-request-id, else the trace id of traceparent;
// "" if none is there that may be taken. `header` has a value by its name in lower case, "" if it
// is not there.
template <typename Header>
std::string_view GivenCorrelationId(const Header& header) {
  for (const std::string_view name : {kCorrelationHeader, std::string_view("x-request-id")}) {
    const std::string_view given = header(name);
    if (IsCorrelationId(given)) return given;
  }
  return TraceIdOf(header("traceparent"));
}

}  // namespace spillway
