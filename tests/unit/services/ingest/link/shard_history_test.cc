// ShardCore: what a channel had after a position.

#include <gmock/gmock.h>

#include <limits>

#include "tests/unit/services/ingest/link/read_fixture.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

class ShardHistory : public ReadTest {};

TEST_F(ShardHistory, HistoryComesFromTheLog) {
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 103}) Live(offset);
  core_->OnLiveRecord(1, KeyedRecord(104, "other", "k", "{}", 1), now_);
  History(1, 100, 0);
  EXPECT_EQ(Answer(1), "1:101 1:103 as of 104 complete");
  History(2, 104, 0);
  EXPECT_EQ(Answer(2), " as of 104 complete");
}

TEST_F(ShardHistory, HistoryWaitsForItsPlace) {
  TakeUpAtEnd(0, 100);
  History(1, 99, 100);
  EXPECT_EQ(Answer(1), "none yet");
  Live(100);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "1:100 as of 100 complete");
}

TEST_F(ShardHistory, WhatIsNoOffsetIsTakenForTheNextThatCouldBeOne) {
  TakeUpAtEnd(0, 100);
  History(1, std::numeric_limits<int64_t>::max(), 0);
  EXPECT_EQ(Answer(1), absl::StrCat(" as of ", int64_t{1} << 62, " complete"));
}

// Reading again would else keep a large topic from ever having a whole snapshot.
TEST_F(ShardHistory, ABackfillGoesOnWhereItWasInterrupted) {
  Build(SmallLog(2), /*keeps_latest=*/true);
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 102, 103}) {
    Live(offset);
    Pump();
  }
  core_->OnLiveEnd(1, 104, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 0"));
  Scanned(40);
  History(1, 98, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 99"));
  for (int64_t offset : {99, 100, 101}) Scanned(offset);
  Pump();
  Pass(milliseconds(100));
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 41"));
  Scanned(99);
  Snapshot(2, 0);
  EXPECT_EQ(Answer(2), "1:103 1:40 1:99 as of 103 complete");
}

TEST_F(ShardHistory, AQuietChannelHasNoGapThoughTheLogHasMovedOn) {
  Build(SmallLog(2), /*keeps_latest=*/true);
  TakeUpAtEnd(0, 100);
  Live(100);
  for (int64_t offset : {101, 102, 103, 104}) {
    core_->OnLiveRecord(1, KeyedRecord(offset, "other", "k", "{}", 1), now_);
  }
  History(1, 100, 0);
  EXPECT_EQ(Answer(1), " as of 104 complete");
  History(2, 99, 0);
  EXPECT_EQ(Answer(2), "none yet") << "100 is read again";
}

TEST_F(ShardHistory, HistoryComesInBoundedPieces) {
  ShardCore::Options options;
  options.history_bytes = 2 * EventRecord(100, "c", "{}", 1).bytes.size();
  Build(options, /*keeps_latest=*/true);
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 102, 103, 105}) Live(offset);
  History(1, 99, 0);
  EXPECT_EQ(Answer(1), "1:100 1:101 as of 101 complete");
  History(2, 101, 0);
  EXPECT_EQ(Answer(2), "1:102 1:103 as of 103 complete");
  History(3, 103, 0);
  EXPECT_EQ(Answer(3), "1:105 as of 105 complete");
}

TEST_F(ShardHistory, HistoryLooksAtABoundedNumberOfRecords) {
  ShardCore::Options options;
  options.history_records = 3;
  Build(options, /*keeps_latest=*/true);
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 102, 103}) {
    core_->OnLiveRecord(1, KeyedRecord(offset, "other", "k", "{}", 1), now_);
  }
  Live(104);
  History(1, 99, 0);
  EXPECT_EQ(Answer(1), " as of 102 complete") << "nothing of it found, and yet further";
  History(2, 102, 0);
  EXPECT_EQ(Answer(2), "1:104 as of 104 complete");
}

TEST_F(ShardHistory, EverySlotOfAHistoryReadComesFurther) {
  ShardCore::Options options;
  options.history_bytes = 1;
  options.history_records = 1;
  Build(options, /*keeps_latest=*/true);
  core_->AddSlot({.id = 2, .topic = "t", .partition = 1, .keeps_latest = false, .horizon_ms = 0});
  TakeUpAtEnd(0, 100);
  v1::Attach attach = Request(12, 2);
  attach.set_end(true);
  core_->OnAttach(1, attach, now_);
  core_->OnResolved(2, 0, 50, now_);
  for (int64_t offset : {100, 101}) Live(offset);
  for (int64_t offset : {50, 51}) {
    core_->OnLiveRecord(2, KeyedRecord(offset, "c", "k", "{}", 2), now_);
  }
  core_->ReadHistory(1, "c", {At(1, 99), At(2, 49)}, {}, now_);
  EXPECT_EQ(Answer(1), "1:100 2:50 as of 100 as of 50 complete");
}

}  // namespace
}  // namespace spillway::ingest
