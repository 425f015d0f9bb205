#include "services/edge/session/token_source.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace spillway::edge {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string From(const AuthOptions& auth, Headers headers, Headers query = {}) {
  http::Request request;
  request.headers = std::move(headers);
  request.query = std::move(query);
  return std::string(TokenOf(auth, request));
}

TEST(TokenSource, TheFirstPlaceCounts) {
  AuthOptions auth;
  auth.cookie = "sid";
  const Headers all = {
      {"authorization", "Bearer h"}, {"sec-websocket-protocol", "bearer.p"}, {"cookie", "sid=c"}};
  EXPECT_EQ(From(auth, all, {{"token", "q"}}), "q");
  EXPECT_EQ(From(auth, all, {{"token", ""}}), "h");
  auth.header = "";
  EXPECT_EQ(From(auth, all), "p");
  auth.subprotocol_prefix = "";
  EXPECT_EQ(From(auth, all), "c");
  auth.cookie = "";
  EXPECT_EQ(From(auth, all), "");
}

TEST(TokenSource, Subprotocols) {
  const AuthOptions auth;
  const auto of = [&](const char* value) {
    return From(auth, {{"sec-websocket-protocol", value}});
  };
  EXPECT_EQ(of("json.v1, bearer.a.b.c"), "a.b.c");
  EXPECT_EQ(of("bearer.a ,json.v1"), "a");
  EXPECT_EQ(of("bearer., bearer.b"), "b");
  EXPECT_EQ(of("json.v1,,"), "");
  EXPECT_EQ(of("Bearer.a"), "");
  EXPECT_EQ(of("xbearer.a"), "");
  EXPECT_EQ(
      From(auth, {{"sec-websocket-protocol", "json.v1"}, {"sec-websocket-protocol", "bearer.t"}}),
      "t");
}

TEST(TokenSource, Cookies) {
  AuthOptions auth;
  auth.cookie = "sid";
  const auto of = [&](const char* value) { return From(auth, {{"cookie", value}}); };
  EXPECT_EQ(of("sid=t"), "t");
  EXPECT_EQ(of("a=b; sid=t; c=d"), "t");
  EXPECT_EQ(of("a=b;sid=\"t\""), "t");
  EXPECT_EQ(of("sid=a=b"), "a=b");
  EXPECT_EQ(of("xsid=t; sid2=t; SID=t; sid"), "");
  EXPECT_EQ(of("a=sid=t"), "");
  EXPECT_EQ(of("sid=; sid=t"), "t");
  EXPECT_EQ(of("sid=\""), "\"");
  EXPECT_EQ(of(";;;=;"), "");
}

TEST(TokenSource, OffersOfSubprotocols) {
  const auto offers = [](Headers headers) {
    http::Request request;
    request.headers = std::move(headers);
    return OffersSubprotocol(request, "json.v1");
  };
  EXPECT_TRUE(offers({{"sec-websocket-protocol", "a, json.v1"}}));
  EXPECT_FALSE(offers({{"sec-websocket-protocol", "json.v2, json.v11, bearer.json.v1"}}));
  EXPECT_FALSE(offers({}));
}

}  // namespace
}  // namespace spillway::edge
