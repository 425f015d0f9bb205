#pragma once

#include <string>
#include <string_view>

namespace spillway::test {

// An unmasked frame of up to 64 KiB, as a WebSocket server sends it (RFC 6455, section 5.2);
// `first` is its first byte. Written apart from the edge's own, for tests of clients.
inline std::string ServerFrame(std::string_view payload, char first = '\x81') {
  std::string frame(1, first);
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(payload.size()));
  } else {
    frame.push_back(126);
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size()));
  }
  return frame.append(payload);
}

}  // namespace spillway::test
