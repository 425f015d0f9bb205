#include "common/control/control_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace spillway::control {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const WallTime kStart = WallTime(seconds(1'800'000'000));

class ControlTableTest : public testing::Test {
 protected:
  int64_t At(seconds after) const { return ToUnixMicros(kStart + after); }
  v1::ControlEntry Entry(const std::string& user, seconds issued, seconds expires,
                         const std::string& node = "edge-1") {
    v1::ControlEntry entry;
    entry.set_kind(v1::CONTROL_KIND_USER_BLOCK);
    entry.set_subject(user);
    entry.set_issued_us(At(issued));
    entry.set_node_id(node);
    if (expires.count() != 0) entry.set_expires_us(At(expires));
    return entry;
  }
  v1::ControlEntry Removal(const std::string& user, seconds issued) {
    v1::ControlEntry entry = Entry(user, issued, issued + seconds(86'400));
    entry.set_removed(true);
    return entry;
  }
  bool Live(const ControlTable& table, const std::string& user, seconds after) {
    const v1::ControlEntry* entry = table.Find(v1::CONTROL_KIND_USER_BLOCK, user);
    return entry != nullptr && InForce(*entry, kStart + after);
  }
  using Merged = ControlTable::Merged;
};

TEST_F(ControlTableTest, TheLaterEntryCounts) {
  ControlTable table({});
  EXPECT_EQ(table.Merge(Entry("u", seconds(1), seconds(100)), kStart), Merged::kTaken);
  EXPECT_EQ(table.Merge(Entry("u", seconds(1), seconds(100)), kStart), Merged::kKnown);
  EXPECT_EQ(table.Merge(Removal("u", seconds(2)), kStart), Merged::kTaken);
  EXPECT_FALSE(Live(table, "u", seconds(3)));
  EXPECT_EQ(table.live(), 0u);
  EXPECT_EQ(table.remembered(), 1u);
  EXPECT_EQ(table.Merge(Entry("u", seconds(1), seconds(100)), kStart), Merged::kKnown)
      << "an older entry that comes late brings nothing back";
  EXPECT_EQ(table.Merge(Entry("u", seconds(3), seconds(100)), kStart), Merged::kTaken);
  EXPECT_TRUE(Live(table, "u", seconds(3)));
}

TEST_F(ControlTableTest, OfOneMomentTheNodeDecides) {
  ControlTable table({});
  table.Merge(Entry("u", seconds(1), seconds(100), "edge-2"), kStart);
  EXPECT_EQ(table.Merge(Entry("u", seconds(1), seconds(200), "edge-1"), kStart), Merged::kKnown);
  EXPECT_EQ(table.Merge(Entry("u", seconds(1), seconds(200), "edge-3"), kStart), Merged::kTaken);
}

// Any order, any repeats: one state.
TEST_F(ControlTableTest, MergingIsCommutativeAndIdempotent) {
  std::mt19937 random(static_cast<uint32_t>(testing::UnitTest::GetInstance()->random_seed()));
  const auto number = [&](int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random);
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<v1::ControlEntry> entries;
    for (int i = 0; i < 12; ++i) {
      const std::string user = "u" + std::to_string(number(3));
      const seconds issued(1 + number(4));
      entries.push_back(number(3) == 0
                            ? Removal(user, issued)
                            : Entry(user, issued, seconds(number(3) == 0 ? 0 : number(20)),
                                    "edge-" + std::to_string(number(2))));
    }
    std::map<std::string, std::string> first;
    for (int order = 0; order < 4; ++order) {
      std::shuffle(entries.begin(), entries.end(), random);
      ControlTable table({});
      for (const v1::ControlEntry& entry : entries) table.Merge(entry, kStart + seconds(10));
      for (int i = 0; i < 3; ++i) table.Merge(entries[static_cast<size_t>(i)], kStart);
      std::map<std::string, std::string> state;
      table.ForEach(
          [&](const v1::ControlEntry& entry) { state[KeyOf(entry)] = entry.SerializeAsString(); });
      if (order == 0) first = state;
      ASSERT_EQ(state, first) << "round " << round;
    }
  }
}

TEST_F(ControlTableTest, EntriesEnd) {
  ControlTable table({.max_entries = 10, .memory = hours(1)});
  table.Merge(Entry("short", seconds(1), seconds(10)), kStart);
  table.Merge(Entry("long", seconds(1), seconds(100)), kStart);
  table.Merge(Entry("ever", seconds(1), seconds(0)), kStart);
  EXPECT_TRUE(table.TakeEnded(kStart + seconds(9)).empty());
  const auto ended = table.TakeEnded(kStart + seconds(10));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].subject(), "short");
  EXPECT_TRUE(table.TakeEnded(kStart + seconds(10)).empty()) << "each once";
  EXPECT_EQ(table.live(), 2u);
  // It is remembered, so that what was issued before it does not count when it comes late.
  EXPECT_EQ(table.Merge(Entry("short", seconds(0), seconds(100)), kStart + seconds(20)),
            Merged::kKnown);
  table.TakeEnded(kStart + hours(2));
  EXPECT_EQ(table.live(), 1u);
  EXPECT_EQ(table.remembered(), 0u);
  EXPECT_TRUE(Live(table, "ever", hours(10'000)));
}

TEST_F(ControlTableTest, WhatHasEndedLongAgoIsNotKept) {
  ControlTable table({});
  table.Merge(Entry("u", seconds(1), seconds(0)), kStart);
  EXPECT_EQ(table.Merge(Entry("u", seconds(2), seconds(10)), kStart + hours(5)), Merged::kOver);
  EXPECT_EQ(table.Find(v1::CONTROL_KIND_USER_BLOCK, "u"), nullptr) << "it was the later one";
}

TEST_F(ControlTableTest, IsBounded) {
  ControlTable table({.max_entries = 2});
  EXPECT_EQ(table.Merge(Entry("a", seconds(1), seconds(50)), kStart), Merged::kTaken);
  EXPECT_EQ(table.Merge(Entry("b", seconds(1), seconds(50)), kStart), Merged::kTaken);
  EXPECT_EQ(table.Merge(Entry("c", seconds(1), seconds(50)), kStart), Merged::kFull);
  EXPECT_EQ(table.Merge(Entry("b", seconds(2), seconds(60)), kStart), Merged::kTaken)
      << "takes no more room";
  for (int i = 0; i < 5; ++i) {
    table.Merge(Removal("r" + std::to_string(i), seconds(i)), kStart);
  }
  EXPECT_EQ(table.remembered(), 2u);
  EXPECT_EQ(table.forgotten(), 3u);
  EXPECT_EQ(table.live(), 2u) << "what is lifted takes no room of what is in force";
  table.Merge(Removal("a", seconds(9)), kStart);
  EXPECT_EQ(table.Merge(Entry("c", seconds(1), seconds(50)), kStart), Merged::kTaken);
}

}  // namespace
}  // namespace spillway::control
