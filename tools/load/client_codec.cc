#include "tools/load/client_codec.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace spillway::load {

std::string UpgradeRequest(std::string_view host, std::string_view target) {
  return absl::StrCat("GET ", std::string(target), " HTTP/1.1\r\nHost: ", std::string(host),
                      "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
                      "\r\nSec-WebSocket-Key: c3BpbGx3YXktbG9hZC10bw==\r\n\r\n");
}

void AppendMaskedFrame(WsOpcode opcode, std::string_view payload, uint32_t mask, std::string* out) {
  out->push_back(static_cast<char>(0x80 | static_cast<uint8_t>(opcode)));
  const size_t size = payload.size();
  int length_bytes = 0;
  if (size < 126) {
    out->push_back(static_cast<char>(0x80 | size));
  } else if (size <= 0xFFFF) {
    out->push_back(static_cast<char>(0x80 | 126));
    length_bytes = 2;
  } else {
    out->push_back(static_cast<char>(0x80 | 127));
    length_bytes = 8;
  }
  for (int i = length_bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(size >> (8 * i)));
  std::array<char, 4> key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(mask >> (8 * i));
  out->append(key.data(), key.size());
  for (size_t i = 0; i < size; ++i) out->push_back(static_cast<char>(payload[i] ^ key[i % 4]));
}

ServerFrames::Header ServerFrames::ReadHeader(std::string_view bytes, WsOpcode* opcode,
                                              size_t* header, size_t* size) {
  constexpr uint64_t kLargest = 64 << 20;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (bytes.size() < 2) return Header::kIncomplete;
  if ((byte(0) & 0xF0) != 0x80 || (byte(1) & 0x80) != 0) return Header::kMalformed;
  *opcode = static_cast<WsOpcode>(byte(0) & 0x0F);
  uint64_t length = byte(1);
  *header = 2;
  const size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (length_bytes > 0) {
    *header += length_bytes;
    if (bytes.size() < *header) return Header::kIncomplete;
    length = 0;
    for (size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(2 + i);
  }
  if (length > kLargest) return Header::kMalformed;
  *size = static_cast<size_t>(length);
  return Header::kComplete;
}

}  // namespace spillway::load
