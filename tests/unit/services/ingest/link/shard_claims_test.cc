// ShardCore: whether a position that was shown is one of the topic as it is.

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

// Records have their offset + 1 for a fingerprint. The log holds 102 and 103.
class ShardClaims : public ShardTest {
 protected:
  void SetUp() override {
    Build(SmallLog(2));
    TakeUpAtEnd(10, 100);
    for (int64_t offset : {100, 101, 102, 103}) {
      Live(offset);
      Pump();
    }
    core_->OnLiveEnd(1, 106, now_);
    Pump();
    source_.Take();
  }
  void Judge(uint64_t id, int64_t offset, uint32_t fingerprint = 0, int64_t at = -1) {
    v1::Claim claim;
    claim.set_slot(1);
    claim.set_offset(offset);
    claim.set_fingerprint(fingerprint);
    claim.set_fingerprint_at(at);
    core_->Judge(id, {claim}, now_);
  }
  std::string Verdict(uint64_t id) {
    if (!sink_.reads.contains(id)) return "none yet";
    const ReadResult& result = sink_.reads[id];
    if (!result.error.empty()) return "error " + result.error;
    EXPECT_EQ(result.as_of.size(), 1u);
    EXPECT_TRUE(result.events.empty());
    switch (result.verdicts.at(0)) {
      case v1::VERDICT_PROVEN:
        return "proven";
      case v1::VERDICT_FOREIGN:
        return "foreign";
      default:
        return "unproven";
    }
  }
};

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

// Attachments that show where their edge was. What Kafka holds has its offset + 1 for a
// fingerprint.
class ShardProof : public ShardClaims {
 protected:
  void Attach(LinkId link, uint64_t attach_id, int64_t after, uint32_t fingerprint, int64_t at) {
    v1::Attach attach = Request(attach_id);
    attach.set_after(after);
    attach.set_fingerprint(fingerprint);
    attach.set_fingerprint_at(at);
    core_->OnAttach(link, attach, now_);
  }
};

TEST_F(ShardProof, WhatTheLogProvesFlowsAtOnce) {
  Open(2);
  Attach(2, 22, 102, 103, 102);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after 102 interest 1", "1:103 1#22<=105"));
}

TEST_F(ShardProof, ATakeUpReadsTheRecordThatProvesIt) {
  Build({});
  Open(1);
  Attach(1, 11, 52, 51, 50);
  core_->OnResolved(1, 10, 100, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 50"));
  EXPECT_THAT(Pump(), ElementsAre("attached 1#11 after 52 interest 1"));
  Live(50);
  Live(53);
  EXPECT_THAT(Pump(), ElementsAre("1:53 1#11<=53"));
}

TEST_F(ShardProof, AnotherRecordInItsPlaceIsAReset) {
  Build({});
  Open(1);
  Attach(1, 11, 52, 99, 50);
  core_->OnResolved(1, 10, 100, now_);
  Pump();
  Live(50);
  Live(53);
  EXPECT_THAT(Pump(), ElementsAre("refused 1#11 reset"));
  AttachBegin(1, 12);
  core_->OnResolved(1, 10, 100, now_);
  Pump();
  Scanned(50);
  Pump();
  core_->OnResolved(1, 10, 100, now_);
  EXPECT_THAT(Pump(), ElementsAre("attached 1#12 after 9 interest 1"));
}

// What is read for an edge is of the topic that its attachment is of.
TEST_F(ShardProof, NothingIsReadForAnAttachmentBeforeItIsProven) {
  Build({});
  Open(1);
  Attach(1, 11, 52, 51, 50);
  core_->OnResolved(1, 10, 53, now_);
  Pump();
  v1::SlotOffset place = At(1, 40);
  place.set_attach_id(11);
  core_->ReadSnapshot(1, "c", {place}, now_);
  v1::Claim claim;
  claim.set_slot(1);
  claim.set_offset(40);
  claim.set_attach_id(11);
  core_->Judge(2, {claim}, now_);
  Pump();
  EXPECT_FALSE(sink_.reads.contains(1));
  EXPECT_FALSE(sink_.reads.contains(2));
  Live(50);
  Pump();
  EXPECT_EQ(sink_.reads[1].error, "");
  EXPECT_EQ(sink_.reads[2].error, "");
}

TEST_F(ShardProof, NothingIsReadForAnAttachmentThatHasEnded) {
  Build({});
  Open(1);
  Attach(1, 11, 52, 99, 50);
  core_->OnResolved(1, 10, 53, now_);
  Pump();
  v1::SlotOffset place = At(1, 40);
  place.set_attach_id(11);
  core_->ReadSnapshot(1, "c", {place}, now_);
  Live(50);
  EXPECT_THAT(Pump(), ElementsAre("refused 1#11 reset"));
  EXPECT_EQ(sink_.reads[1].error, "not_served");
}

TEST_F(ShardProof, NothingInItsPlaceProvesNothing) {
  Build({});
  Open(1);
  Attach(1, 11, 52, 51, 50);
  core_->OnResolved(1, 10, 100, now_);
  Pump();
  Live(53);
  EXPECT_THAT(Pump(), ElementsAre("1:53 1#11<=53"));
}

TEST_F(ShardProof, BeyondTheEndItIsAResetOnceKafkaHasSaidSoTwice) {
  Build({});
  Open(1);
  Attach(1, 11, 500, 7, 499);
  core_->OnResolved(1, 0, 20, now_);
  EXPECT_THAT(Pump(), IsEmpty());
  Pass(milliseconds(500));
  core_->OnResolved(1, 0, 20, now_);
  EXPECT_THAT(Pump(), IsEmpty()) << "asked too soon";
  Pass(milliseconds(500));
  core_->OnResolved(1, 0, 20, now_);
  Pump();
  Pass(milliseconds(500));
  core_->OnResolved(1, 0, 20, now_);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 1#11 reset"));
}

// Which of the two is of another topic, the log or the edge's position, Kafka says.
TEST_F(ShardProof, ALogThatKafkaDoesNotBearOutIsGivenUp) {
  Open(2);
  now_ += milliseconds(1);
  Attach(2, 22, 103, 9, 103);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after 103 interest 1"));
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 103"));
  NormalisedRecord other = KeyedRecord(103, "c", "k", "{}", 1);
  other.record.fingerprint = 9;
  core_->OnScanRecord(1, other, now_);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("refused 1#22 lost_position"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 1#11 lost_position"));
}

TEST_F(ShardProof, APositionThatKafkaDoesNotBearOutIsAReset) {
  Open(2);
  now_ += milliseconds(1);
  Attach(2, 22, 103, 9, 103);
  Pump(2);
  Scanned(103);
  EXPECT_THAT(Pump(2), ElementsAre("refused 1#22 reset"));
  Live(106);
  EXPECT_THAT(Pump(1), ElementsAre("1:106 1#11<=106")) << "nobody else notices";
}

}  // namespace
}  // namespace spillway::ingest
