// ShardCore: whether what an attachment shows is of the topic as it is.

#include <gmock/gmock.h>

#include <limits>

#include "tests/unit/services/ingest/link/claims_fixture.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

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

// Whatever numbers an edge shows, the reader begins no earlier for them than for a record that is.
TEST_F(ShardProof, WhatIsNoOffsetIsReadForByNobody) {
  Build({});
  Open(1);
  Attach(1, 11, 50'000, 51, std::numeric_limits<int64_t>::min() + 1);
  core_->OnResolved(1, 10, 100'000, now_);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 50001"));
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

TEST_F(ShardProof, WhereRecordsStayNothingInItsPlaceIsAReset) {
  Build({});
  core_->SetCompaction(1, Compaction::kNo);
  Open(1);
  Attach(1, 11, 52, 51, 50);
  core_->OnResolved(1, 10, 100, now_);
  Pump();
  Live(53);
  EXPECT_THAT(Pump(), ElementsAre("refused 1#11 reset"));
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
