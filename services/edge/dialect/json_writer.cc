#include "services/edge/dialect/json_writer.h"

#include <charconv>
#include <chrono>
#include <system_error>

#include "common/base/iso_time.h"
#include "common/base/json_text.h"

namespace spillway::edge {
namespace {

// PayloadEncoding of event.proto: the wire's numbers, as in common/wire.
constexpr int kEncodingJson = 1;
constexpr int kEncodingBinary = 3;

template <typename T>
void AppendNumber(std::string* out, T value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  if (error == std::errc()) out->append(digits, end);
}

}  // namespace

void AppendJsonInt(std::string* out, int64_t value) { AppendNumber(out, value); }
void AppendJsonUint(std::string* out, uint64_t value) { AppendNumber(out, value); }

void AppendJsonBase64(std::string* out, std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out->push_back('"');
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    uint32_t group = static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << 16;
    if (left > 1) group |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + 1])) << 8;
    if (left > 2) group |= static_cast<uint8_t>(bytes[i + 2]);
    const char quad[4] = {kDigits[group >> 18], kDigits[(group >> 12) & 63],
                          left > 1 ? kDigits[(group >> 6) & 63] : '=',
                          left > 2 ? kDigits[group & 63] : '='};
    out->append(quad, 4);
  }
  out->push_back('"');
}

void AppendJsonIsoTime(std::string* out, int64_t unix_ms) {
  out->push_back('"');
  out->append(IsoTime(WallTime(std::chrono::milliseconds(unix_ms))));
  out->push_back('"');
}

void AppendJsonPosition(std::string* out, const PositionEntry* entries, size_t count) {
  out->push_back('[');
  for (size_t i = 0; i < count; ++i) {
    const PositionEntry& entry = entries[i];
    out->append(i == 0 ? R"({"slot":)" : R"(,{"slot":)");
    AppendJsonUint(out, entry.slot);
    out->append(R"(,"source":)");
    AppendJsonString(out, entry.source);
    if (entry.pending) {
      out->append(R"(,"pending":true})");
      continue;
    }
    out->append(R"(,"offset":)");
    AppendJsonInt(out, entry.offset);
    if (entry.fingerprint != 0) {
      out->append(R"(,"fp":)");
      AppendJsonUint(out, entry.fingerprint);
      if (entry.fingerprint_back != 0) {
        out->append(R"(,"fp_offset":)");
        AppendJsonInt(out, entry.offset - static_cast<int64_t>(entry.fingerprint_back));
      }
    }
    out->push_back('}');
  }
  out->push_back(']');
}

void AppendJsonPayload(std::string* out, const wire::EventView& event) {
  if (event.tombstone) {
    out->append("null");
  } else if (event.encoding == kEncodingJson) {
    out->append(event.payload.empty() ? std::string_view("null") : event.payload);
  } else if (event.encoding == kEncodingBinary) {
    AppendJsonBase64(out, event.payload);
  } else {
    AppendJsonString(out, event.payload);
  }
}

}  // namespace spillway::edge
