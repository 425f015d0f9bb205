// ShardCore: what a channel had after a position, where the log has it no more and Kafka is read
// again.

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/read_fixture.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

// The log holds 102 and 103 of what came since 100.
class PastTheLog : public ReadTest {
 protected:
  void SetUp() override { Start(Options()); }
  void Start(ShardCore::Options options, int64_t begin = 0) {
    Build(options);
    TakeUpAtEnd(begin, 100);
    for (int64_t offset : {100, 101, 102, 103}) {
      Live(offset);
      Pump();
    }
  }
  static ShardCore::Options Options() {
    ShardCore::Options options = SmallLog(2);
    options.most_reread_lead = 0;
    return options;
  }
  // What is read again has a window of so many records.
  void StartWithWindow(size_t records) {
    ShardCore::Options options = Options();
    options.history.reread_window_bytes = records * EventRecord(100, "c", "{}", 1).cost();
    Start(options);
  }
};

TEST_F(PastTheLog, KafkaIsReadAgain) {
  History(1, 97, 0);
  EXPECT_EQ(Answer(1), "none yet");
  EXPECT_THAT(source_.Take(), IsEmpty()) << "others may ask in the same turn";
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 98"));
  Scanned(98);
  core_->OnScanRecord(1, KeyedRecord(99, "other", "k", "{}", 1), now_);
  Scanned(100);
  Pump();
  EXPECT_EQ(Answer(1), "1:100 1:98 as of 100 complete");
  EXPECT_THAT(source_.Take(), IsEmpty()) << "it reads ahead of the next one";
  Scanned(101);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1")) << "the log goes on from there";
  History(2, 100, 0);
  EXPECT_EQ(Answer(2), "1:101 as of 101 complete") << "of what was read just now";
  History(3, 101, 0);
  EXPECT_EQ(Answer(3), "1:102 1:103 as of 103 complete");
}

TEST_F(PastTheLog, ReadsShareAScanWhateverTheirChannels) {
  History(1, 98, 0);
  core_->ReadHistory(2, "other", {At(1, 96)}, {}, now_);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 97"));
  core_->OnScanRecord(1, KeyedRecord(97, "other", "k", "{}", 1), now_);
  Scanned(98);
  Pump();
  EXPECT_EQ(Answer(2), "1:97 as of 98 complete");
  EXPECT_EQ(Answer(1), "none yet") << "98 it has";
  Scanned(99);
  Pump();
  EXPECT_EQ(Answer(1), "1:99 as of 99 complete");
  EXPECT_EQ(core_->counters().rereads, 1u);
  EXPECT_EQ(core_->counters().reread_records, 3u);
}

TEST_F(PastTheLog, WhoIsBehindTheWindowWaitsForHisTurn) {
  History(1, 98, 0);
  Pump();
  History(2, 50, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 99"));
  Scanned(99);
  Pump();
  EXPECT_EQ(Answer(1), "1:99 as of 99 complete");
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 51"));
  Scanned(51);
  Pump();
  EXPECT_EQ(Answer(2), "1:51 as of 51 complete");
}

// Clients that were cut off together come back in any order.
TEST_F(PastTheLog, BeginsALittleEarlierForThoseWhoCameFromNearby) {
  ShardCore::Options options = Options();
  options.most_reread_lead = 4;
  Start(options, 10);
  History(1, 53, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 51")) << "a sixteenth of the way to 101";
  History(2, 51, 0);
  for (int64_t offset : {51, 52, 53, 54}) Scanned(offset);
  Pump();
  EXPECT_EQ(Answer(1), "1:54 as of 54 complete");
  EXPECT_EQ(Answer(2), "1:52 1:53 1:54 as of 54 complete");
  EXPECT_EQ(core_->counters().rereads, 1u);
}

TEST_F(PastTheLog, TheLeadIsBoundedAndEndsWhereTheTopicBegins) {
  ShardCore::Options options = Options();
  options.most_reread_lead = 1;
  Start(options, 10);
  History(1, 53, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 53"));
  options.most_reread_lead = 4;
  Start(options, 10);
  History(2, 11, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 10"));
}

TEST_F(PastTheLog, StopsWhenNobodyAsks) {
  History(1, 10, 0);
  Pump();
  Scanned(11);
  Pump();
  source_.Take();
  Pass(milliseconds(1'900));
  EXPECT_THAT(source_.Take(), IsEmpty());
  Pass(milliseconds(200));
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1"));
  History(2, 11, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 12")) << "goes on where it was";
  Scanned(12);
  Pump();
  EXPECT_EQ(Answer(2), "1:12 as of 12 complete");
  EXPECT_GT(core_->reread_bytes(), 0u);
  Pass(milliseconds(2'100));
  Pass(milliseconds(30'000));
  EXPECT_EQ(core_->reread_bytes(), 0u);
}

TEST_F(PastTheLog, ItDoesNotReadFarAheadOfThoseWhoAsk) {
  StartWithWindow(8);
  History(1, 10, 0);
  Pump();
  Scanned(11);
  Pump();
  source_.Take();
  Scanned(12);
  Pump();
  EXPECT_THAT(source_.Take(), IsEmpty());
  Scanned(13);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1"));
}

TEST_F(PastTheLog, TheWindowIsBounded) {
  StartWithWindow(4);
  History(1, 0, 0);
  Pump();
  for (int64_t offset = 1; offset < 50; ++offset) Scanned(offset);
  EXPECT_LE(core_->reread_bytes(), 4 * EventRecord(100, "c", "{}", 1).cost());
  Pump();
  EXPECT_EQ(Answer(1), "none yet") << "what it needs went by: it is read once more";
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 1", "stop scan 1", "scan 1 from 1"));
}

TEST_F(PastTheLog, WhatIsTooFarBackIsAGap) {
  ShardCore::Options options = Options();
  options.history.reread_records = 3;
  Start(options);
  History(1, 98, 0);
  Pump();
  EXPECT_EQ(Answer(1), "none yet");
  History(2, 97, 0);
  EXPECT_EQ(Answer(2), "1:102 1:103 as of 103 gap 98..101 limit complete");
  options.history.reread_records = 0;
  Start(options);
  History(3, 100, 0);
  EXPECT_EQ(Answer(3), "1:102 1:103 as of 103 gap 101..101 limit complete");
}

TEST_F(PastTheLog, ARoutesOwnBoundsGoBeforeTheShards) {
  core_->AddSlot(
      {.id = 2, .topic = "own", .history = HistoryBounds{.log = {}, .reread_records = 0}});
  v1::Attach attach = Request(22, 2);
  attach.set_end(true);
  core_->OnAttach(1, attach, now_);
  core_->OnResolved(2, 0, 100, now_);
  for (int64_t offset = 100; offset < 110; ++offset) {
    core_->OnLiveRecord(2, KeyedRecord(offset, "c", "k", "{}", 1), now_);
    Pump();
  }
  const auto sizes = core_->log_bytes();
  EXPECT_GT(sizes, 10 * EventRecord(100, "c", "{}", 1).cost()) << "a log of two holds less";
}

TEST_F(PastTheLog, WhatKafkaNoLongerHasIsAGap) {
  Start(Options(), 90);
  History(1, 80, 0);
  EXPECT_EQ(Answer(1), " as of 89 gap 81..89 retention complete");
  History(2, 89, 0);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 90"));
  core_->OnScanError(1, "out of range", now_);  // retention was faster
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "resolve 1"));
  core_->OnResolved(1, 95, 104, now_);
  Pump();
  EXPECT_EQ(Answer(2), " as of 94 gap 90..94 retention complete");
}

TEST_F(PastTheLog, AReadThatGetsNothingEnds) {
  History(1, 10, 0);
  Pump();
  Pass(milliseconds(9'900));
  EXPECT_EQ(Answer(1), "none yet");
  Pass(milliseconds(200));
  EXPECT_EQ(Answer(1), "error timeout");
}

TEST_F(PastTheLog, ALinkThatCatchesUpGoesFirst) {
  History(1, 10, 0);
  Pump();
  Scanned(11);
  source_.Take();
  Open(2);
  AttachAfter(2, 22, 89);
  core_->OnResolved(1, 0, 104, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "stop scan 1", "scan 1 from 90"));
  Pump();
  EXPECT_EQ(Answer(1), "1:11 as of 11 complete");
  History(2, 11, 0);
  Pump();
  EXPECT_THAT(source_.Take(), IsEmpty());
  core_->OnScanEnd(1, 104, now_);
  Pump(2);
  Pump(2);
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 12"));
}

TEST_F(PastTheLog, FewPartitionsAreReadAgainAtATime) {
  ShardCore::Options options = Options();
  options.rereads = 1;
  Start(options);
  core_->AddSlot({.id = 2, .topic = "t", .partition = 1, .keeps_latest = false, .horizon_ms = 0});
  v1::Attach attach = Request(12, 2);
  attach.set_end(true);
  core_->OnAttach(1, attach, now_);
  core_->OnResolved(2, 0, 50, now_);
  History(1, 10, 0);
  core_->ReadHistory(2, "c", {At(2, 10)}, {}, now_);
  source_.Take();
  Pump();
  const std::vector<std::string> first = source_.Take();
  ASSERT_EQ(first.size(), 1u);
  const SlotId slot = first[0] == "scan 1 from 11" ? 1 : 2;
  core_->OnScanRecord(slot, KeyedRecord(11, "c", "k", "{}", slot), now_);
  Pump();
  Pass(milliseconds(2'100));
  EXPECT_THAT(source_.Take(), ElementsAre(absl::StrCat("stop scan ", slot)));
  Pass(milliseconds(100));
  EXPECT_THAT(source_.Take(), ElementsAre(absl::StrCat("scan ", 3 - slot, " from 11")));
}

// Kafka has removed records of the topic that others of their key replaced.
class CompactedHistory : public PastTheLog {
 protected:
  void SetUp() override {
    Start(Options());
    core_->SetCompaction(1, Compaction::kYes);
  }
};

TEST_F(CompactedHistory, WhatIsMissingWhereKafkaIsReadAgainIsTold) {
  History(1, 90, 0);
  Pump();
  for (int64_t offset : {93, 94, 98}) Scanned(offset);
  core_->OnScanRecord(1, KeyedRecord(99, "other", "k", "{}", 1), now_);
  Scanned(101);
  Pump();
  EXPECT_EQ(Answer(1),
            "1:101 1:93 1:94 1:98 as of 101 gap 91..92 compacted gap 95..97 compacted gap 100..100 "
            "compacted complete");
}

TEST_F(CompactedHistory, WhatIsMissingAfterTheLastEventIsTold) {
  History(1, 96, 0);
  Pump();
  Scanned(97);
  core_->OnScanRecord(1, KeyedRecord(100, "other", "k", "{}", 1), now_);
  Pump();
  EXPECT_EQ(Answer(1), "1:97 as of 100 gap 98..99 compacted complete");
}

TEST_F(CompactedHistory, NothingIsToldOfWhatWasReadLive) {
  Live(110);  // after a hole: a transaction's marker, or records that were aborted
  History(1, 102, 0);
  EXPECT_EQ(Answer(1), "1:103 1:110 as of 110 complete");
}

TEST_F(PastTheLog, HolesOfATopicThatIsNotCompactedAreNoGaps) {
  History(1, 97, 0);
  Pump();
  Scanned(101);
  Pump();
  EXPECT_EQ(Answer(1), "1:101 as of 101 complete");
}

}  // namespace
}  // namespace spillway::ingest
