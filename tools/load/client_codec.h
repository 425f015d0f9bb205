#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::load {

// The client's side of RFC 6455, as little of it as a load generator needs: no checks of the server
// beyond what keeps the parser in step. Whether the server keeps to the RFC is for other tests.

enum class WsOpcode : uint8_t {
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA
};

// An upgrade request for `path` (with query), with an offer of permessage-deflate without context
// takeover if asked for. Its key is always the same, and the answer's is not looked at.
std::string UpgradeRequest(std::string_view host, std::string_view path, bool deflate);

// What the server said to it.
struct UpgradeAnswer {
  enum class Status : uint8_t { kIncomplete, kAccepted, kRefused, kUnusable };
  Status status = Status::kIncomplete;
  size_t size = 0;       // of the whole head
  bool deflate = false;  // was agreed to
  // kUnusable: compressed messages would refer to earlier ones.
};
UpgradeAnswer ReadUpgradeAnswer(std::string_view bytes);

// Appends a masked FIN frame (section 5.3: clients have to mask; the mask need not be secret here).
void AppendMaskedFrame(WsOpcode opcode, std::string_view payload, uint32_t mask, std::string* out);

// A frame at the beginning of some bytes.
struct ServerFrame {
  enum class Status : uint8_t { kWhole, kIncomplete, kMalformed };
  Status status = Status::kIncomplete;
  uint8_t opcode = 0;
  bool compressed = false;
  std::string_view payload;
  size_t size = 0;  // header and payload; when incomplete: what is needed, as far as it is known
};

// Malformed is what this parser does not know: a masked or fragmented frame, other reserved bits,
// more than 64 MiB. Inline: it is called for each message.
inline ServerFrame ReadServerFrame(const char* data, size_t size) {
  constexpr uint64_t kLargest = 64 << 20;
  ServerFrame frame;
  frame.size = 2;
  if (size < 2) return frame;
  const auto byte = [data](size_t i) { return static_cast<uint8_t>(data[i]); };
  const uint8_t first = byte(0);
  uint64_t length = byte(1);
  // FIN, and of the reserved bits at most the one of permessage-deflate.
  if ((first & 0xB0) != 0x80 || (length & 0x80) != 0) [[unlikely]] {
    frame.status = ServerFrame::Status::kMalformed;
    return frame;
  }
  if (length >= 126) {
    const size_t more = length == 126 ? 2 : 8;
    frame.size += more;
    if (size < frame.size) return frame;
    length = 0;
    for (size_t i = 0; i < more; ++i) length = length << 8 | byte(2 + i);
    if (length > kLargest) {
      frame.status = ServerFrame::Status::kMalformed;
      return frame;
    }
  }
  const size_t header = frame.size;
  frame.size += length;
  if (size < frame.size) return frame;
  frame.status = ServerFrame::Status::kWhole;
  frame.opcode = first & 0x0F;
  frame.compressed = (first & 0x40) != 0;
  frame.payload = {data + header, static_cast<size_t>(length)};
  return frame;
}

}  // namespace spillway::load
