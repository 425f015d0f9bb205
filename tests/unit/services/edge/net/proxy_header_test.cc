#include "services/edge/net/proxy_header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/proxy_bytes.h"

namespace spillway::edge::net {
namespace {

using Result = ProxyHeader::Result;
using test::ProxyBytes;

// The client's address, "none", or "bad"; given in pieces of `step` bytes at most.
std::string Read(const std::string& bytes, size_t step = 10'000, size_t* taken = nullptr) {
  ProxyHeader header;
  size_t at = 0;
  for (;;) {
    const size_t size = std::min({header.wanted(), step, bytes.size() - at});
    EXPECT_GT(header.wanted(), 0u);
    if (size == 0) return "more";
    const Result result = header.Feed(std::string_view(bytes).substr(at, size));
    at += size;
    if (taken != nullptr) *taken = at;
    if (result == Result::kBad) return "bad";
    if (result == Result::kDone) {
      return header.client().has_value() ? header.client()->ToString() : "none";
    }
  }
}

const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x05" +
                        std::string(16, '\0') + std::string(4, '\0');

TEST(ProxyHeader, Addresses) {
  EXPECT_EQ(Read(test::ProxyBytesOfV4()), "203.0.113.7");
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x21, kV6)), "2001:db8::5");
  // Additions are passed over.
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x21, kV6 + std::string(300, 'x'))), "2001:db8::5");
  // IPv4 mapped into IPv6 is IPv4.
  EXPECT_EQ(
      Read(ProxyBytes(0x21, 0x21,
                      std::string(10, '\0') + "\xFF\xFF\x0A\x01\x02\x03" + std::string(20, '\0'))),
      "10.1.2.3");
}

TEST(ProxyHeader, TheProxyItselfAndUnknownFamilies) {
  EXPECT_EQ(Read(ProxyBytes(0x20, 0, "")), "none");
  EXPECT_EQ(Read(ProxyBytes(0x20, 0x11, std::string(12, 'x'))), "none");
  EXPECT_EQ(Read(ProxyBytes(0x21, 0, "")), "none");
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x31, std::string(216, 'x'))), "none");
}

TEST(ProxyHeader, InPiecesAndNeverMoreThanItself) {
  const std::string all = test::ProxyBytesOfV4();
  for (size_t step = 1; step <= all.size(); ++step) {
    size_t taken = 0;
    EXPECT_EQ(Read(all + "GET / HTTP/1.1\r\n", step, &taken), "203.0.113.7");
    EXPECT_EQ(taken, all.size()) << step;
  }
  for (size_t size = 0; size < all.size(); ++size) EXPECT_EQ(Read(all.substr(0, size)), "more");
}

TEST(ProxyHeader, WhatIsNone) {
  EXPECT_EQ(Read("GET / HTTP/1.1\r\n\r\n"), "bad");
  EXPECT_EQ(Read("G"), "bad");  // at its first byte
  EXPECT_EQ(Read("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), "bad");
  EXPECT_EQ(Read("\x16\x03\x01"), "bad");  // TLS
  EXPECT_EQ(Read("\r\n\r\nx"), "bad");
  EXPECT_EQ(Read(ProxyBytes(0x11, 0x11, std::string(12, 'x'))), "bad");  // version 1
  EXPECT_EQ(Read(ProxyBytes(0x22, 0x11, std::string(12, 'x'))), "bad");  // no such command
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x11, std::string(11, 'x'))), "bad");  // too short
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x21, std::string(35, 'x'))), "bad");
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x11, std::string(5000, 'x'))), "bad");
  EXPECT_EQ(Read(ProxyBytes(0x21, 0x11, std::string(65'535, 'x'))), "bad");
}

}  // namespace
}  // namespace spillway::edge::net
