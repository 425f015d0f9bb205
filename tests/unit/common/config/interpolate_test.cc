#include "common/config/interpolate.h"

#include <gtest/gtest.h>

#include "tests/unit/common/config/fake_environment.h"

namespace spillway::config {
namespace {

class InterpolateTest : public testing::Test {
 protected:
  InterpolateTest() {
    environment_.variables = {{"A", "a"}, {"EMPTY", ""}, {"DOLLAR", "${A}"}};
    environment_.files = {{"/secret", "s3cret\n"}, {"/two", "x\n\n"}};
  }
  std::string Good(const std::string& text) {
    const auto result = Interpolate(text, environment_);
    EXPECT_TRUE(result.ok()) << text << ": " << result.status();
    return result.ok() ? result->text : "";
  }
  std::string Bad(const std::string& text) {
    const auto result = Interpolate(text, environment_);
    EXPECT_FALSE(result.ok()) << text;
    return std::string(result.status().message());
  }
  FakeEnvironment environment_;
};

TEST_F(InterpolateTest, Replaces) {
  EXPECT_EQ(Good("plain"), "plain");
  EXPECT_EQ(Good("${A}"), "a");
  EXPECT_EQ(Good("x${A}y${A}"), "xaya");
  EXPECT_EQ(Good("${EMPTY}"), "");
  EXPECT_EQ(Good("${NONE:-default}"), "default");
  EXPECT_EQ(Good("${EMPTY:-default}"), "default");
  EXPECT_EQ(Good("${NONE:-${EMPTY:-deep}}"), "deep");
  EXPECT_EQ(Good("${NONE:-}"), "");
  EXPECT_EQ(Good("${NONE:-host:9092}"), "host:9092");
  EXPECT_EQ(Good("${A:?needed}"), "a");
  EXPECT_EQ(Good("${DOLLAR}"), "${A}") << "what comes from outside is not looked into again";
}

TEST_F(InterpolateTest, LeavesOtherDollarsAndBraces) {
  EXPECT_EQ(Good("$$"), "$");
  EXPECT_EQ(Good("$${A}"), "${A}");
  EXPECT_EQ(Good("^a$"), "^a$");
  EXPECT_EQ(Good("$A {x} }"), "$A {x} }");
  EXPECT_FALSE(Interpolate("$$", environment_)->changed);
  EXPECT_TRUE(Interpolate("${NONE:-}", environment_)->changed);
}

TEST_F(InterpolateTest, Files) {
  EXPECT_EQ(Good("${file:/secret}"), "s3cret");
  EXPECT_EQ(Good("${file:/two}"), "x\n") << "only the last newline is cut";
  EXPECT_EQ(Bad("${file:/none}"), "cannot read file /none: No such file or directory");
}

TEST_F(InterpolateTest, Errors) {
  EXPECT_EQ(Bad("${NONE}"), "environment variable NONE is not set");
  EXPECT_EQ(Bad("${NONE:?set it}"), "environment variable NONE is not set: set it");
  EXPECT_EQ(Bad("${EMPTY:?set it}"), "environment variable EMPTY is empty: set it");
  EXPECT_EQ(Bad("${NONE:?}"), "environment variable NONE is not set");
  EXPECT_EQ(Bad("${A"), "${ without its }; write $$ for a $");
  EXPECT_EQ(Bad("${A:x}"), "after ${A: expected - or ?, found \"x\"");
  EXPECT_EQ(Bad("${1A}"),
            "\"${1A}\" is not ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:PATH}; "
            "write $$ for a $");
  std::string deep = "x";
  for (int i = 0; i < 20; ++i) deep = "${NONE:-" + deep + "}";
  EXPECT_EQ(Bad(deep), "${...} is nested too deeply");
}

}  // namespace
}  // namespace spillway::config
