// HubShard: subscriptions that are taken up again.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class HubResume : public HubTest {
 protected:
  // Slot n's source is "tn/0@0".
  HubShard::SubscribeResult ResumeAt(Resume position, bool snapshot = false) {
    return hub_->Subscribe(&client_, "c", snapshot, now_, Frequency::kHigh,
                           std::make_unique<Resume>(std::move(position)));
  }
  // An answer that begins with a gap.
  void AnswerGap(uint64_t read_id, SlotNumber slot, EdgeReadResult::Gap gap,
                 std::vector<int64_t> offsets, int64_t as_of) {
    EdgeReadResult result;
    result.gaps.push_back(std::move(gap));
    for (int64_t offset : offsets) result.events.push_back(Event(slot, offset));
    result.as_of.push_back({slot, as_of, 0});
    hub_->OnRead(read_id, result, now_);
  }
};

TEST_F(HubResume, WhatItMissedComesFromTheRing) {
  Slots(1);
  KeepOpen(9);
  Events({10, 11, 12});
  ResumeAt({{"t0/0@0", false, 10}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10", "0:11", "0:12"));
  EXPECT_THAT(upstream_.Take(), IsEmpty());
  Events({13});
  EXPECT_THAT(client_.Take(), ElementsAre("0:13"));
}

TEST_F(HubResume, WhatTheRingDoesNotHaveIsRead) {
  Slots(1);
  KeepOpen(9);
  Events({10, 11});
  ResumeAt({{"t0/0@0", false, 5}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:5"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 0:5"));
  Events({12});  // while it reads
  Answer(1, 0, {6, 8, 10}, 10);
  EXPECT_THAT(client_.Take(), ElementsAre("0:6", "0:8", "0:10", "0:11", "0:12"));
}

TEST_F(HubResume, GapsBetweenWhatWasReadAreToldInTheirPlace) {
  Slots(1);
  KeepOpen(9);
  Events({10, 20});
  ResumeAt({{"t0/0@0", false, 2}});
  client_.Take();
  client_.can_pull = false;
  EdgeReadResult result;
  for (int64_t offset : {5, 9, 15}) result.events.push_back(Event(0, offset));
  result.gaps = {{0, 3, 4, "compacted"}, {0, 10, 14, "compacted"}, {0, 16, 18, "compacted"}};
  result.as_of.push_back({0, 20, 0});
  hub_->OnRead(1, result, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:3..4 compacted"));
  client_.can_pull = true;
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("0:5", "0:9", "gap 0:10..14 compacted", "0:15",
                                          "gap 0:16..18 compacted"));
}

TEST_F(HubResume, OnAnEdgeThatDidNotHaveTheChannel) {
  Slots(1);
  Progress(0, 20);
  ResumeAt({{"t0/0@0", false, 15}});
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c"));
  Interest(20);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:15"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 0:15"));
  Events({21});
  Answer(1, 0, {17}, 20);
  EXPECT_THAT(client_.Take(), ElementsAre("0:17", "0:21"));
}

// Another edge was ahead of this one, or a leader lost its tail.
TEST_F(HubResume, AheadOfTheWorkerItWaitsAndTakesNothingTwice) {
  Slots(1);
  KeepOpen(9);
  Events({10});
  ResumeAt({{"t0/0@0", false, 12}});
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:12"));
  EdgeReadResult judged;
  judged.as_of.push_back({0, 12});
  judged.verdicts.push_back(Verdict::kUnproven);
  hub_->OnRead(1, judged, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:12"));
  Events({11, 12, 13});
  EXPECT_THAT(client_.Take(), ElementsAre("0:13"));
}

TEST_F(HubResume, APartitionThatCameIntoBeingSinceIsReadFromItsBeginning) {
  Slots(2);
  KeepOpen(9);
  Interest(40, 1);
  Progress(1, 40);
  ResumeAt({{"t0/0@0", false, 9}});
  Progress(0, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9 1:-1"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 1:-1"));
  Answer(1, 1, {0, 30}, 40);
  EXPECT_THAT(client_.Take(), ElementsAre("1:0", "1:30"));
}

TEST_F(HubResume, WhereItWasNowhereItBeginsNow) {
  Slots(2);
  KeepOpen(9);
  Interest(40, 1);
  Progress(0, 9);
  Events({41}, 1);
  ResumeAt({{"t0/0@0", false, 9}, {"t1/0@0", true, -1}, {"gone/0@0", false, 7}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9 1:41"));
}

TEST_F(HubResume, APartitionNobodyServesGoesOnFromItsOwnEntryWhenItComes) {
  Slots(2);
  KeepOpen(9);
  Progress(0, 9);
  ResumeAt({{"t0/0@0", false, 9}, {"t1/0@0", false, 30}});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9 1:pending"));
  Interest(40, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("joined 1:30"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 1:30"));
  Progress(1, 40);
  Answer(1, 1, {33}, 40);
  EXPECT_THAT(client_.Take(), ElementsAre("1:33"));
}

// Whoever is on his way is told too, and gets nothing of before afterwards.
TEST_F(HubResume, ASlotThatEndsIsToldToThoseOnTheirWay) {
  Slots(1);
  KeepOpen(9);
  Events({10, 11});
  keeper_.Take();
  FakeSubscriber full;
  ResumeAt({{"t0/0@0", false, 5}});
  upstream_.Take();
  hub_->Subscribe(&full, "c", false, now_, Frequency::kHigh,
                  std::make_unique<Resume>(Resume{{"t0/0@0", false, 4}}));
  full.can_pull = false;
  Answer(2, 0, {6, 9}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:5"));
  EXPECT_THAT(full.Take(), ElementsAre("subscribed c 0:4"));
  hub_->OnGap(0, 12, kNoEnd, kReset, now_);
  EXPECT_THAT(keeper_.Take(), ElementsAre("gap 0:12..9007199254740991 reset"));
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:6..9007199254740991 reset"));
  EXPECT_THAT(full.Take(), ElementsAre("gap 0:6..9007199254740991 reset"));
  Answer(1, 0, {6, 9}, 9);
  full.can_pull = true;
  hub_->OnWritable(&full, now_);
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(full.Take(), IsEmpty());
}

// What was asked for of it may never be answered.
TEST_F(HubResume, ASlotThatEndsHoldsNobodyUp) {
  Slots(2);
  KeepOpen(9);
  Interest(9, 1);
  Events({10, 11});
  Progress(1, 9);
  ResumeAt({{"t0/0@0", false, 5}, {"t1/0@0", false, 9}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:5 1:9"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 0:5"));
  hub_->OnGap(0, 12, kNoEnd, kReset, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:6..9007199254740991 reset"));
  auto without = std::make_shared<SlotTable>(*table_);
  without->slots[0] = nullptr;
  hub_->OnSlots(without, now_);
  Events({10}, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("1:10"));
  Answer(1, 0, {6, 9}, 9);
  EXPECT_THAT(client_.Take(), IsEmpty());
}

// Between the gap and the table without the slot.
TEST_F(HubResume, NobodyBeginsInASlotThatIsOver) {
  Slots(1);
  KeepOpen(9);
  hub_->OnGap(0, 10, kNoEnd, kReset, now_);
  Subscribe(client_);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:pending"));
  EXPECT_THAT(keeper_.Take(), ElementsAre("gap 0:10..9007199254740991 reset"));
}

// It is all for a client that was told the end of the old one, whatever it had shown.
TEST_F(HubResume, WhatComesInPlaceOfASlotThatEndedIsNewToIt) {
  Slots(2);
  KeepOpen(9);
  Interest(9, 1);
  client_.can_pull = false;
  Events({10});
  ResumeAt({{"t0/0@0", false, 9}, {"t1/0@0", false, 9}});
  hub_->OnGap(0, 11, kNoEnd, kReset, now_);
  EXPECT_THAT(client_.Take(),
              ElementsAre("subscribed c 0:9 1:9", "gap 0:10..9007199254740991 reset"));
  upstream_.Take();
  auto table = std::make_shared<SlotTable>(*table_);
  auto fresh = std::make_shared<SlotEntry>(*table->slots[0]);
  fresh->number = 2;
  fresh->incarnation = 1;
  fresh->source = "t0/0@1";
  table->slots[0] = nullptr;
  table->slots.push_back(fresh);
  hub_->OnSlots(table, now_);
  Interest(-1, 2);
  Events({0, 5}, 2);
  EXPECT_THAT(client_.Take(), ElementsAre("joined 2:-1"));
  EXPECT_THAT(upstream_.Take(), IsEmpty()) << "nothing to be judged";
  client_.can_pull = true;
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("2:0", "2:5"));
}

TEST_F(HubResume, WhatCannotBeHadIsAGapWithItsReason) {
  Slots(1);
  KeepOpen(9);
  Events({10});
  ResumeAt({{"t0/0@0", false, 3}}, /*snapshot=*/true);  // which nobody keeps
  client_.Take();
  upstream_.Take();
  AnswerGap(1, 0, {0, 4, 7, "retention"}, {8}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:4..7 retention", "0:8", "0:10"));
}

// The snapshot is in place of everything up to it: nothing of before comes after it.
TEST_F(HubResume, ASnapshotTakesThePlaceOfWhatCannotBeHad) {
  Slots(2, {0, 1});
  KeepOpen(9);
  Interest(29, 1);
  Events({10});
  Events({30}, 1);
  ResumeAt({{"t0/0@0", false, 3}, {"t1/0@0", false, 27}}, /*snapshot=*/true);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:3 1:27"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 0:3 1:27"));
  // Of two ingests: one has what it missed, the other has not.
  client_.can_pull = false;
  Answer(1, 1, {28, 29}, 29);
  AnswerGap(1, 0, {0, 4, 7, "limit"}, {8}, 9);
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(upstream_.Take(), ElementsAre("snapshot 2 c 0:10 1:30"));
  client_.can_pull = true;
  Events({11});
  Answer(2, 0, {10}, 10);
  Answer(2, 1, {30}, 31);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:4..10 limit", "gap 1:28..31 limit",
                                          "snapshot 0:10 1:30 as of 0:10 1:31 complete", "0:11"));
  Events({31, 32}, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("1:32"));
}

TEST_F(HubResume, WhereTheSnapshotFailsTooTheGapIsTold) {
  Slots(1, {0});
  KeepOpen(9);
  Events({10});
  ResumeAt({{"t0/0@0", false, 3}}, /*snapshot=*/true);
  client_.Take();
  upstream_.Take();
  AnswerGap(1, 0, {0, 4, 7, "limit"}, {8}, 9);
  Fail(2, 0, 10);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:4..10 limit", "snapshot failed 0:10"));
  Events({11});
  EXPECT_THAT(client_.Take(), ElementsAre("0:11"));
}

TEST_F(HubResume, WhereAllCanBeHadNoSnapshotIsSent) {
  Slots(1, {0});
  KeepOpen(9);
  Events({10});
  ResumeAt({{"t0/0@0", false, 3}}, /*snapshot=*/true);
  client_.Take();
  Answer(1, 0, {4}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("0:4", "0:10"));
}

// A partition without snapshots beside one with: it tells its own gap and goes on.
TEST_F(HubResume, OnlyPartitionsWithASnapshotStartOver) {
  Slots(2, {0});
  KeepOpen(9);
  Interest(29, 1);
  Progress(0, 9);
  Progress(1, 29);
  ResumeAt({{"t0/0@0", false, 3}, {"t1/0@0", false, 20}}, /*snapshot=*/true);
  client_.Take();
  upstream_.Take();
  client_.can_pull = false;
  AnswerGap(1, 1, {1, 21, 25, "limit"}, {26}, 29);
  AnswerGap(1, 0, {0, 4, 7, "limit"}, {8}, 9);
  EXPECT_THAT(upstream_.Take(), ElementsAre("snapshot 2 c 0:9"));
  EXPECT_THAT(client_.Take(), ElementsAre("gap 1:21..25 limit"));
  client_.can_pull = true;
  Answer(2, 0, {9}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:4..9 limit", "snapshot 0:9 as of 0:9 complete"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 3 c 1:25")) << "what it did not take yet";
  Answer(3, 1, {26}, 29);
  EXPECT_THAT(client_.Take(), ElementsAre("1:26"));
}

TEST_F(HubResume, AnEmptyPositionIsOlderThanEveryPartition) {
  Slots(1);
  KeepOpen(9);
  Progress(0, 9);
  ResumeAt({});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c 0:-1"));
}

}  // namespace
}  // namespace spillway::edge
