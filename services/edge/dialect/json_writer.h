#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/dialect/event_encoder.h"

namespace spillway::edge {

// JSON values, appended to a text. Pure functions; any thread.

void AppendJsonInt(std::string* out, int64_t value);
void AppendJsonUint(std::string* out, uint64_t value);
inline void AppendJsonBool(std::string* out, bool value) { out->append(value ? "true" : "false"); }
// A string in base64 (RFC 4648, section 4, padded), with its quotes.
void AppendJsonBase64(std::string* out, std::string_view bytes);
// "2026-03-01T12:34:56.789Z", with its quotes.
void AppendJsonIsoTime(std::string* out, int64_t unix_ms);
// [{"slot":3,"source":"topic/0@0","offset":123,"fp":4711}, {..., "pending":true}]
void AppendJsonPosition(std::string* out, const PositionEntry* entries, size_t count);
// An event's payload as a value: JSON as it is, text as a string, bytes in base64; null for a
// tombstone.
void AppendJsonPayload(std::string* out, const wire::EventView& event);

}  // namespace spillway::edge
