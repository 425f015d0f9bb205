// ShardCore: an attachment that begins before the first record shows nothing that could be proven:
// the log has to be one of the topic as Kafka has it now.

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class ShardBegin : public ShardTest {
 protected:
  // Link 1 is at the end of a log that holds 100 to 105; Kafka has everything from 0 on.
  void SetUp() override {
    Build({});
    TakeUpAtEnd(0, 100);
    for (int64_t offset = 100; offset <= 105; ++offset) Live(offset);
    Pump();
    Open(2);
  }
};

TEST_F(ShardBegin, KafkaBearsTheLogOut) {
  AttachBegin(2, 22);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
  core_->OnResolved(1, 0, 106, now_);
  EXPECT_THAT(Pump(2), IsEmpty());
  EXPECT_THAT(source_.Take(), ElementsAre("scan 1 from 100"));
  Scanned(100);
  EXPECT_THAT(Pump(2), IsEmpty());
  EXPECT_THAT(source_.Take(), Contains("resolve 1"));
  core_->OnResolved(1, 0, 106, now_);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after -1 interest 1"));
  EXPECT_THAT(source_.Take(), Contains("scan 1 from 0"));
  Live(106);
  EXPECT_THAT(Pump(1), ElementsAre("1:106 1#11<=106")) << "nobody else notices";
}

TEST_F(ShardBegin, ALogThatKafkaDoesNotBearOutIsGivenUp) {
  AttachBegin(2, 22);
  core_->OnResolved(1, 0, 106, now_);
  Pump(2);
  NormalisedRecord other = KeyedRecord(100, "c", "k", "{}", 1);
  other.record.fingerprint = 9;
  core_->OnScanRecord(1, other, now_);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("refused 1#22 lost_position"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("refused 1#11 lost_position"));
  AttachBegin(2, 23);
  core_->OnResolved(1, 0, 106, now_);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#23 after -1 interest 1"));
}

TEST_F(ShardBegin, SoIsOneThatEndsBeyondKafkasEnd) {
  AttachBegin(2, 22);
  core_->OnResolved(1, 0, 20, now_);
  EXPECT_THAT(Pump(2), IsEmpty());
  core_->OnResolved(1, 0, 20, now_);
  EXPECT_THAT(Pump(2), IsEmpty()) << "asked twice, a second apart";
  Pass(milliseconds(1'000));
  Pump(2);
  core_->OnResolved(1, 0, 20, now_);
  core_->Pump(now_);
  EXPECT_THAT(sink_.Take(2), ElementsAre("refused 1#22 lost_position"));
}

// It may be where the topic before this one began.
TEST_F(ShardBegin, AnAnswerThatIsOnItsWayDoesNotCount) {
  AttachAfter(1, 12, 5);
  ASSERT_THAT(source_.Take(), ElementsAre("resolve 1"));
  AttachBegin(2, 22);
  core_->OnResolved(1, 10, 106, now_);
  EXPECT_THAT(Pump(2), IsEmpty());
  EXPECT_THAT(source_.Take(), Contains("resolve 1"));
}

TEST_F(ShardBegin, AfterNothingIsTheSame) {
  AttachAfter(2, 22, -1);
  core_->OnResolved(1, 0, 106, now_);
  EXPECT_THAT(Pump(2), IsEmpty());
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "scan 1 from 100"));
}

// It read something for its clients: that is what is proven.
TEST_F(ShardBegin, AfterNothingButWithARecordIsProvenByTheRecord) {
  v1::Attach attach = Request(22);
  attach.set_after(-1);
  attach.set_fingerprint(104);
  attach.set_fingerprint_at(103);
  core_->OnAttach(2, attach, now_);
  core_->OnResolved(1, 0, 106, now_);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after -1 interest 1"));
  attach.set_attach_id(23);
  attach.set_fingerprint(9);
  core_->OnAttach(2, attach, now_);
  core_->OnResolved(1, 0, 106, now_);
  source_.Take();
  EXPECT_THAT(Pump(2), IsEmpty());
  EXPECT_THAT(source_.Take(), Contains("scan 1 from 103"));
  Scanned(103);
  EXPECT_THAT(Pump(2), ElementsAre("refused 1#23 reset"));
}

TEST_F(ShardBegin, AReaderThatBeganSinceNeedsNoProof) {
  Build({});
  Open(1);
  AttachBegin(1, 11);
  core_->OnResolved(1, 0, 106, now_);
  EXPECT_THAT(Pump(), ElementsAre("attached 1#11 after -1 interest 1"));
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1", "live 1 from 0"));
}

TEST_F(ShardBegin, ALogWithoutRecordsIsOfNoTopic) {
  Build({});
  TakeUpAtEnd(0, 0);
  Open(2);
  AttachBegin(2, 22);
  core_->OnResolved(1, 0, 0, now_);
  EXPECT_THAT(Pump(2), ElementsAre("attached 1#22 after -1 interest 1"));
}

}  // namespace
}  // namespace spillway::ingest
