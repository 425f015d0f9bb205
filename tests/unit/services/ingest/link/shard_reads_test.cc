// ShardCore: backfill, snapshots, history.

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class ShardReads : public ShardTest {
 protected:
  void SetUp() override { Build({}, /*keeps_latest=*/true); }

  // The reader has shown that it flows: now the backfill begins.
  void AtTheEnd(int64_t next_offset) { core_->OnLiveEnd(1, next_offset, now_); }
  void Snapshot(uint64_t id, int64_t not_before) {
    core_->ReadSnapshot(id, "c", {At(1, not_before)}, now_);
  }
  void History(uint64_t id, int64_t after, int64_t not_before) {
    core_->ReadHistory(id, "c", {At(1, after)}, {At(1, not_before)}, now_);
  }
  // An answer as text: its events' offsets, "as of", what it says of itself.
  std::string Answer(uint64_t id) {
    if (!sink_.reads.contains(id)) return "none yet";
    const ReadResult& result = sink_.reads[id];
    if (!result.error.empty()) return "error " + result.error;
    std::vector<std::string> events;  // a table keeps no order
    for (const auto& event : result.events) events.push_back(Text(*event));
    std::sort(events.begin(), events.end());
    std::string text = absl::StrJoin(events, " ");
    for (const v1::SlotOffset& as_of : result.as_of) {
      absl::StrAppend(&text, " as of ", as_of.offset());
    }
    for (const v1::Gap& gap : result.gaps) {
      absl::StrAppend(&text, " gap ", gap.from(), "..", gap.to(), " ", gap.reason());
    }
    absl::StrAppend(&text,
                    result.complete ? " complete" : absl::StrCat(" since ", result.since_us));
    return text;
  }
};

TEST_F(ShardReads, TheBackfillComesBehindLive) {
  TakeUpAtEnd(0, 100);
  EXPECT_THAT(source_.Take(), IsEmpty());
  AtTheEnd(100);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 0"));
  Scanned(10);
  Scanned(99);
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1"));
  Snapshot(1, 99);
  EXPECT_EQ(Answer(1), "1:10 1:99 as of 99 complete");
}

TEST_F(ShardReads, WhoeverReadsEverythingNeedsNoBackfill) {
  Open(1);
  AttachBegin(1, 11);
  core_->OnResolved(1, 0, 2, now_);
  Live(0);
  AtTheEnd(2);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 0"));
  Snapshot(1, 1);
  EXPECT_EQ(Answer(1), "1:0 as of 1 complete");
}

TEST_F(ShardReads, AHorizonBeginsAtATime) {
  Build({}, /*keeps_latest=*/true, /*horizon_ms=*/60'000);
  Pass(milliseconds(0));
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 0 time 940000"));
  Scanned(99);
  Snapshot(1, 99);
  EXPECT_EQ(Answer(1), "1:99 as of 99 since 940000000");
}

TEST_F(ShardReads, ASnapshotWaitsForItsPlace) {
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  Scanned(99);
  Snapshot(1, 101);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "none yet");
  Live(100);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "none yet");
  Live(101);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "1:101 1:99 as of 101 complete");
}

TEST_F(ShardReads, ASnapshotWaitsAWhileForTheBackfill) {
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  Scanned(10);
  Snapshot(1, 99);
  Pass(milliseconds(2'900));
  EXPECT_EQ(Answer(1), "none yet");
  Pass(milliseconds(100));  // and then says from when on it knows
  EXPECT_EQ(Answer(1), "1:10 as of 99 since 0");
}

TEST_F(ShardReads, AReadThatCannotBeAnsweredEnds) {
  TakeUpAtEnd(0, 100);
  Snapshot(1, 500);
  Pass(milliseconds(9'900));
  EXPECT_EQ(Answer(1), "none yet");
  Pass(milliseconds(100));
  EXPECT_EQ(Answer(1), "error timeout");
}

TEST_F(ShardReads, SlotsNobodyIsAttachedToAreNotServed) {
  Snapshot(1, 0);
  EXPECT_EQ(Answer(1), "error not_served");
  History(2, 0, 0);
  EXPECT_EQ(Answer(2), "error not_served");
  core_->ReadSnapshot(3, "c", {At(77, 0)}, now_);
  EXPECT_EQ(Answer(3), "error not_served");
}

TEST_F(ShardReads, CatchingUpGoesBeforeTheBackfill) {
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  source_.Take();
  Open(2);
  AttachAfter(2, 22, 89);
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "stop scan 1", "scan 1 from 90"));
  core_->OnScanEnd(1, 100, now_);
  Pump(2);
  Pump(2);
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1"));
  Pass(milliseconds(100));
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 0"));  // begins again
}

TEST_F(ShardReads, ABackfillThatFailsIsTriedAgain) {
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  core_->OnScanError(1, "no broker", now_);
  source_.Take();
  Pass(milliseconds(900));
  EXPECT_THAT(source_.Take(), IsEmpty());
  Pass(milliseconds(200));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  core_->OnResolved(1, 20, 100, now_);  // retention has moved on: from 0 it would fail for ever
  Pass(milliseconds(100));
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 20"));
}

// Keys that come and go would else fill the table for good.
TEST_F(ShardReads, ASnapshotWithAHorizonGivesUpWhatIsOlder) {
  Build({}, /*keeps_latest=*/true, /*horizon_ms=*/60'000);
  Pass(milliseconds(1));
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  core_->OnScanEnd(1, 100, now_);
  NormalisedRecord record = KeyedRecord(100, "c", "k", "{}", 1);
  record.record.time_us = wall_us_;
  core_->OnLiveRecord(1, record, now_);
  Pass(milliseconds(60'000));
  EXPECT_GT(core_->latest_bytes(), 0u);
  Pass(milliseconds(1));
  EXPECT_EQ(core_->latest_bytes(), 0u);
}

TEST_F(ShardReads, CountsWhatTheTableGaveUpAtItsBound) {
  ShardCore::Options options;
  options.latest_bytes = 1'000;
  Build(options, /*keeps_latest=*/true);
  TakeUpAtEnd(0, 0);
  for (int64_t offset = 0; offset < 20; ++offset) {
    core_->OnLiveRecord(1, KeyedRecord(offset, "c", absl::StrCat("k", offset), "{}", 1), now_);
  }
  EXPECT_GT(core_->counters().latest_evicted, 10u);
  Snapshot(1, 19);
  EXPECT_THAT(Answer(1), testing::HasSubstr("1:19 as of 19 since"));
}

TEST_F(ShardReads, AnAttachmentWhoseScanFailsIsSentBack) {
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 89);
  core_->OnResolved(1, 0, 100, now_);
  sink_.Take(2);
  core_->OnScanError(1, "out of range", now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("refused 1#22 lost_position"));
}

TEST_F(ShardReads, HistoryComesFromTheLog) {
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 103}) Live(offset);
  core_->OnLiveRecord(1, KeyedRecord(104, "other", "k", "{}", 1), now_);
  History(1, 100, 0);
  EXPECT_EQ(Answer(1), "1:101 1:103 as of 104 complete");
  History(2, 104, 0);
  EXPECT_EQ(Answer(2), " as of 104 complete");
}

TEST_F(ShardReads, HistoryWaitsForItsPlace) {
  TakeUpAtEnd(0, 100);
  History(1, 99, 100);
  EXPECT_EQ(Answer(1), "none yet");
  Live(100);
  core_->Pump(now_);
  EXPECT_EQ(Answer(1), "1:100 as of 100 complete");
}

TEST_F(ShardReads, WhatTheLogNoLongerHasIsAGap) {
  Build(SmallLog(2), /*keeps_latest=*/true);
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 102, 103}) Live(offset);
  History(1, 99, 0);
  const std::string answer = Answer(1);
  EXPECT_THAT(answer, testing::HasSubstr("gap 100.."));
  EXPECT_THAT(answer, testing::HasSubstr("limit"));
  EXPECT_THAT(answer, testing::HasSubstr("1:103 as of 103"));
}

TEST_F(ShardReads, AQuietChannelHasNoGapThoughTheLogHasMovedOn) {
  Build(SmallLog(2), /*keeps_latest=*/true);
  TakeUpAtEnd(0, 100);
  Live(100);
  for (int64_t offset : {101, 102, 103, 104}) {
    core_->OnLiveRecord(1, KeyedRecord(offset, "other", "k", "{}", 1), now_);
  }
  History(1, 100, 0);
  EXPECT_EQ(Answer(1), " as of 104 complete");
  History(2, 99, 0);
  EXPECT_THAT(Answer(2), testing::HasSubstr("gap 100.."));
}

TEST_F(ShardReads, HistoryComesInBoundedPieces) {
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

TEST_F(ShardReads, HistoryLooksAtABoundedNumberOfRecords) {
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

TEST_F(ShardReads, EverySlotOfAHistoryReadComesFurther) {
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
