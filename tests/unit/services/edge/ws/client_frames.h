#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Frames as a client makes them, by an independent and simple-minded encoder.
namespace spillway::edge::ws {

inline std::string ClientFrame(uint8_t first_byte, std::string_view payload,
                               std::string_view mask = "\x37\xfa\x21\x3d") {
  std::string frame(1, static_cast<char>(first_byte));
  const size_t size = payload.size();
  if (size < 126) {
    frame += static_cast<char>(0x80 | size);
  } else if (size < 65536) {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(size >> 8);
    frame += static_cast<char>(size);
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8)
      frame += static_cast<char>(uint64_t(size) >> shift);
  }
  frame += mask;
  for (size_t i = 0; i < size; ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

inline std::string ClosePayload(uint16_t code, std::string_view reason = "") {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
  return payload.append(reason);
}

}  // namespace spillway::edge::ws
