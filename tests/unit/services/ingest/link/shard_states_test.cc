// ShardCore: what it tells of its readers, and what must not gather.

#include <gmock/gmock.h>

#include "tests/unit/services/ingest/link/link_fakes.h"

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class ShardStates : public ShardTest {};

TEST_F(ShardStates, PreparesDoNotGather) {
  Build(SmallLog(2));
  TakeUpAtEnd(0, 100);
  Open(2);
  for (int64_t offset = 100; offset < 110; ++offset) Live(offset);
  v1::Prepare prepare;
  prepare.set_slot(1);
  for (int64_t after : {300, 200, 50}) {  // ahead; ahead, the one that counts; below the log
    prepare.set_after(after);
    core_->OnPrepare(2, prepare, now_);
    Pump(2);
  }
  core_->OnResolved(1, 0, 110, now_);
  Live(200);
  Live(300);
  EXPECT_THAT(Pump(2), IsEmpty());
  // One that waits ends with its link.
  prepare.set_after(400);
  core_->OnPrepare(2, prepare, now_);
  core_->CloseLink(2, now_);
  Open(2);
  Live(400);
  EXPECT_THAT(Pump(2), IsEmpty());
}

TEST_F(ShardStates, BeatsCarryTheReadersState) {
  TakeUpAtEnd(0, 100);
  const auto state = [this] {
    Pass(milliseconds(100));
    return sink_.states[1].at(0);
  };
  EXPECT_EQ(state().state(), v1::READER_STATE_FLOWING);
  EXPECT_EQ(state().attach_id(), 11u);
  core_->OnLiveEnd(1, 100, now_);
  EXPECT_EQ(state().state(), v1::READER_STATE_IDLE);
  EXPECT_EQ(state().lag(), 0);
  EXPECT_EQ(state().since_ms(), 300);
  core_->OnLiveError(1, /*lost_position=*/false, "no broker", now_);
  EXPECT_EQ(state().state(), v1::READER_STATE_STALLED);
  EXPECT_EQ(core_->stalled_readers(), 1u);
  Live(100);
  EXPECT_EQ(state().state(), v1::READER_STATE_FLOWING);
}

TEST_F(ShardStates, AQuietReaderIsIdleAgainWhenKafkaIsBack) {
  TakeUpAtEnd(0, 100);
  core_->OnLiveEnd(1, 100, now_);
  core_->SetKafkaUp(false, now_);
  Pass(milliseconds(100));
  EXPECT_EQ(sink_.states[1].at(0).state(), v1::READER_STATE_STALLED);
  core_->SetKafkaUp(true, now_);
  Pass(milliseconds(100));
  EXPECT_EQ(sink_.states[1].at(0).state(), v1::READER_STATE_IDLE);
}

// Otherwise errors that come faster than the edges' patience would never end it.
TEST_F(ShardStates, ErrorsThatAreToldAgainDoNotBeginTheStallAnew) {
  TakeUpAtEnd(0, 100);
  Live(100);
  for (int i = 0; i < 5; ++i) {
    core_->OnLiveError(1, /*lost_position=*/false, "denied", now_);
    Pass(milliseconds(900));
  }
  EXPECT_EQ(sink_.states[1].at(0).state(), v1::READER_STATE_STALLED);
  EXPECT_EQ(sink_.states[1].at(0).since_ms(), 4'500);
  // Nor does Kafka's coming back make a reader well that was not before.
  core_->SetKafkaUp(false, now_);
  core_->SetKafkaUp(true, now_);
  Pass(milliseconds(100));
  EXPECT_EQ(sink_.states[1].at(0).state(), v1::READER_STATE_STALLED);
  EXPECT_EQ(sink_.states[1].at(0).since_ms(), 4'600);
}

TEST_F(ShardStates, ProgressGoesOutOnceASecond) {
  TakeUpAtEnd(0, 100);
  Pass(milliseconds(1'000));
  core_->OnBatchTaken(1);
  sink_.Take(1);
  core_->OnLiveRecord(1, {.record = EmptyRecord(100), .latest = {}}, now_);
  EXPECT_THAT(Pump(), IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(sink_.Take(1), ElementsAre("1#11<=100"));
}

}  // namespace
}  // namespace spillway::ingest
