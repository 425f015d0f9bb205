#include "services/edge/frame/frame_header.h"

namespace spillway::edge {
namespace {

constexpr uint8_t kFin = 0x80;
constexpr uint8_t kRsv1 = 0x40;
constexpr uint8_t kRsv2 = 0x20;
constexpr uint8_t kRsv3 = 0x10;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kLength16 = 126;
constexpr uint8_t kLength64 = 127;

uint64_t ReadBigEndian(const char* bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

void WriteBigEndian(char* out, uint64_t value, size_t count) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<char>(value >> (8 * (count - 1 - i)));
}

}  // namespace

HeaderParse ParseFrameHeader(std::string_view bytes, FrameHeader* header) {
  if (bytes.size() < 2) return HeaderParse::kNeedMore;
  const auto first = static_cast<uint8_t>(bytes[0]);
  const auto second = static_cast<uint8_t>(bytes[1]);
  header->fin = (first & kFin) != 0;
  header->rsv1 = (first & kRsv1) != 0;
  header->rsv2 = (first & kRsv2) != 0;
  header->rsv3 = (first & kRsv3) != 0;
  header->opcode = first & 0x0F;
  header->masked = (second & kMasked) != 0;
  const uint8_t length = second & 0x7F;
  const size_t extended = length == kLength64 ? 8 : length == kLength16 ? 2 : 0;
  const size_t size = 2 + extended + (header->masked ? 4 : 0);
  if (bytes.size() < size) return HeaderParse::kNeedMore;
  header->payload_size = extended == 0 ? length : ReadBigEndian(bytes.data() + 2, extended);
  if ((extended == 2 && header->payload_size < kLength16) ||
      (extended == 8 && (header->payload_size <= 0xFFFF || header->payload_size >> 63 != 0))) {
    return HeaderParse::kInvalidLength;
  }
  if (header->masked) {
    for (size_t i = 0; i < 4; ++i) header->mask[i] = bytes[2 + extended + i];
  }
  header->header_size = static_cast<uint8_t>(size);
  return HeaderParse::kOk;
}

size_t ServerHeaderSize(uint64_t payload_size) {
  return payload_size < kLength16 ? 2 : payload_size <= 0xFFFF ? 4 : 10;
}

size_t WriteServerHeader(char* out, Opcode opcode, uint64_t payload_size, bool rsv1, bool fin) {
  out[0] = static_cast<char>((fin ? kFin : 0) | (rsv1 ? kRsv1 : 0) | static_cast<uint8_t>(opcode));
  const size_t size = ServerHeaderSize(payload_size);
  if (size == 2) {
    out[1] = static_cast<char>(payload_size);
  } else {
    out[1] = static_cast<char>(size == 4 ? kLength16 : kLength64);
    WriteBigEndian(out + 2, payload_size, size - 2);
  }
  return size;
}

}  // namespace spillway::edge
