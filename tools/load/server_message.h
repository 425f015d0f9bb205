#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::load {

// What the load generator looks at in a message of json.v1 (docs/protocol-json.md).
struct ServerMessage {
  enum class Kind { kConnected, kSubscribed, kEvent, kGap, kPing, kError, kOther };

  Kind kind = Kind::kOther;
  std::string_view channel;  // of an event; points into the text
  int64_t slot = -1;
  int64_t offset = -1;
  int64_t due_ns = -1;  // of an event that Publisher made: its member "t"
};

// Not a JSON parser: it relies on the order in which this server writes members, with `type` first
// and `data` last, which costs a tenth of reading the message properly.
ServerMessage ReadServerMessage(std::string_view text);

// Members of the payloads that Publisher makes.
inline constexpr std::string_view kDueMember = "\"t\":";

}  // namespace spillway::load
