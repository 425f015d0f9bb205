#include "services/edge/net/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace spillway::edge::net {
namespace {

std::string TextOf(int family, const char* text) {
  sockaddr_storage storage{};
  storage.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    ::inet_pton(family, text, &reinterpret_cast<sockaddr_in&>(storage).sin_addr);
  } else {
    ::inet_pton(family, text, &reinterpret_cast<sockaddr_in6&>(storage).sin6_addr);
  }
  return IpText(storage);
}

TEST(IpText, OneClientHasOneText) {
  EXPECT_EQ(TextOf(AF_INET, "203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(TextOf(AF_INET6, "::ffff:203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(TextOf(AF_INET6, "2001:db8:0:0::5"), "2001:db8::5");
}

}  // namespace
}  // namespace spillway::edge::net
