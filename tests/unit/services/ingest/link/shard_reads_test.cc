// ShardCore: backfill, snapshots.

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/services/ingest/link/read_fixture.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class ShardReads : public ReadTest {};

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
  EXPECT_EQ(Answer(1), " as of 99 since 0") << "what it has read back may not be the latest";
}

TEST_F(ShardReads, ClaimsNothingThatWasWrittenBeforeItBegan) {
  Pass(milliseconds(0));
  now_ += milliseconds(50);  // since the time was told
  TakeUpAtEnd(0, 100);
  AtTheEnd(100);
  Live(100);
  core_->Pump(now_);
  Snapshot(1, 100);
  Pass(milliseconds(3'000));
  EXPECT_EQ(Answer(1), "1:100 as of 100 since 1000050001");
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
  options.history.latest_bytes = 1'000;
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

}  // namespace
}  // namespace spillway::ingest
