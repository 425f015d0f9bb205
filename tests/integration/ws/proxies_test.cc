// Where clients are that come over a proxy, and those who only say so.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/integration/ws/beast_client.h"
#include "tests/integration/ws/test_server.h"
#include "tests/support/proxy_bytes.h"

namespace spillway::test {
namespace {

edge::net::WorkerOptions Trusting(const std::string& network, bool proxy_protocol = false) {
  edge::net::WorkerOptions options;
  options.trusted_proxies = *edge::net::TrustedProxies::Parse({network});
  options.proxy_protocol = proxy_protocol;
  return options;
}

constexpr std::string_view kRequest = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

// The address that the server saw; "" without an answer.
std::string Seen(TestServer& server, const std::string& before, const std::string& headers = "") {
  const std::string answer =
      RawExchange(server.port(), before + std::string(kRequest) + headers + "\r\n");
  const std::string name = "\r\nX-Remote: ";
  const size_t at = answer.find(name);
  if (at == std::string::npos) return answer.empty() ? "" : "no answer: " + answer;
  const size_t start = at + name.size();
  return answer.substr(start, answer.find('\r', start) - start);
}

TEST(ProxiesTest, ForwardedForCountsFromTrustedProxiesOnly) {
  TestServer trusting(Trusting("127.0.0.0/8"));
  EXPECT_EQ(Seen(trusting, "", "X-Forwarded-For: 203.0.113.7\r\n"), "203.0.113.7");
  EXPECT_EQ(Seen(trusting, "", "x-forwarded-for: 1.1.1.1\r\nX-FORWARDED-FOR: 203.0.113.7\r\n"),
            "203.0.113.7");
  EXPECT_EQ(Seen(trusting, ""), "127.0.0.1");
  TestServer other(Trusting("192.0.2.0/24"));
  EXPECT_EQ(Seen(other, "", "X-Forwarded-For: 203.0.113.7\r\n"), "127.0.0.1");
  TestServer nobody;
  EXPECT_EQ(Seen(nobody, "", "X-Forwarded-For: 203.0.113.7\r\n"), "127.0.0.1");
}

TEST(ProxiesTest, TheProxyProtocol) {
  TestServer server(Trusting("127.0.0.1", true), 1);
  EXPECT_EQ(Seen(server, ProxyBytesOfV4()), "203.0.113.7");
  EXPECT_EQ(Seen(server, ProxyBytes(0x20, 0, "")), "127.0.0.1");
  // The address in it is no trusted proxy: what it forwards is its own word.
  EXPECT_EQ(Seen(server, ProxyBytesOfV4(), "X-Forwarded-For: 198.51.100.1\r\n"), "203.0.113.7");
  // Without it nobody is served.
  EXPECT_EQ(Seen(server, ""), "");
  EXPECT_EQ(Seen(server, "PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n"), "");
  EXPECT_EQ(server.pool().worker(0).counters().bad_proxy_headers.Value(), 2u);
}

TEST(ProxiesTest, TwoLayersOfProxies) {
  edge::net::WorkerOptions options;
  options.trusted_proxies = *edge::net::TrustedProxies::Parse({"127.0.0.1", "203.0.113.0/24"});
  options.proxy_protocol = true;
  TestServer server(options);
  EXPECT_EQ(Seen(server, ProxyBytesOfV4(), "X-Forwarded-For: 198.51.100.1\r\n"), "198.51.100.1");
}

TEST(ProxiesTest, TheProxyProtocolOfSomebodyElseIsNone) {
  TestServer server(Trusting("192.0.2.1", true));
  EXPECT_EQ(Seen(server, ""), "127.0.0.1");
  EXPECT_NE(Seen(server, ProxyBytesOfV4()).find("400 Bad Request"), std::string::npos);
}

TEST(ProxiesTest, AProxyThatSaysNothingIsDropped) {
  edge::net::WorkerOptions options = Trusting("127.0.0.1", true);
  options.handshake_timeout = std::chrono::milliseconds(100);
  options.tick = std::chrono::milliseconds(20);
  TestServer server(options, 1);
  EXPECT_EQ(RawExchange(server.port(), ProxyBytesOfV4().substr(0, 20)), "");
  EXPECT_EQ(server.pool().worker(0).counters().handshake_timeouts.Value(), 1u);
}

}  // namespace
}  // namespace spillway::test
