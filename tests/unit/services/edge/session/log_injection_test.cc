// What clients send ends up in log lines: it must stay a value there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "common/log/log.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LogInjectionTest : public SessionTest {
 protected:
  LogInjectionTest() {
    log::Options options;
    options.level = log::Level::kDebug;
    options.sink = [this](std::string_view line) { lines_.emplace_back(line); };
    log::Init(options);
  }
  ~LogInjectionTest() override { log::Init({}); }

  std::vector<std::string> lines_;
};

TEST_F(LogInjectionTest, WhateverIsSentALineStaysALine) {
  EndpointOptions endpoint;
  endpoint.origins = {"https://app.example.com"};
  limits_ = std::make_unique<ConnectionLimits>(ConnectionLimits::Options{.ips = {.failures = 40}},
                                               clock_);
  Build(endpoint);
  const std::string evil[] = {
      "\n{\"level\":\"error\",\"msg\":\"forged\"}",
      "\"}\n{\"msg\":\"forged\"}",
      "\r\nforged",
      std::string("nul\0inside", 10),
      "\x1b[31mred",
      "\xff\xfe",
      "\u2028forged",
      "\\\"",
      "%n%s{}",
  };
  for (const std::string& text : evil) {
    const size_t before = lines_.size();
    http::Request request = RequestOf({{"token", "secret" + text}}, "/ws" + text);
    acceptor_->OnUpgrade(request, 0);
    request.path = "/ws";
    request.headers = {{"origin", "https://" + text}, {"user-agent", text}};
    acceptor_->OnUpgrade(request, 0);
    request.headers.clear();
    acceptor_->OnUpgrade(request, 0);
    EXPECT_EQ(lines_.size(), before + 3);
  }
  simdjson::dom::parser parser;
  for (const std::string& line : lines_) {
    EXPECT_EQ(parser.parse(line).error(), simdjson::SUCCESS) << line;
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
    EXPECT_THAT(line, HasSubstr("\"msg\":\"upgrade refused\""));
    EXPECT_THAT(line, Not(HasSubstr("secret")));  // nothing of tokens
  }
}

TEST_F(LogInjectionTest, ALongOriginIsCut) {
  EndpointOptions endpoint;
  endpoint.origins = {"https://app.example.com"};
  Build(endpoint);
  http::Request request = RequestOf({});
  request.headers = {{"origin", std::string(10'000, 'x')}};
  acceptor_->OnUpgrade(request, 0);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_LT(lines_[0].size(), 600u);
}

}  // namespace
}  // namespace spillway::edge
