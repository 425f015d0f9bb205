#include "services/ingest/normalise/framing.h"

#include <gtest/gtest.h>

#include <string>

namespace spillway::ingest {
namespace {

using std::string_literals::operator""s;

TEST(FramingTest, ConfluentHeader) {
  EXPECT_EQ(SkipConfluentHeader("\0\0\0\0\7{}"s), "{}");
  EXPECT_EQ(SkipConfluentHeader("\0\0\0\0\7"s), "");
  EXPECT_EQ(SkipConfluentHeader("\0\0\0\7"s), std::nullopt);
  EXPECT_EQ(SkipConfluentHeader("\1\0\0\0\7{}"s), std::nullopt);
  EXPECT_EQ(SkipConfluentHeader(""), std::nullopt);
}

TEST(FramingTest, MessageIndexes) {
  EXPECT_EQ(SkipMessageIndexes("\0x"s), "x");          // the first message
  EXPECT_EQ(SkipMessageIndexes("\2\0x"s), "x");        // [0]
  EXPECT_EQ(SkipMessageIndexes("\4\2\x80\1x"s), "x");  // [1, 64]
  EXPECT_EQ(SkipMessageIndexes(""), std::nullopt);
  EXPECT_EQ(SkipMessageIndexes("\4\2"s), std::nullopt);
  EXPECT_EQ(SkipMessageIndexes("\1x"s), std::nullopt);  // -1
  EXPECT_EQ(SkipMessageIndexes("\xff\xff\xff\xff\xff\xff"s), std::nullopt);
}

}  // namespace
}  // namespace spillway::ingest
