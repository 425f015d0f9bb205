// What strangers send before anything is known of them, at random: it is taken or refused, nothing
// else. A failure names the seed: --gtest_random_seed=SEED.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel/channel_name.h"
#include "common/http/path_template.h"
#include "services/edge/net/proxy_header.h"
#include "services/edge/net/trusted_proxies.h"
#include "services/edge/session/channel_template.h"
#include "services/edge/session/origin_list.h"
#include "services/edge/session/token_grants.h"
#include "tests/support/proxy_bytes.h"

namespace spillway::edge::net {
namespace {

constexpr int kRounds = 20'000;

class OutsideBytesTest : public ::testing::Test {
 protected:
  size_t Below(size_t bound) { return random_() % bound; }
  // Some of these pieces, one after the other, now and then a byte changed.
  std::string Made(const std::vector<std::string>& pieces) {
    std::string text;
    for (size_t i = Below(8); i > 0; --i) text += pieces[Below(pieces.size())];
    if (!text.empty() && Below(4) == 0) text[Below(text.size())] = static_cast<char>(Below(256));
    return text;
  }

  std::mt19937 random_{static_cast<uint32_t>(::testing::UnitTest::GetInstance()->random_seed())};
};

TEST_F(OutsideBytesTest, HeadersOfProxies) {
  const std::string good = test::ProxyBytesOfV4();
  int done = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = good + std::string(Below(64), 'x');
    for (size_t i = Below(3); i > 0; --i)
      bytes[Below(bytes.size())] = static_cast<char>(Below(256));
    ProxyHeader header;
    for (size_t at = 0; at < bytes.size();) {
      const size_t wanted = header.wanted();
      ASSERT_GT(wanted, 0u);
      ASSERT_LE(wanted, ProxyHeader::kMaxBytes);
      const size_t size = std::min({wanted, bytes.size() - at, 1 + Below(20)});
      const auto result = header.Feed(std::string_view(bytes).substr(at, size));
      at += size;
      if (result == ProxyHeader::Result::kMore) continue;
      done += result == ProxyHeader::Result::kDone ? 1 : 0;
      break;
    }
  }
  EXPECT_GT(done, 0);
  EXPECT_LT(done, kRounds);
}

TEST_F(OutsideBytesTest, ForwardedHeaders) {
  const TrustedProxies proxies = *TrustedProxies::Parse({"10.0.0.0/8"});
  const std::vector<std::string> pieces = {
      "10.0.0.1", "203.0.113.7",        ",",  ", ",  "[", "]", ":", "::1", "4711", "\t", ".", "x",
      "fd00::1",  std::string(50, '9'), "\"", "for="};
  for (int round = 0; round < kRounds; ++round) {
    http::Request request;
    for (size_t i = Below(3); i > 0; --i) {
      request.headers.emplace_back("x-forwarded-for", Made(pieces));
    }
    const std::string client = proxies.ClientOf("10.0.0.9", request);
    ASSERT_TRUE(IpAddress::Parse(client).has_value()) << client;
    ASSERT_EQ(proxies.ClientOf("203.0.113.9", request), "203.0.113.9");
  }
}

TEST_F(OutsideBytesTest, Origins) {
  const OriginList list = *OriginList::Compile({"https://*.example.com", "http://a:1"});
  const std::vector<std::string> pieces = {"https://", "http://", "a", ".",  "example.com", ":443",
                                           ":1",       "/",       "@", "\0", "null",        "*"};
  int allowed = 0;
  for (int round = 0; round < kRounds; ++round) {
    http::Request request;
    const std::string origin = Made(pieces);
    request.headers.emplace_back("origin", origin);
    if (!list.Allows(request)) continue;
    ++allowed;
    ASSERT_TRUE(origin.find("example.com") != std::string::npos ||
                origin.find("a:1") != std::string::npos)
        << origin;
  }
  EXPECT_LT(allowed, kRounds);
}

TEST_F(OutsideBytesTest, Paths) {
  const http::PathTemplate path = *http::PathTemplate::Parse("/ws/{a}/x/{b}");
  const std::vector<std::string> pieces = {"/",   "ws", "/ws/", "x", "/x/",
                                           "{a}", "",   "a b",  "%", "\n"};
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = Made(pieces);
    const auto values = path.Match(text);
    if (!values.has_value()) continue;
    std::string back = "/ws/";
    back.append((*values)[0].second).append("/x/").append((*values)[1].second);
    ASSERT_EQ(back, text);
  }
}

// However values are made, no two clients come to one name, and no value to another's segment.
TEST_F(OutsideBytesTest, ValuesInTemplates) {
  const ChannelTemplate named = *ChannelTemplate::Compile("a:{param.x}.b:{param.y}");
  const std::vector<std::string> pieces = {"a",  "b", ":",    ".", "/", "*",
                                           "**", "é", "\x01", " ", "x"};
  std::map<std::string, std::string> owner;
  for (int round = 0; round < kRounds; ++round) {
    const std::string x = Made(pieces);
    const std::string y = Made(pieces);
    for (const std::string& name : named.Expand({.params = {{"x", x}, {"y", y}}})) {
      const std::string who = x + "\n" + y;
      const auto [known, fresh] = owner.emplace(name, who);
      ASSERT_EQ(known->second, who) << name;
      if (name.size() <= kMaxChannelBytes) {
        ASSERT_TRUE(IsValidChannelName(name)) << name;
      }
      ASSERT_EQ(std::count_if(name.begin(), name.end(), IsChannelSeparator), 3) << name;
    }
  }
  EXPECT_GT(owner.size(), 100u);
}

TEST_F(OutsideBytesTest, ListsInTokens) {
  const std::vector<std::string> pieces = {"\"a:*\"",
                                           ",",
                                           R"({"channel":"b"})",
                                           R"({"channel":"c","allow":["publish"]})",
                                           R"("**")",
                                           "7",
                                           "null",
                                           "[",
                                           "]",
                                           R"({"allow":[]})"};
  for (int round = 0; round < kRounds; ++round) {
    const auto claims = auth::Claims::Parse("{\"channels\":[" + Made(pieces) + "]}");
    if (!claims.ok()) continue;
    const auto granted = GrantedChannels(*claims, "channels");
    if (granted.ok()) {
      ASSERT_LE(granted->subscribe.size(), kMaxGrantedChannels);
      ASSERT_LE(granted->publish.size(), kMaxGrantedChannels);
    }
    ASSERT_LE(RolesOf(*claims, "channels").size(), kMaxRoles);
  }
}

}  // namespace
}  // namespace spillway::edge::net
