#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/edge/frame/frame.h"

namespace spillway::edge {

// Frame headers of RFC 6455, section 5.2. Pure functions, callable from any thread.

// The longest header: 2 bytes, 8 of extended length, 4 of mask (which only clients send).
inline constexpr size_t kMaxFrameHeaderSize = 14;
// Section 5.5: control frames carry no more.
inline constexpr size_t kMaxControlPayload = 125;

struct FrameHeader {
  bool fin = true;
  bool rsv1 = false;
  bool rsv2 = false;
  bool rsv3 = false;
  bool masked = false;
  uint8_t opcode = 0;  // as it came: perhaps not one of Opcode
  uint8_t header_size = 0;
  std::array<char, 4> mask{};
  uint64_t payload_size = 0;

  bool is_control() const { return (opcode & 0x8) != 0; }
};

enum class HeaderParse { kOk, kNeedMore, kInvalidLength };

// Reads a header from the start of `bytes`. kInvalidLength: the length is not in its shortest form,
// or has its top bit set. Nothing else is judged here.
HeaderParse ParseFrameHeader(std::string_view bytes, FrameHeader* header);

// Bytes of the (unmasked) header of a server's frame.
size_t ServerHeaderSize(uint64_t payload_size);
// Writes that header; `out` has room for ServerHeaderSize(payload_size) bytes. Returns that size.
size_t WriteServerHeader(char* out, Opcode opcode, uint64_t payload_size, bool rsv1,
                         bool fin = true);

}  // namespace spillway::edge
