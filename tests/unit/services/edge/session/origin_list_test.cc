#include "services/edge/session/origin_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;

bool Allows(const std::vector<std::string>& listed, const std::vector<std::string>& sent) {
  const auto list = OriginList::Compile(listed);
  EXPECT_TRUE(list.ok()) << list.status();
  http::Request request;
  for (const std::string& origin : sent) request.headers.emplace_back("origin", origin);
  return list.ok() && list->Allows(request);
}

TEST(OriginList, NothingListedIsAny) {
  EXPECT_TRUE(Allows({}, {"https://evil.example"}));
  EXPECT_TRUE(Allows({}, {}));
}

TEST(OriginList, ExactOrigins) {
  const std::vector<std::string> list = {"https://app.example.com", "http://localhost:3000"};
  EXPECT_TRUE(Allows(list, {"https://app.example.com"}));
  EXPECT_TRUE(Allows(list, {"HTTPS://App.Example.com:443"}));
  EXPECT_TRUE(Allows(list, {"http://localhost:3000"}));
  EXPECT_TRUE(Allows(list, {}));  // no browser
  for (const char* other :
       {"http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil",
        "https://xapp.example.com", "http://localhost", "http://localhost:30001", "null", "",
        "app.example.com", "https://", "https://app.example.com/", "https://a@app.example.com",
        "https://app.example.com https://evil", "https://evil,https://app.example.com"}) {
    EXPECT_FALSE(Allows(list, {other})) << other;
  }
  EXPECT_FALSE(Allows(list, {"https://app.example.com", "https://evil.example"}));
  EXPECT_FALSE(Allows(list, {"https://" + std::string(10'000, 'a')}));
}

TEST(OriginList, EveryNameBelowOne) {
  const std::vector<std::string> list = {"https://*.Example.com"};
  EXPECT_TRUE(Allows(list, {"https://a.example.com"}));
  EXPECT_TRUE(Allows(list, {"https://a.b.example.com"}));
  for (const char* other :
       {"https://example.com", "https://.example.com", "https://evilexample.com",
        "https://a.example.com:8443", "http://a.example.com", "https://a.example.com.evil"}) {
    EXPECT_FALSE(Allows(list, {other})) << other;
  }
  EXPECT_TRUE(Allows({"https://*.example.com:8443"}, {"https://a.example.com:8443"}));
}

TEST(OriginList, NullMustBeListed) {
  EXPECT_FALSE(Allows({"https://a.example"}, {"null"}));
  EXPECT_TRUE(Allows({"null"}, {"null"}));
  EXPECT_FALSE(Allows({"null"}, {"https://a.example"}));
}

TEST(OriginList, MistakesAreTold) {
  for (const char* wrong : {"", "*", "app.example.com", "https://", "https://*", "https://*.",
                            "https://a.*.com", "https://a.example/path", "https://*.*.com"}) {
    EXPECT_THAT(std::string(OriginList::Compile({wrong}).status().message()),
                HasSubstr(std::string("'") + wrong + "' is no origin"));
  }
}

}  // namespace
}  // namespace spillway::edge
