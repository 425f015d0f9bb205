#include "tools/load/schedule.h"

#include <gmock/gmock.h>

#include <set>

namespace spillway::load {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(ScheduleTest, KeepsItsRateUntilTheEnd) {
  StreamOptions stream;
  stream.rate = 10;
  const Schedule schedule(stream, 2);
  EXPECT_EQ(schedule.Due(0), 0);
  EXPECT_EQ(schedule.Due(1), kSecond / 10);
  EXPECT_EQ(schedule.Due(19), 19 * kSecond / 10);
  EXPECT_EQ(schedule.Due(20), std::nullopt);
}

TEST(ScheduleTest, ACountEndsIt) {
  StreamOptions stream;
  stream.rate = 10;
  stream.count = 3;
  EXPECT_EQ(Schedule(stream, 0).Due(2), kSecond / 5);
  EXPECT_EQ(Schedule(stream, 0).Due(3), std::nullopt);
  stream.rate = 0;
  EXPECT_EQ(Schedule(stream, 1).Due(2), 0);  // as fast as can be
  EXPECT_EQ(Schedule(stream, 1).Due(3), std::nullopt);
}

TEST(ScheduleTest, ABurstIsFasterForItsTime) {
  StreamOptions stream;
  stream.rate = 10;
  stream.burst = 10;
  stream.burst_at = 1;
  stream.burst_for = 2;
  const Schedule schedule(stream, 5);
  EXPECT_EQ(schedule.Due(9), 9 * kSecond / 10);
  EXPECT_EQ(schedule.Due(10), kSecond);
  EXPECT_EQ(schedule.Due(11), kSecond + kSecond / 100);
  EXPECT_EQ(schedule.Due(210), 3 * kSecond);
  EXPECT_EQ(schedule.Due(211), 3 * kSecond + kSecond / 10);
  EXPECT_EQ(schedule.Due(229), 49 * kSecond / 10);
  EXPECT_EQ(schedule.Due(230), std::nullopt);
}

std::vector<uint32_t> Picked(Pick pick, uint32_t channels, int count) {
  StreamOptions stream;
  stream.pick = pick;
  stream.channels = channels;
  ChannelPicker picker(stream);
  std::vector<uint32_t> counts(channels);
  for (int i = 0; i < count; ++i) ++counts.at(picker.Next());
  return counts;
}

TEST(ChannelPickerTest, InTurnEveryoneGetsTheSame) {
  EXPECT_THAT(Picked(Pick::kTurn, 4, 12), ::testing::Each(3));
  EXPECT_THAT(Picked(Pick::kTurn, 1, 12), ::testing::ElementsAre(12));
}

TEST(ChannelPickerTest, AtRandomEveryoneGetsAboutTheSame) {
  for (const uint32_t count : Picked(Pick::kRandom, 10, 100'000)) EXPECT_NEAR(count, 10'000, 500);
}

TEST(ChannelPickerTest, ZipfsFirstGetsTwiceTheSecond) {
  const std::vector<uint32_t> counts = Picked(Pick::kZipf, 100, 100'000);
  EXPECT_NEAR(counts[0], 19'300, 600);  // 1 / H(100)
  EXPECT_NEAR(counts[0] / 2.0, counts[1], 600);
  EXPECT_NEAR(counts[0] / 10.0, counts[9], 300);
  EXPECT_GT(counts[99], 0u);
}

}  // namespace
}  // namespace spillway::load
