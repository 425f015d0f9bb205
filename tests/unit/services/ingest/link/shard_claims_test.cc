// ShardCore: whether a position that was shown is one of the topic as it is.

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/claims_fixture.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(ShardClaims, TheLogKnows) {
  Judge(1, 103, 104, 103);
  EXPECT_EQ(Verdict(1), "proven");
  Judge(3, 105, 104, 103);
  EXPECT_EQ(Verdict(3), "proven") << "the record stands before the position";
  Judge(5, 103);
  EXPECT_EQ(Verdict(5), "unproven") << "nothing is shown";
  EXPECT_THAT(source_.Take(), IsEmpty());
}

// The log may be the one that is of another topic.
TEST_F(ShardClaims, WhatTheLogDeniesIsAskedOfKafka) {
  Judge(1, 103, 105, 103);
  Judge(2, 105, 104, 104);
  Pump();
  EXPECT_EQ(Verdict(1), "none yet");
  EXPECT_EQ(Verdict(2), "none yet");
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 103"));
  Scanned(103);
  Pump();
  EXPECT_EQ(Verdict(1), "foreign");
  core_->OnScanEnd(1, 106, now_);
  Pump();
  EXPECT_EQ(Verdict(2), "unproven") << "nothing stands there, perhaps no more";
}

// A transaction's marker, say, where the topic of before had a record.
TEST_F(ShardClaims, WhereRecordsStayNoneInItsPlaceSpeaksAgainstIt) {
  core_->SetCompaction(1, Compaction::kNo);
  Judge(1, 105, 104, 104);
  Pump();
  EXPECT_EQ(Verdict(1), "none yet") << "only Kafka knows, read since";
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 104"));
  core_->OnScanEnd(1, 106, now_);
  Pump();
  EXPECT_EQ(Verdict(1), "foreign");
}

TEST_F(ShardClaims, ALogThatKafkaDoesNotBearOutIsGivenUp) {
  Judge(1, 103, 9, 103);
  core_->Pump(now_);
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 103"));
  sink_.Take(1);
  NormalisedRecord other = KeyedRecord(103, "c", "k", "{}", 1);
  other.record.fingerprint = 9;
  core_->OnScanRecord(1, other, now_);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 1#11 lost_position"));
  EXPECT_EQ(Verdict(1), "error not_served")
      << "the edge is to know first that the topic is another";
}

// What was read again before a position was shown may be of another topic, too.
TEST_F(ShardClaims, OnlyWhatIsReadSinceSpeaksAgainstAPosition) {
  Judge(1, 60, 51, 50);
  Pump();
  Scanned(50);
  Scanned(52);
  Pump();
  source_.Take();
  Judge(2, 60, 51, 50);
  EXPECT_EQ(Verdict(2), "proven");
  Judge(3, 60, 9, 50);
  Judge(4, 60, 9, 51);
  Pump();
  EXPECT_EQ(Verdict(3), "none yet");
  EXPECT_EQ(Verdict(4), "none yet");
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 50"));
  Scanned(50);
  Scanned(52);
  Pump();
  EXPECT_EQ(Verdict(3), "foreign");
  EXPECT_EQ(Verdict(4), "unproven");
}

TEST_F(ShardClaims, BelowTheLogKafkaIsReadAgain) {
  Judge(1, 60, 51, 50);
  Judge(2, 61, 99, 52);
  Judge(3, 61, 53, 51);
  Pump();
  EXPECT_EQ(Verdict(1), "none yet");
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 50"));
  Scanned(50);
  Pump();
  EXPECT_EQ(Verdict(1), "proven");
  Scanned(52);
  Pump();
  EXPECT_EQ(Verdict(2), "foreign");
  EXPECT_EQ(Verdict(3), "unproven") << "a hole";
}

TEST_F(ShardClaims, WhatStandsFarFurtherHasATurnOfItsOwn) {
  ShardCore::Options options = SmallLog(2);
  options.claim_reread_records = 20;
  Build(options);
  TakeUpAtEnd(10, 100);
  Judge(1, 60, 51, 50);
  Judge(2, 80, 81, 80);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 50"));
  Scanned(50);
  Pump();
  EXPECT_EQ(Verdict(1), "proven");
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("stop scan 1", "scan 1 from 80"));
  Scanned(80);
  Pump();
  EXPECT_EQ(Verdict(2), "proven");
}

TEST_F(ShardClaims, WhatRetentionTookProvesNothing) {
  Judge(1, 60, 99, 9);
  EXPECT_EQ(Verdict(1), "none yet") << "the topic may be one that begins elsewhere";
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  core_->OnResolved(1, 10, 106, now_);
  Pump();
  EXPECT_EQ(Verdict(1), "unproven");
  EXPECT_THAT(source_.Take(), IsEmpty());
}

TEST_F(ShardClaims, WhereTheTopicBeginsEarlierItIsReadThere) {
  Judge(1, 8, 6, 5);
  source_.Take();
  core_->OnResolved(1, 0, 106, now_);
  Pump();
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 5"));
  Scanned(5);
  Pump();
  EXPECT_EQ(Verdict(1), "proven");
}

TEST_F(ShardClaims, WhileKafkaIsAwayNobodyWaitsForWhatProvesNothing) {
  core_->SetKafkaUp(false, now_);
  Judge(1, 60, 99, 9);
  EXPECT_EQ(Verdict(1), "unproven");
  Judge(2, 105, 104, 104);
  EXPECT_EQ(Verdict(2), "unproven");
  Judge(3, 103, 9, 103);
  EXPECT_EQ(Verdict(3), "none yet") << "that it is foreign, Kafka alone can say";
}

TEST_F(ShardClaims, WhatIsInKafkaButNotReadYetIsWaitedFor) {
  core_->OnEndSeen(1, 120, now_);
  Judge(1, 110, 111, 110);
  Judge(2, 110, 112, 110);
  Judge(3, 110);
  EXPECT_EQ(Verdict(1), "none yet");
  EXPECT_EQ(Verdict(3), "unproven");
  Live(110);
  Pump();
  EXPECT_EQ(Verdict(1), "proven");
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 110"));
  Scanned(110);
  Pump();
  EXPECT_EQ(Verdict(2), "foreign");
}

TEST_F(ShardClaims, BeyondTheEndItIsForeignOnceKafkaHasSaidSoTwice) {
  Judge(1, 106);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  core_->OnResolved(1, 10, 106, now_);
  Pump();
  EXPECT_EQ(Verdict(1), "none yet") << "a new leader may lag behind";
  EXPECT_THAT(source_.Take(), IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  core_->OnResolved(1, 10, 106, now_);
  Pump();
  EXPECT_EQ(Verdict(1), "foreign");
}

TEST_F(ShardClaims, AheadOfTheReaderOnlyItIsNotForeign) {
  Judge(1, 106, 107, 106);
  core_->OnResolved(1, 10, 106, now_);
  Pump();
  Pass(milliseconds(1'000));
  core_->OnResolved(1, 10, 107, now_);
  Pump();
  EXPECT_EQ(Verdict(1), "none yet");
  Live(106);
  Pump();
  EXPECT_EQ(Verdict(1), "proven");
}

// An answer that was asked for before the position was shown may be older than it.
TEST_F(ShardClaims, AnAnswerThatIsOnItsWayDoesNotCount) {
  AttachAfter(1, 12, 5);  // resolves
  ASSERT_THAT(source_.Take(), ElementsAre("resolve 1"));
  Judge(1, 106);
  core_->OnResolved(1, 10, 106, now_);
  Pump();
  Pass(milliseconds(1'000));
  source_.Take();
  core_->OnResolved(1, 10, 106, now_);
  Pump();
  EXPECT_EQ(Verdict(1), "none yet");
}

TEST_F(ShardClaims, WithoutAnAnswerOfKafkaItIsNotJudged) {
  Judge(1, 106);
  for (int n = 0; n < 21; ++n) {
    core_->OnResolveFailed(1, "kafka_error", now_);
    Pass(milliseconds(500));
  }
  EXPECT_EQ(Verdict(1), "error timeout");
}

TEST_F(ShardClaims, ASlotThatIsNotReadIsJudgedByNobody) {
  core_->RemoveSlot(1, "gone");
  Judge(1, 103, 104, 103);
  EXPECT_EQ(Verdict(1), "error not_served");
}

}  // namespace
}  // namespace spillway::ingest
