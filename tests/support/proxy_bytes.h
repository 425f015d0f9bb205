#pragma once

#include <string>
#include <string_view>

namespace spillway::test {

// A header of the PROXY protocol, version 2: `command` is 0x21 for a client, 0x20 for the proxy
// itself; `family` 0x11 for IPv4, 0x21 for IPv6; `rest` the addresses and what follows them.
inline std::string ProxyBytes(char command, char family, std::string_view rest) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  bytes.push_back(command);
  bytes.push_back(family);
  bytes.push_back(static_cast<char>(rest.size() >> 8));
  bytes.push_back(static_cast<char>(rest.size() & 0xFF));
  return bytes.append(rest);
}

// That of the client 203.0.113.7.
inline std::string ProxyBytesOfV4() {
  return ProxyBytes(0x21, 0x11, std::string_view("\xCB\0\x71\x07\x7F\0\0\x01\x12\x34\0\x50", 12));
}

}  // namespace spillway::test
