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
  EXPECT_EQ(state().state(), v1::READER_STATE_STARTING);
  EXPECT_EQ(state().attach_id(), 11u);
  core_->OnLiveEnd(1, 100, now_);
  EXPECT_EQ(state().state(), v1::READER_STATE_IDLE);
  EXPECT_EQ(state().lag(), 0);
  EXPECT_EQ(state().since_ms(), 300);
  core_->OnLiveError(1, /*lost_position=*/false, "kafka_error", "no broker", now_);
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
    core_->OnLiveError(1, /*lost_position=*/false, "topic_denied", "denied", now_);
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

// What Kafka holds and the reader has not come to, although it has not seen the end itself.
TEST_F(ShardStates, TheLagFollowsTheEndThatTheLeaderTells) {
  TakeUpAtEnd(0, 100);
  const auto lag = [this] {
    Pass(milliseconds(100));
    EXPECT_EQ(core_->reader_statuses().at(0).lag, sink_.states[1].at(0).lag());
    return sink_.states[1].at(0).lag();
  };
  Live(100);
  core_->OnEndSeen(1, 1'000'101, now_);
  EXPECT_EQ(lag(), 1'000'000);
  Live(101);
  EXPECT_EQ(lag(), 999'999);
  core_->OnLiveEnd(1, 1'000'101, now_);
  EXPECT_EQ(lag(), 0);
  core_->OnEndSeen(1, 500, now_);  // an answer that comes late
  EXPECT_EQ(lag(), 0);
  core_->OnEndSeen(2, 500, now_);  // not a slot of this shard
}

class ShardStalls : public ShardTest {
 protected:
  // "starting", "flowing", "idle", or "stalled REASON for MS".
  std::string Told() {
    Pass(milliseconds(100));
    const v1::ReaderBeat& beat = sink_.states[1].at(0);
    const ShardCore::ReaderStatus status = core_->reader_statuses().at(0);
    EXPECT_EQ(status.stalled, beat.state() == v1::READER_STATE_STALLED);
    EXPECT_EQ(core_->stalled_readers(), status.stalled ? 1u : 0u);
    if (beat.state() == v1::READER_STATE_STARTING) return "starting";
    if (beat.state() == v1::READER_STATE_FLOWING) return "flowing";
    if (beat.state() == v1::READER_STATE_IDLE) return "idle";
    EXPECT_EQ(status.reason, beat.reason());
    EXPECT_EQ(now_ - status.since, milliseconds(beat.since_ms()));
    return absl::StrCat("stalled ", beat.reason(), " for ", beat.since_ms());
  }
};

TEST_F(ShardStalls, AReaderOfWhichNothingComesIsStalledSinceItsTakeUp) {
  TakeUpAtEnd(0, 100);
  Pass(milliseconds(4'800));
  EXPECT_EQ(Told(), "starting");
  EXPECT_EQ(Told(), "stalled no_answer for 5000");
  core_->OnLiveEnd(1, 100, now_);
  EXPECT_EQ(Told(), "idle");
  Pass(milliseconds(60'000));
  EXPECT_EQ(Told(), "idle") << "a quiet partition is none";
}

TEST_F(ShardStalls, SilenceDoesNotCountWhileTheShardItselfIsBehind) {
  TakeUpAtEnd(0, 100);
  Pass(milliseconds(4'800));
  core_->Tick(now_, wall_us_, /*busy=*/true);
  Pass(milliseconds(4'800));
  EXPECT_EQ(Told(), "starting");
  EXPECT_EQ(Told(), "stalled no_answer for 5000");
}

TEST_F(ShardStalls, ADeniedReaderIsNamedAtOnceAndUntilSomethingComes) {
  TakeUpAtEnd(0, 100);
  core_->OnLiveError(1, /*lost_position=*/false, "topic_denied", "denied", now_);
  EXPECT_EQ(Told(), "stalled topic_denied for 100");
  Live(100);
  EXPECT_EQ(Told(), "flowing");
}

// Kafka's client tells neither an error nor the end of a partition twice.
TEST_F(ShardStalls, AReaderThatFailedBeginsAnewWhereItStands) {
  TakeUpAtEnd(0, 100);
  core_->OnLiveEnd(1, 101, now_);
  core_->OnLiveError(1, /*lost_position=*/false, "topic_denied", "denied", now_);
  Pass(milliseconds(4'900));
  EXPECT_THAT(source_.Take(), IsEmpty());
  Pass(milliseconds(100));
  EXPECT_THAT(source_.Take(), ElementsAre("stop live 1", "live 1 from 101"));
  EXPECT_EQ(Told(), "stalled topic_denied for 5100");
  Pass(milliseconds(4'900));
  EXPECT_THAT(source_.Take(), ElementsAre("stop live 1", "live 1 from 101"));
  core_->OnLiveEnd(1, 101, now_);
  EXPECT_EQ(Told(), "idle");
  Pass(milliseconds(10'000));
  EXPECT_THAT(source_.Take(), IsEmpty());
}

TEST_F(ShardStalls, FewReadersBeginAnewInOneTurn) {
  ShardCore::Options options;
  options.restarts_at_once = 1;
  Build(options);
  core_->AddSlot({.id = 2, .topic = "t", .partition = 1, .keeps_latest = false, .horizon_ms = 0});
  Open(1);
  for (const SlotId slot : {1u, 2u}) {
    v1::Attach attach = Request(10 + slot, slot);
    attach.set_end(true);
    core_->OnAttach(1, attach, now_);
    core_->OnResolved(slot, 0, 100, now_);
    core_->OnLiveError(slot, /*lost_position=*/false, "topic_denied", "denied", now_);
  }
  source_.Take();
  Pass(milliseconds(5'000));
  EXPECT_EQ(source_.Take().size(), 2u);
  Pass(milliseconds(100));
  EXPECT_EQ(source_.Take().size(), 2u);
  Pass(milliseconds(100));
  EXPECT_THAT(source_.Take(), IsEmpty());
}

TEST_F(ShardStalls, ALeaderThatCannotBeReached) {
  TakeUpAtEnd(0, 100);
  core_->OnLiveEnd(1, 100, now_);
  const MonoTime asked = now_ + milliseconds(1'000);
  Pass(milliseconds(3'900));
  core_->OnLeaderAway(1, asked, asked);
  EXPECT_EQ(Told(), "stalled leader_unreachable for 3000");
  Pass(milliseconds(900));
  core_->OnLeaderAway(1, asked, asked);
  EXPECT_EQ(Told(), "stalled leader_unreachable for 4000");
  EXPECT_THAT(source_.Take(), IsEmpty()) << "beginning anew would not help";
  core_->OnEndSeen(1, 100, now_);
  EXPECT_EQ(Told(), "idle");
  EXPECT_EQ(sink_.states[1].at(0).since_ms(), 100);
}

TEST_F(ShardStalls, ALeaderThatSendsIsThere) {
  TakeUpAtEnd(0, 100);
  const MonoTime asked = now_;
  Pass(milliseconds(1'000));
  Live(100);
  core_->OnLeaderAway(1, asked, asked);
  EXPECT_EQ(Told(), "flowing");
  core_->OnLeaderAway(1, now_, now_);
  EXPECT_EQ(Told(), "stalled leader_unreachable for 100");
  Live(101);
  EXPECT_EQ(Told(), "flowing");
  // It fell silent under a question, and sent its last while that waited for an answer.
  core_->OnLeaderAway(1, asked, now_ + milliseconds(1));
  EXPECT_EQ(Told(), "stalled leader_unreachable for 200");
}

// When Kafka is away for all nobody moves: its leaders are not told one by one, neither while it is
// away nor because of questions from that time.
TEST_F(ShardStalls, LeadersAreNotNewsWhileKafkaIsAway) {
  TakeUpAtEnd(0, 100);
  core_->OnLiveEnd(1, 100, now_);
  Pass(milliseconds(900));
  const MonoTime asked = now_;
  core_->OnLeaderAway(1, asked, asked);
  Pass(milliseconds(900));
  core_->SetKafkaUp(false, now_);
  EXPECT_EQ(Told(), "stalled kafka_unreachable for 1000");
  const MonoTime back = now_;
  core_->SetKafkaUp(true, back);
  EXPECT_EQ(Told(), "idle");
  core_->OnLeaderAway(1, asked, asked);
  EXPECT_EQ(Told(), "idle");
  // One that goes on being silent is, though it fell silent before the others came back.
  core_->OnLeaderAway(1, asked, back - milliseconds(1));
  EXPECT_EQ(Told(), "idle");
  core_->OnLeaderAway(1, asked, now_);
  EXPECT_EQ(Told(), "stalled leader_unreachable for 400") << "since the others are back";
}

TEST_F(ShardStalls, ATakeUpThatFailsIsNamedWhileSomebodyWaits) {
  Open(1);
  AttachEnd(1, 11);
  EXPECT_THAT(core_->reader_statuses(), IsEmpty());
  core_->OnResolveFailed(1, "leader_unreachable", now_);
  Pass(milliseconds(600));
  core_->OnResolveFailed(1, "leader_unreachable", now_);
  EXPECT_EQ(Told(), "stalled leader_unreachable for 700");
  EXPECT_FALSE(core_->reader_statuses().at(0).reading);
  v1::Detach detach;
  detach.set_slot(1);
  detach.set_attach_id(11);
  core_->OnDetach(1, detach, now_);
  EXPECT_THAT(core_->reader_statuses(), IsEmpty());
  source_.Take();
  Pass(milliseconds(10'000));
  EXPECT_THAT(source_.Take(), IsEmpty()) << "nobody wants it";
  AttachEnd(1, 12);
  EXPECT_THAT(source_.Take(), ElementsAre("resolve 1"));
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
