// ShardCore: take-up, attaching, catching up, prepares.

#include <gmock/gmock.h>

#include "absl/strings/str_split.h"
#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class ShardAttach : public ShardTest {};

TEST_F(ShardAttach, TakesUpAfterAPosition) {
  Open(1);
  AttachAfter(1, 11, 41);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("live 1 from 42"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 41 interest 1"));
  Live(42);
  EXPECT_THAT(Pump(), ElementsAre("1:42 1#11<=42"));
}

TEST_F(ShardAttach, AnInterestInSeveralMessagesIsWholeForTheAttachBehindIt) {
  core_->OpenLink(1);
  core_->OnInterest(1, FullInterest(1, {"other"}));
  v1::Interest more;
  more.set_sequence(2);
  more.add_add("c");
  core_->OnInterest(1, more);
  AttachAfter(1, 11, 41);
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 41 interest 2"));
  Live(42);
  EXPECT_THAT(Pump(), ElementsAre("1:42 1#11<=42"));
  // The first of another whole one makes void what was wanted before.
  core_->OnInterest(1, FullInterest(3, {"other"}));
  Live(43);
  core_->OnBatchTaken(1);
  EXPECT_THAT(Pump(), ElementsAre("1#11<=43 interest 3 after 42"));
}

TEST_F(ShardAttach, TakesUpAtTheBeginning) {
  Open(1);
  AttachBegin(1, 11);
  core_->OnResolved(1, 20, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 20"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 19 interest 1"));
}

TEST_F(ShardAttach, TakesUpAtTheEnd) {
  Open(1);
  AttachEnd(1, 11);
  core_->OnResolved(1, 20, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 100"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 99 interest 1"));
}

TEST_F(ShardAttach, TakesAnEmptyPartitionUp) {
  Open(1);
  AttachEnd(1, 11);
  core_->OnResolved(1, 0, 0, now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after -1 interest 1"));
  Live(0);
  EXPECT_THAT(Pump(), ElementsAre("1:0 1#11<=0"));
}

TEST_F(ShardAttach, ReadsFromTheLowestOfThoseThatWait) {
  for (LinkId link : {1u, 2u, 3u}) Open(link);
  AttachAfter(1, 11, 60);
  AttachAfter(2, 22, 40);
  AttachEnd(3, 33);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));  // once for all of them
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("live 1 from 41"));
  Live(41);
  Live(61);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 60 interest 1", "1:61 1#11<=61"));
  EXPECT_THAT(sink_.Take(2),
              ElementsAre("attached 1#22 after 40 interest 1", "1:41 1:61 1#22<=61"));
  EXPECT_THAT(sink_.Take(3), ElementsAre("attached 1#33 after 99 interest 1"));
}

TEST_F(ShardAttach, SaysHowFarBackAReaderMayBegin) {
  Open(1);
  AttachAfter(1, 11, 41);
  core_->OnResolved(1, 35, 100, now_);
  EXPECT_EQ(source_.earliest, 35);
}

TEST_F(ShardAttach, WhatRetentionTookIsTold) {
  Open(1);
  AttachAfter(1, 11, 10);
  core_->OnResolved(1, 50, 100, now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 49 interest 1 gap 11..49 retention"));
  EXPECT_EQ(core_->counters().gaps, 1u);
}

TEST_F(ShardAttach, APositionAheadOfKafkasEndWaits) {
  Open(1);
  AttachAfter(1, 11, 100);
  core_->OnResolved(1, 0, 90, now_);
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  Pass(milliseconds(600));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  core_->OnResolved(1, 0, 101, now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 100 interest 1"));
}

TEST_F(ShardAttach, AsksAgainWhenKafkaDoesNotAnswer) {
  Open(1);
  AttachEnd(1, 11);
  core_->OnResolveFailed(1, "kafka_error", now_);
  source_.Take();
  Pass(milliseconds(499));
  EXPECT_THAT(source_.Take(), IsEmpty());
  Pass(milliseconds(1));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
}

TEST_F(ShardAttach, NobodyWaitsAnyMore) {
  Open(1);
  AttachEnd(1, 11);
  core_->CloseLink(1, now_);
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  EXPECT_EQ(core_->readers(), 0u);
}

TEST_F(ShardAttach, LaterAttachesAreServedFromTheLog) {
  TakeUpAtEnd(0, 100);
  for (int64_t offset : {100, 101, 102}) Live(offset);
  Pump();
  Open(2);
  AttachAfter(2, 22, 100);
  EXPECT_THAT(source_.Take(), IsEmpty());
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after 100 interest 1", "1:101 1:102 1#22<=102"));
  AttachEnd(2, 23);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#23 after 102 interest 1"));
}

TEST_F(ShardAttach, BelowTheLogAScanLeadsUpToIt) {
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 89);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));  // Kafka's own beginning decides
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 90"));
  Live(100);
  Scanned(90);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after 89 interest 1", "1:90 1#22<=90"));
  Scanned(99);
  EXPECT_THAT(Pump(2), ElementsAre("1:99 1#22<=99"));
  // The log goes on from 99: the scan ends, and nothing comes twice.
  EXPECT_THAT(Pump(2), ElementsAre("1:100 1#22<=100"));
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1"));
}

TEST_F(ShardAttach, AScanThatEndsInAHoleReachesTheLog) {
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 89);
  core_->OnResolved(1, 0, 100, now_);
  Scanned(95);
  core_->OnScanEnd(1, 100, now_);  // 96 to 99 were compacted away
  Live(100);
  Pump(2);
  EXPECT_THAT(Pump(2), ElementsAre("1:100 1#22<=100"));
}

TEST_F(ShardAttach, TwoLinksShareOneScan) {
  TakeUpAtEnd(0, 100);
  Open(2);
  Open(3);
  AttachAfter(2, 22, 79);
  core_->OnResolved(1, 0, 100, now_);
  source_.Take();
  Scanned(80);
  AttachAfter(3, 33, 84);
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));  // no second scan
  Scanned(85);
  core_->OnScanEnd(1, 100, now_);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(2),
              ElementsAre("attached 1#22 after 79 interest 1", "1:80 1:85 1#22<=99"));
  EXPECT_THAT(sink_.Take(3), ElementsAre("attached 1#33 after 84 interest 1", "1:85 1#33<=99"));
  EXPECT_EQ(core_->counters().scans, 1u);
}

TEST_F(ShardAttach, AnEarlierPositionBeginsTheScanAnew) {
  TakeUpAtEnd(0, 100);
  Open(2);
  Open(3);
  AttachAfter(2, 22, 79);
  core_->OnResolved(1, 0, 100, now_);
  Scanned(80);
  Pump(2);
  AttachAfter(3, 33, 49);
  source_.Take();
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 50"));
  for (int64_t offset : {50, 80, 90}) Scanned(offset);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("1:90 1#22<=90"));  // 80 does not come again
  EXPECT_THAT(sink_.Take(3),
              ElementsAre("attached 1#33 after 49 interest 1", "1:50 1:80 1:90 1#33<=90"));
}

TEST_F(ShardAttach, AScanWaitsForThoseItServes) {
  ShardCore::Options options;
  options.scan_window_bytes = 2 * EventRecord(10, "c", "{}", 1).cost();
  Build(options);
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 9);
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_TRUE(core_->scan_room());
  for (int64_t offset : {10, 11, 12}) Scanned(offset);
  EXPECT_FALSE(core_->scan_room());
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after 9 interest 1", "1:10 1:11 1:12 1#22<=12"));
  Pump(2);
  EXPECT_TRUE(core_->scan_room());
}

TEST_F(ShardAttach, ALinkThatTakesNothingWhileItCatchesUpIsCut) {
  TakeUpAtEnd(0, 100);
  Open(2);
  AttachAfter(2, 22, 9);
  core_->OnResolved(1, 0, 100, now_);
  Scanned(10);
  core_->Pump(now_);  // and it is never taken
  Pass(milliseconds(9'000));
  EXPECT_THAT(sink_.cut, IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(sink_.cut, ElementsAre(testing::Key(2)));
}

// One partition's backlog must not cost an edge all its partitions.
TEST_F(ShardAttach, WhatTheLogMovedPastIsReadAgainForWhomItIsMissing) {
  Build(SmallLog(2));
  core_->AddSlot({.id = 2, .topic = "t", .partition = 1});
  TakeUpAtEnd(0, 100);
  v1::Attach other = Request(12, 2);
  other.set_end(true);
  core_->OnAttach(1, other, now_);
  core_->OnResolved(2, 0, 100, now_);
  Open(2);
  AttachEnd(2, 22);
  Live(100);
  core_->Pump(now_);
  source_.Take();
  sink_.Take(1);
  // Link 1 takes nothing while ten records pass a log of two.
  for (int64_t offset = 101; offset < 111; ++offset) {
    Live(offset);
    Pump(2);
  }
  core_->OnBatchTaken(1);
  core_->OnLiveRecord(2, KeyedRecord(100, "c", "k", "{}", 2), now_);
  EXPECT_THAT(Pump(), ElementsAre("2:100 2#12<=100")) << "the other partition flows";
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 101"));
  EXPECT_EQ(core_->counters().behind, 1u);
  std::string all;
  for (int64_t offset = 101; offset < 111; ++offset) {
    Scanned(offset);
    for (const std::string& line : Pump()) absl::StrAppend(&all, line, "|");
  }
  Live(111);
  for (const std::string& line : Pump()) absl::StrAppend(&all, line, "|");
  for (const std::string& line : Pump()) absl::StrAppend(&all, line, "|");
  // Near the head the log serves several at once; nothing is missing, nothing comes twice.
  std::vector<std::string> events;
  const std::vector<std::string> words =
      absl::StrSplit(all, absl::ByAnyChar(" |"), absl::SkipEmpty());
  for (const std::string& word : words) {
    if (word.starts_with("1:")) events.push_back(word);
  }
  std::vector<std::string> wanted;
  for (int64_t offset = 101; offset < 112; ++offset) wanted.push_back(absl::StrCat("1:", offset));
  EXPECT_EQ(events, wanted) << all;
  EXPECT_THAT(sink_.cut, IsEmpty());
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1"));
}

TEST_F(ShardAttach, OneBatchIsUnderWayAndTheRestGathers) {
  TakeUpAtEnd(0, 100);
  Live(100);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("1:100 1#11<=100"));
  for (int64_t offset : {101, 102, 103}) {
    Live(offset);
    core_->Pump(now_);
  }
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  core_->OnBatchTaken(1);
  EXPECT_THAT(Pump(), ElementsAre("1:101 1:102 1:103 1#11<=103"));
}

TEST_F(ShardAttach, UnknownSlotsAreRefused) {
  Open(1);
  core_->OnAttach(1, Request(11, 9), now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 9#11 unknown_slot"));
}

TEST_F(ShardAttach, ASlotThatIsGoneEndsItsAttachments) {
  TakeUpAtEnd(0, 100);
  core_->RemoveSlot(1, "the topic was deleted");
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 1#11 unknown_slot"));
  EXPECT_THAT(source_.Take(), ElementsAre("stop live 1"));
  Live(100);  // what was on its way
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(Pump(), IsEmpty());
}

TEST_F(ShardAttach, ALostPositionSendsEveryoneBack) {
  TakeUpAtEnd(0, 100);
  core_->OnLiveError(1, /*lost_position=*/true, "offset_out_of_range", "out of range", now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 1#11 lost_position"));
  EXPECT_THAT(source_.Take(), ElementsAre("stop live 1"));
  AttachAfter(1, 12, 99);
  core_->OnResolved(1, 150, 200, now_);
  EXPECT_THAT(sink_.Take(1),
              ElementsAre("attached 1#12 after 149 interest 1 gap 100..149 retention"));
}

TEST_F(ShardAttach, AReaderLingersAfterItsLastAttachment) {
  TakeUpAtEnd(0, 100);
  v1::Detach detach;
  detach.set_slot(1);
  detach.set_attach_id(11);
  core_->OnDetach(1, detach, now_);
  Pass(milliseconds(59'000));
  EXPECT_THAT(source_.Take(), IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(source_.Take(), ElementsAre("stop live 1"));
  EXPECT_EQ(core_->readers(), 0u);
}

TEST_F(ShardAttach, ADetachThatComesLateEndsNothing) {
  TakeUpAtEnd(0, 100);
  AttachEnd(1, 12);
  v1::Detach detach;
  detach.set_slot(1);
  detach.set_attach_id(11);
  core_->OnDetach(1, detach, now_);
  Pass(milliseconds(70'000));
  EXPECT_EQ(core_->readers(), 1u);
}

TEST_F(ShardAttach, PrepareIsAnsweredOnceThePositionIsCovered) {
  Open(1);
  v1::Prepare prepare;
  prepare.set_slot(1);
  prepare.set_after(50);
  core_->OnPrepare(1, prepare, now_);
  core_->OnResolved(1, 0, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 51"));
  EXPECT_THAT(Pump(), ElementsAre("prepared 1 after 50"));
  EXPECT_THAT(Pump(), IsEmpty());
  // The attach that follows finds it reading.
  AttachAfter(1, 11, 50);
  EXPECT_THAT(source_.Take(), IsEmpty());
  EXPECT_THAT(sink_.Take(1), ElementsAre("attached 1#11 after 50 interest 1"));
}

TEST_F(ShardAttach, PrepareAheadOfTheHeadWaitsForIt) {
  TakeUpAtEnd(0, 100);
  Open(2);
  v1::Prepare prepare;
  prepare.set_slot(1);
  prepare.set_after(102);
  core_->OnPrepare(2, prepare, now_);
  Live(101);
  EXPECT_THAT(Pump(2), IsEmpty());
  Live(102);
  EXPECT_THAT(Pump(2), ElementsAre("prepared 1 after 102"));
}

}  // namespace
}  // namespace spillway::ingest
