#include "services/edge/ws/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace spillway::edge::ws {
namespace {

bool Incrementally(std::string_view text, size_t piece) {
  Utf8Validator validator;
  for (size_t i = 0; i < text.size(); i += piece) {
    if (!validator.Feed(text.substr(i, piece))) return false;
  }
  return validator.complete();
}

TEST(Utf8Test, AgreesWithTheWholeTextCheckOnRandomBytes) {
  std::mt19937 random(5);
  const std::string alphabet =
      "aZ\x7F\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xDF\xE0\xE1\xED\xEE\xEF\xF0\xF1\xF4\xF5\xFF";
  int valid = 0;
  for (int i = 0; i < 300000; ++i) {
    std::string text(random() % 3 * 8, 'x');
    for (size_t n = 1 + random() % 4; n > 0; --n) text += alphabet[random() % alphabet.size()];
    const bool expected = IsUtf8(text);
    valid += expected;
    ASSERT_EQ(Incrementally(text, 1), expected);
    ASSERT_EQ(Incrementally(text, 3), expected);
    ASSERT_EQ(Incrementally(text, 100), expected);
  }
  EXPECT_GT(valid, 1000);
}

TEST(Utf8Test, FailsAtTheFirstImpossibleByte) {
  Utf8Validator validator;
  EXPECT_TRUE(validator.Feed("\xCE\xBA\xF4"));
  EXPECT_FALSE(validator.complete());
  EXPECT_FALSE(validator.Feed("\x90"));  // past U+10FFFF, whatever follows
}

TEST(Utf8Test, CutsAtACharacter) {
  EXPECT_EQ(CutUtf8("short", 10), "short");
  EXPECT_EQ(CutUtf8("ab\xC3\xA4", 3), "ab");
  EXPECT_EQ(CutUtf8("ab\xC3\xA4", 4), "ab\xC3\xA4");
  EXPECT_EQ(CutUtf8("\xE2\x82\xAC!", 2), "");
}

}  // namespace
}  // namespace spillway::edge::ws
