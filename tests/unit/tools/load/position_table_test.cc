#include "tools/load/position_table.h"

#include <gtest/gtest.h>

namespace spillway::load {
namespace {

constexpr char kSubscribed[] =
    R"({"type":"subscribed","channel":"a","snapshot":false,"position":[)"
    R"({"slot":3,"source":"t/0@0","offset":10,"fp":7},{"slot":4,"source":"t/1@0","pending":true}]})";

std::string Shown(const PositionTable& table) {
  std::string text;
  table.Append(0, &text);
  return text;
}

std::string Event(int slot, int offset) {
  return R"({"type":"event","channel":"a","event":"e","slot":)" + std::to_string(slot) +
         R"(,"offset":)" + std::to_string(offset) + R"(,"time":1,"data":{"slot":9,"offset":99}})";
}

TEST(PositionTableTest, KnowsNothingAtFirst) {
  PositionTable table(1);
  EXPECT_FALSE(table.known(0));
  EXPECT_EQ(Shown(table), "[]");
}

TEST(PositionTableTest, KeepsTheProofOfTheOlderOffset) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.TakeEvent(0, Event(3, 12));
  EXPECT_EQ(Shown(table), R"([{"source":"t/0@0","offset":12,"fp":7,"fp_offset":10},)"
                          R"({"source":"t/1@0","pending":true}])");
}

TEST(PositionTableTest, WhatWasPendingBeginsWithWhatComes) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.TakePositions(
      0, R"({"type":"joined","channel":"a","position":[{"slot":4,"source":"t/1@0","offset":-1}]})");
  EXPECT_EQ(Shown(table), R"([{"source":"t/0@0","offset":10,"fp":7,"fp_offset":10},)"
                          R"({"source":"t/1@0","offset":-1}])");
}

TEST(PositionTableTest, NeverGoesBack) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.TakeEvent(0, Event(3, 20));
  table.TakePositions(0, R"({"type":"checkpoint","channel":"a","position":[)"
                         R"({"slot":3,"source":"t/0@0","offset":15,"fp":8}]})");
  table.TakeEvent(0, Event(3, 11));
  EXPECT_EQ(Shown(table).substr(0, 60),
            R"([{"source":"t/0@0","offset":20,"fp":7,"fp_offset":10},{"sour)");
}

TEST(PositionTableTest, AGapIsBehindTheClient) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  const std::string gap =
      R"({"type":"gap","channel":"a","slot":3,"source":"t/0@0","from":11,"to":30,"reason":"limit"})";
  const PositionTable::Spoken spoken = PositionTable::WhatIsSpokenOf(gap);
  EXPECT_EQ(spoken.channel, "a");
  EXPECT_TRUE(spoken.gap);
  EXPECT_FALSE(PositionTable::WhatIsSpokenOf(kSubscribed).gap);
  EXPECT_EQ(
      PositionTable::WhatIsSpokenOf(R"({"type":"event","channel":"a","pattern":"*"})").channel,
      "*");
  table.TakePositions(0, gap);
  EXPECT_EQ(Shown(table).substr(0, 38), R"([{"source":"t/0@0","offset":30,"fp":7,)");
}

TEST(PositionTableTest, APositionThatWasNotTakenIsNotKept) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.TakePositions(0, R"({"type":"joined","channel":"a","position":[)"
                         R"({"slot":3,"source":"t/0@0","offset":-1}]})");
  EXPECT_EQ(Shown(table).substr(0, 34), R"([{"source":"t/0@0","offset":-1},{")");
  table.TakePositions(0, R"({"type":"checkpoint","channel":"a","position":[)"
                         R"({"slot":3,"source":"t/0@0","offset":9,"fp":5,"fp_offset":4}]})");
  EXPECT_EQ(Shown(table).substr(0, 53), R"([{"source":"t/0@0","offset":9,"fp":5,"fp_offset":4},{)");
}

TEST(PositionTableTest, SlotsOfAnotherConnectionMeanNothing) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.Disconnect();
  table.TakeEvent(0, Event(3, 50));
  EXPECT_EQ(Shown(table).substr(0, 36), R"([{"source":"t/0@0","offset":10,"fp":)");
}

TEST(PositionTableTest, WhatIsNotUnderstoodMovesNothing) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.TakePositions(0, "not JSON");
  table.TakeEvent(0, R"({"type":"event","channel":"a","event":"e","ephemeral":true,"time":1})");
  EXPECT_EQ(PositionTable::WhatIsSpokenOf("not JSON").channel, "");
  EXPECT_EQ(Shown(table).substr(0, 36), R"([{"source":"t/0@0","offset":10,"fp":)");
}

TEST(PositionTableTest, APartitionHasOneEntryWhateverANodeCallsIt) {
  PositionTable table(1);
  table.TakePositions(0, kSubscribed);
  table.TakePositions(
      0, R"({"type":"joined","channel":"a","position":[{"slot":5,"source":"t/0@1","offset":-1}]})");
  EXPECT_EQ(Shown(table), R"([{"source":"t/0@1","offset":-1},{"source":"t/1@0","pending":true}])");
  table.TakeEvent(0, Event(5, 2));
  table.Disconnect();
  table.TakePositions(
      0,
      R"({"type":"subscribed","channel":"a","position":[{"slot":1,"source":"t/0@0","offset":2}]})");
  table.TakeEvent(0, Event(1, 4));
  EXPECT_EQ(Shown(table), R"([{"source":"t/0@0","offset":4},{"source":"t/1@0","pending":true}])");
}

}  // namespace
}  // namespace spillway::load
