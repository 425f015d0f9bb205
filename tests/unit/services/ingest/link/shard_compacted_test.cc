// ShardCore: what compaction removed before it was read.

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/read_fixture.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

// Kafka has removed records of the topic that others of their key replaced.
class CompactedAttach : public ShardTest {
 protected:
  void SetUp() override {
    ShardTest::SetUp();
    core_->SetCompaction(1, Compaction::kYes);
  }
};

TEST_F(CompactedAttach, WhatIsMissingOnTheWayToTheLogIsTold) {
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 89);
  core_->OnResolved(1, 0, 100, now_);
  for (int64_t offset : {91, 92, 98, 99}) Scanned(offset);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after 89 interest 1",
                                   "attached 1#22 after 90 interest 1 gap 90..90 compacted"));
  EXPECT_THAT(Pump(2), ElementsAre("1:91 1:92 1#22<=92",
                                   "attached 1#22 after 97 interest 1 gap 93..97 compacted"));
  EXPECT_THAT(Pump(2), ElementsAre("1:98 1:99 1#22<=99"));
  Live(100);
  EXPECT_THAT(Pump(2), ElementsAre("1:100 1#22<=100"));
}

TEST_F(CompactedAttach, WhatIsMissingBeforeTheEndAtTakeUpIsTold) {
  Open(1);
  AttachAfter(1, 11, 89);
  core_->OnResolved(1, 0, 100, now_);
  sink_.Take(1);
  Live(95);
  Live(99);
  Live(105);  // written since: what is missing was never there for readers of committed records
  EXPECT_THAT(Pump(), ElementsAre("attached 1#11 after 94 interest 1 gap 90..94 compacted"));
  EXPECT_THAT(Pump(), ElementsAre("1:95 1#11<=95",
                                  "attached 1#11 after 98 interest 1 gap 96..98 compacted"));
  EXPECT_THAT(Pump(), ElementsAre("1:99 1:105 1#11<=105"));
}

TEST_F(CompactedAttach, WhatAReaderComesToLateMayHaveBeenRemoved) {
  TakeUpAtEnd(0, 100);
  core_->OnEndSeen(1, 110, now_);
  Pass(milliseconds(10'000));
  core_->OnEndSeen(1, 200, now_);
  Live(105);
  Live(150);
  EXPECT_THAT(Pump(), ElementsAre("attached 1#11 after 104 interest 1 gap 100..104 compacted"));
  EXPECT_THAT(Pump(), ElementsAre("1:105 1#11<=105",
                                  "attached 1#11 after 149 interest 1 gap 106..149 compacted"));
  Live(160);  // 151 to 159 were written in the last ten seconds
  EXPECT_THAT(Pump(), ElementsAre("1:150 1:160 1#11<=160"));
}

// The old value of a key may be gone while the record that replaced it was not read yet.
class CompactedSnapshot : public ReadTest {
 protected:
  void SetUp() override {
    ReadTest::SetUp();
    core_->SetCompaction(1, Compaction::kYes);
    Open(1);
    AttachAfter(1, 11, 89);
    core_->OnResolved(1, 0, 100, now_);
    Live(95);
    core_->Tick(now_, 5'000'000);
    for (int64_t offset : {10, 89}) Scanned(offset);
  }
};

TEST_F(CompactedSnapshot, WaitsForWhatWasThereWhenTheReaderBegan) {
  Snapshot(1, 95);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "none yet");
  Live(98);
  AtTheEnd(100);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "1:10 1:89 1:98 as of 99 complete");
}

TEST_F(CompactedSnapshot, IsNotCompleteWithoutIt) {
  Snapshot(1, 95);
  now_ += milliseconds(3'000);
  core_->Tick(now_, 5'000'000);
  EXPECT_EQ(Answer(1), "1:10 1:89 1:95 as of 95 since 5000000");
}

}  // namespace
}  // namespace spillway::ingest
