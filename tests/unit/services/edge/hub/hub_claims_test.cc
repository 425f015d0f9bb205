// HubShard: positions that clients show are judged before anything is sent from there.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class HubClaims : public HubTest {
 protected:
  // Slot 0, whose ring holds 10 and 11, and what stands at 11.
  void SetUp() override {
    HubTest::SetUp();
    Slots(1);
    Filled();
  }
  void Filled() {
    KeepOpen(9);
    Events({10, 11});
    Mark(0, 11, 77);
  }
  void Mark(SlotNumber slot, int64_t at, uint16_t fingerprint) {
    EdgeBatch batch;
    batch.progress.push_back({slot, at + 1, fingerprint, 1});
    hub_->OnBatch(batch, now_);
    keeper_.Take();
  }
  static ResumeEntry Shown(int64_t offset, uint16_t fingerprint = 0, int64_t fingerprint_at = -1,
                           std::string source = "t0/0@0") {
    return {.source = std::move(source),
            .pending = false,
            .offset = offset,
            .fingerprint = fingerprint,
            .fingerprint_at = fingerprint_at};
  }
  void ResumeAt(Resume position, bool snapshot = false) {
    hub_->Subscribe(&client_, "c", snapshot, now_, Frequency::kHigh,
                    std::make_unique<Resume>(std::move(position)));
  }
  void Judged(uint64_t read_id, std::vector<std::pair<SlotNumber, Verdict>> verdicts,
              bool failed = false) {
    EdgeReadResult result;
    result.failed = failed;
    for (const auto& [slot, verdict] : verdicts) {
      result.as_of.push_back({slot, 0});
      if (!failed) result.verdicts.push_back(verdict);
    }
    hub_->OnRead(read_id, result, now_);
  }
  const HubShard::Counters& counters() const { return hub_->counters(); }
};

TEST_F(HubClaims, NothingIsSentBeforeItIsProven) {
  ResumeAt({Shown(10, 5, 8)});
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:10 #5@8"));
  Events({13});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Judged(1, {{0, Verdict::kProven}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10", "0:11", "0:13"));
  EXPECT_EQ(counters().positions_proven, 1u);
}

TEST_F(HubClaims, WhatThisEdgeHasToldItKnowsAgain) {
  FakeSubscriber other;
  Subscribe(other);  // is told what stands at 11
  ResumeAt({Shown(11, 77, 11)});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:11"));
  hub_->Remove(&client_);
  EXPECT_THAT(upstream_.Take(), IsEmpty());
}

// This edge may be the one that has not noticed that the topic was made anew.
TEST_F(HubClaims, WhatItKnowsOtherwiseIsAskedFor) {
  FakeSubscriber other;
  Subscribe(other);
  ResumeAt({Shown(11, 78, 11)});
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:11 #78@11"));
  // Whoever serves it has found out by this question: it is for the slot in its place.
  hub_->OnGap(0, 13, kNoEnd, kReset, now_);
  auto table = std::make_shared<SlotTable>(*table_);
  auto fresh = std::make_shared<SlotEntry>(*table->slots[0]);
  fresh->number = 1;
  fresh->incarnation = 1;
  fresh->source = "t0/0@1";
  table->slots[0] = nullptr;
  table->slots.push_back(fresh);
  hub_->OnSlots(table, now_);
  Judged(1, {{0, Verdict::kForeign}}, /*failed=*/true);
  Interest(-1, 1);
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 2 1:11 #78@11"));
  Judged(2, {{1, Verdict::kProven}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 1:11"));
}

TEST_F(HubClaims, WhatWasProvenOnceIsKnownAgain) {
  ResumeAt({Shown(10, 5, 8)});
  Judged(1, {{0, Verdict::kProven}});
  upstream_.Take();
  FakeSubscriber other;
  hub_->Subscribe(&other, "c", false, now_, Frequency::kHigh,
                  std::make_unique<Resume>(Resume{Shown(9, 5, 8)}));
  EXPECT_THAT(other.Take(), ElementsAre("subscribed c 0:9", "0:10", "0:11"));
  EXPECT_THAT(upstream_.Take(), IsEmpty());
}

TEST_F(HubClaims, AForeignOneIsToldAndBeginsNow) {
  ResumeAt({Shown(10, 5, 8)});
  Judged(1, {{0, Verdict::kForeign}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1", "gap 0:0..12 reset"));
  Events({13});
  EXPECT_THAT(client_.Take(), ElementsAre("0:13"));
  EXPECT_EQ(counters().positions_foreign, 1u);
}

// What it had missed of the old topic does not come either: never is that said by its place alone.
TEST_F(HubClaims, AForeignOneIsToldWhereNothingOfTheTopicIsThereYet) {
  Build();
  Slots(1);
  KeepOpen(-1);
  ResumeAt({Shown(10, 5, 8)});
  Judged(1, {{0, Verdict::kForeign}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1", "gap 0:0..-1 reset"));
  Events({0});
  EXPECT_THAT(client_.Take(), ElementsAre("0:0"));
}

TEST_F(HubClaims, AForeignOneIsToldBeforeASnapshotOfNothing) {
  Build();
  Slots(1, {0});
  KeepOpen(-1);
  ResumeAt({Shown(10, 5, 8)}, /*snapshot=*/true);
  Judged(1, {{0, Verdict::kForeign}});
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:10 #5@8", "snapshot 2 c 0:-1"));
  Answer(2, 0, {}, -1);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1", "gap 0:0..-1 reset",
                                          "snapshot as of 0:-1 complete"));
}

TEST_F(HubClaims, AForeignOneBeginsWithASnapshotWhereItIsWanted) {
  Build();
  Slots(2, {0, 1});
  Filled();
  Interest(29, 1);
  keeper_.Take();
  Events({30}, 1);
  upstream_.Take();
  ResumeAt({Shown(10, 5, 8), Shown(29, 6, 20, "t1/0@0")}, /*snapshot=*/true);
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:10 #5@8 1:29 #6@20"));
  // Of two ingests: the snapshot waits for both.
  Judged(1, {{0, Verdict::kForeign}});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Judged(1, {{1, Verdict::kProven}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1 1:29"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("snapshot 2 c 0:12 1:30"));
  Answer(2, 0, {10}, 12);
  Answer(2, 1, {30}, 31);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:0..12 reset", "gap 1:30..31 reset",
                                          "snapshot 0:10 1:30 as of 0:12 1:31 complete"));
}

TEST_F(HubClaims, WhatCannotBeKnownIsTakenAsItIs) {
  ResumeAt({Shown(10, 5, 8)});
  Judged(1, {{0, Verdict::kUnproven}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10", "0:11"));
  EXPECT_EQ(counters().positions_unproven, 1u);
}

TEST_F(HubClaims, WithoutAFingerprintNobodyIsAsked) {
  ResumeAt({Shown(10)});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10", "0:11"));
  EXPECT_THAT(upstream_.Take(), IsEmpty());
}

TEST_F(HubClaims, OneAheadOfThisWorkerIsAskedForAndPendingMeanwhile) {
  ResumeAt({Shown(500)});
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:500"));
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:pending"));
  Events({13});
  Judged(1, {{0, Verdict::kForeign}});
  EXPECT_THAT(client_.Take(), ElementsAre("joined 0:-1", "gap 0:0..13 reset"));
  Events({14});
  EXPECT_THAT(client_.Take(), ElementsAre("0:14"));
}

TEST_F(HubClaims, OneThatIsAheadOfThisEdgeOnlyWaits) {
  ResumeAt({Shown(14)});
  Judged(1, {{0, Verdict::kUnproven}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:14"));
  Events({13, 14, 15});
  EXPECT_THAT(client_.Take(), ElementsAre("0:15"));
}

TEST_F(HubClaims, WhatNobodyCouldJudgeInTimeIsToldAsAGap) {
  ResumeAt({Shown(10, 5, 8)});
  Judged(1, {{0, Verdict::kProven}}, /*failed=*/true);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10", "gap 0:11..12 limit"));
  EXPECT_EQ(counters().positions_unjudged, 1u);
}

TEST_F(HubClaims, OneAheadIsAskedForAgain) {
  ResumeAt({Shown(500)});
  upstream_.Take();
  Judged(1, {{0, Verdict::kProven}}, /*failed=*/true);
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 2 0:500"));
}

TEST_F(HubClaims, AnotherEdgesNumberOfTheTopicMeansNothing) {
  ResumeAt({Shown(5, 5, 3), Shown(10, 5, 8, "t0/0@3"), {.source = "t0/0@4", .pending = true}});
  EXPECT_THAT(upstream_.Take(), ElementsAre("judge 1 0:10 #5@8")) << "where it was last";
  Judged(1, {{0, Verdict::kProven}});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10", "0:11"));
}

TEST_F(HubClaims, UnderAnotherNumberItHasToBeProven) {
  ResumeAt({Shown(10, 0, -1, "t0/0@1")});
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1", "gap 0:0..12 reset"));
}

TEST_F(HubClaims, BeforeTheFirstRecordThereIsNothingToProve) {
  ResumeAt({Shown(-1, 0, -1, "t0/0@1")});
  upstream_.Take();
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:-1"));
  Answer(1, 0, {3}, 12);
  EXPECT_THAT(client_.Take(), ElementsAre("0:3"));
}

TEST(KnownMarks, AreBounded) {
  KnownMarks marks;
  for (int64_t at = 0; at < 70; ++at) marks.Add(3, {at, static_cast<uint16_t>(at + 1)});
  EXPECT_EQ(marks.Find(3, 5), std::nullopt);
  EXPECT_EQ(marks.Find(3, 6), 7);
  EXPECT_EQ(marks.Find(3, 69), 70);
  EXPECT_EQ(marks.Find(2, 69), std::nullopt);
  marks.Add(3, {80, 0});
  EXPECT_EQ(marks.Find(3, 80), std::nullopt) << "not known";
  marks.Forget(3);
  EXPECT_EQ(marks.Find(3, 69), std::nullopt);
}

}  // namespace
}  // namespace spillway::edge
