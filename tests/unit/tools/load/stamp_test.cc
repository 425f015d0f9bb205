#include "tools/load/stamp.h"

#include <gmock/gmock.h>

#include <string>

namespace spillway::load {
namespace {

std::string Written(const Stamp& stamp) {
  std::string text(Stamp::kSize, '?');
  WriteStamp(stamp, text.data());
  return text;
}

Stamp Example() {
  Stamp stamp;
  stamp.stream = 3;
  stamp.channel = 0xABCDE;
  stamp.sequence = 4'000'000'000;
  stamp.due_ns = 0x1122334455667788;
  return stamp;
}

TEST(StampTest, HasAFixedForm) {
  EXPECT_EQ(Written(Example()), R"("l":"030abcdeee6b28001122334455667788")");
  EXPECT_EQ(Written({}), R"("l":"00000000000000000000000000000000")");
}

TEST(StampTest, IsFoundAnywhere) {
  StampFinder finder;
  for (const char* before : {"", R"({"c":"x",)", R"({"l":"not one","a":)", R"({"type":"event",)"}) {
    for (const char* after : {"", "}", R"(,"pad":"xxxx"}})"}) {
      Stamp found;
      ASSERT_TRUE(finder.Find(before + Written(Example()) + after, &found)) << before << after;
      EXPECT_EQ(found.stream, 3);
      EXPECT_EQ(found.channel, 0xABCDEu);
      EXPECT_EQ(found.sequence, 4'000'000'000u);
      EXPECT_EQ(found.due_ns, 0x1122334455667788);
    }
  }
}

TEST(StampTest, EveryDigitIsRead) {
  constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    Stamp stamp;
    stamp.sequence = 0x11111111u * static_cast<uint32_t>(i);
    const std::string text = Written(stamp);
    EXPECT_EQ(text[Stamp::kMember.size() + 8], kHex[i]);
    Stamp found;
    StampFinder finder;
    ASSERT_TRUE(finder.Find(text, &found)) << text;
    EXPECT_EQ(found.sequence, stamp.sequence);
  }
}

TEST(StampTest, NothingElseIsTakenForOne) {
  StampFinder finder;
  Stamp found;
  EXPECT_FALSE(finder.Find("", &found));
  EXPECT_FALSE(finder.Find(R"({"l":"short"})", &found));
  EXPECT_FALSE(finder.Find(Written({}).substr(0, 20), &found));
  std::string broken = Written(Example());
  broken[12] = 'Z';
  EXPECT_FALSE(finder.Find(broken, &found));
  ASSERT_TRUE(finder.Find(Written(Example()) + "}", &found));
  // The place of the last one is only a hint.
  EXPECT_FALSE(finder.Find(std::string(100, 'x'), &found));
  EXPECT_TRUE(finder.Find(Written(Example()), &found));
}

}  // namespace
}  // namespace spillway::load
