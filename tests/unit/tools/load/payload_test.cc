#include "tools/load/payload.h"

#include <gmock/gmock.h>

namespace spillway::load {
namespace {

TEST(PayloadTest, HasItsMembersAndItsSize) {
  StreamOptions stream;
  stream.bytes = 80;
  PayloadWriter writer(stream);
  Stamp stamp;
  stamp.channel = 12;
  EXPECT_EQ(writer.Write(stamp, "k1"),
            R"({"c":"12","l":"0000000c000000000000000000000000","k":"k1",)"
            R"("pad":"xxxxxxxxxxxxx"})");
  EXPECT_EQ(writer.Write(stamp, "k1").size(), 80u);
  EXPECT_EQ(writer.Write(stamp, "").size(), 80u);
}

TEST(PayloadTest, IsNeverCutBelowItsMembers) {
  StreamOptions stream;
  stream.bytes = 1;
  PayloadWriter writer(stream);
  EXPECT_EQ(writer.Write({}, ""), R"({"c":"0","l":"00000000000000000000000000000000"})");
}

TEST(PayloadTest, TextDiffersFromOneToTheNext) {
  StreamOptions stream;
  stream.bytes = 200;
  stream.text = true;
  PayloadWriter writer(stream);
  Stamp stamp;
  const std::string first(writer.Write(stamp, ""));
  stamp.sequence = 1;
  EXPECT_NE(first.substr(60), std::string(writer.Write(stamp, "")).substr(60));
  for (stamp.sequence = 0; stamp.sequence < 10'000; stamp.sequence += 97) {
    ASSERT_EQ(writer.Write(stamp, "").size(), 200u);
  }
  EXPECT_THAT(first, ::testing::HasSubstr("bid "));
}

}  // namespace
}  // namespace spillway::load
