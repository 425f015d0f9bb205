#include "common/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/log/rate_limited.h"
#include "tests/support/fake_clock.h"

namespace spillway::log {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LogTest : public testing::Test {
 protected:
  LogTest() {
    options_.service = "edge";
    options_.node = "edge-0";
    options_.clock = &clock_;
    options_.sink = [this](std::string_view line) { lines_.emplace_back(line); };
    Init(options_);
  }
  ~LogTest() override { Init(Options()); }

  test::FakeClock clock_;
  Options options_;
  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesOneJsonObjectALine) {
  const std::string topic = "ticks";
  Info("topic attached", {{"topic", topic},
                          {"partition", 3},
                          {"offset", uint64_t{18'446'744'073'709'551'615u}},
                          {"lag", int64_t{-5}},
                          {"share", 0.5},
                          {"ok", true},
                          {"why", "a \"b\""}});
  EXPECT_THAT(lines_,
              ElementsAre(R"({"ts":"2026-01-01T00:00:00.000Z","level":"info","service":"edge",)"
                          R"("node":"edge-0","msg":"topic attached","topic":"ticks","partition":3,)"
                          R"("offset":18446744073709551615,"lag":-5,"share":0.5,"ok":true,)"
                          R"("why":"a \"b\""})"));
}

TEST_F(LogTest, HostileTextStaysInsideItsString) {
  Warn("bad\n{\"level\":\"info\"}", {{"value", std::string_view("{}%v\0\xFF", 6)}});
  EXPECT_THAT(lines_, ElementsAre(AllOf(HasSubstr(R"("msg":"bad\n{\"level\":\"info\"}")"),
                                        HasSubstr("\"value\":\"{}%v\\u0000\xEF\xBF\xBD\""))));
}

TEST_F(LogTest, LevelChangesAtRunTime) {
  Debug("1");
  SetLevel(Level::kDebug);
  Debug("2");
  SetLevel(Level::kError);
  Warn("3");
  Error("4");
  SetLevel(Level::kOff);
  Error("5");
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("\"msg\":\"2\""), HasSubstr("\"msg\":\"4\"")));
  EXPECT_FALSE(Enabled(Level::kOff));
}

TEST_F(LogTest, StaticFieldsAreOnEveryLine) {
  options_.static_fields = {{"environment", "test"}};
  options_.node.clear();
  Init(options_);
  Error("x");
  EXPECT_THAT(lines_, ElementsAre(AllOf(HasSubstr(R"("environment":"test","msg":"x")"),
                                        Not(HasSubstr("node")))));
}

TEST_F(LogTest, ParsesLevels) {
  EXPECT_EQ(ParseLevel("INFO"), Level::kInfo);
  EXPECT_EQ(ParseLevel("warning"), Level::kWarn);
  EXPECT_EQ(ParseLevel("verbose"), std::nullopt);
  for (const Level level :
       {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError, Level::kOff}) {
    EXPECT_EQ(ParseLevel(LevelName(level)), level);
  }
}

TEST_F(LogTest, RedactsSecrets) {
  EXPECT_EQ(Redact(""), "***");
  EXPECT_EQ(Redact("short"), "***");
  EXPECT_EQ(Redact("0123456789abcde"), "***");
  EXPECT_EQ(Redact("0123456789abcdef"), "***cdef");
  EXPECT_TRUE(IsSecretName("sasl.password"));
  EXPECT_TRUE(IsSecretName("JWT_SECRET"));
  EXPECT_TRUE(IsSecretName("Authorization"));
  EXPECT_FALSE(IsSecretName("bootstrap.servers"));
}

TEST_F(LogTest, RateLimitLetsOneLineThroughAndCountsTheRest) {
  RateLimited limited(clock_, milliseconds(1000));
  EXPECT_TRUE(limited.Warn("a", "bad record", {{"n", 1}}));
  EXPECT_FALSE(limited.Warn("a", "bad record", {{"n", 2}}));
  EXPECT_FALSE(limited.Warn("a", "bad record", {{"n", 3}}));
  EXPECT_TRUE(limited.Warn("b", "other"));
  clock_.Advance(milliseconds(999));
  EXPECT_FALSE(limited.Warn("a", "bad record", {{"n", 4}}));
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(limited.Warn("a", "bad record", {{"n", 5}}));
  clock_.Advance(milliseconds(1000));
  EXPECT_TRUE(limited.Warn("a", "bad record", {{"n", 6}}));  // counted once only
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("\"n\":1}"), HasSubstr("other"),
                                  HasSubstr("\"n\":5,\"suppressed\":3}"), HasSubstr("\"n\":6}")));
  EXPECT_EQ(limited.suppressed_total(), 3u);
}

TEST_F(LogTest, RateLimitBoundsItsKeys) {
  RateLimited limited(clock_, milliseconds(1000), 3);
  EXPECT_TRUE(limited.Warn("a", "x"));
  EXPECT_TRUE(limited.Warn("b", "x"));
  EXPECT_TRUE(limited.Warn("c", "x"));
  // Full: further keys share one line an interval.
  EXPECT_TRUE(limited.Warn("d", "x"));
  EXPECT_FALSE(limited.Warn("e", "x"));
  EXPECT_FALSE(limited.Warn("f", "x"));
  EXPECT_EQ(limited.keys(), 3u);
  clock_.Advance(milliseconds(1000));
  EXPECT_TRUE(limited.Warn("g", "x"));  // the old ones have made room
  EXPECT_EQ(limited.keys(), 1u);
}

TEST_F(LogTest, RateLimitCountsNothingBelowTheLevel) {
  RateLimited limited(clock_, milliseconds(1000));
  EXPECT_FALSE(limited.Log(Level::kDebug, "a", "x"));
  EXPECT_EQ(limited.keys(), 0u);
}

}  // namespace
}  // namespace spillway::log
