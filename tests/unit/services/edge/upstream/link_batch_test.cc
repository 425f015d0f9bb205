// LinkCore: taking batches in, credit, parts.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class LinkBatch : public LinkCoreTest {
 protected:
  void Part(const std::string& data, bool last) {
    v1::LinkResponse response;
    response.mutable_batch_part()->set_data(data);
    response.mutable_batch_part()->set_last(last);
    Deliver(1, response);
  }
};

TEST_F(LinkBatch, TakesEventsAndProgressInTogether) {
  OneAttached();
  SendBatch(1, Batch(10, 1, {10, 12}, 15));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0:10 0:12 0<=15"));
  EXPECT_EQ(core_->Status(now_).slots[0].taken, 15);
}

TEST_F(LinkBatch, OnlyTheCurrentAttachmentCounts) {
  OneAttached();
  SendBatch(1, Batch(10, 99, {10}, 15));
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  EXPECT_EQ(core_->counters().void_events, 1u);
  EXPECT_EQ(core_->Status(now_).slots[0].taken, 9);
}

TEST_F(LinkBatch, NothingCountsBeforeTheAttachIsAnswered) {
  Want(0, "c");
  Open(1, {0});
  sink_.TakePosted();
  SendBatch(1, Batch(10, 1, {10}, 15));
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
}

TEST_F(LinkBatch, WhatIsAtOrBelowWIsDropped) {
  OneAttached();
  SendBatch(1, Batch(10, 1, {8, 9, 10}, 10));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0:10 0<=10"));
  EXPECT_EQ(core_->counters().records_behind, 2u);
  SendBatch(1, Batch(10, 1, {}, 7));  // never backwards
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  EXPECT_EQ(core_->Status(now_).slots[0].taken, 10);
}

TEST_F(LinkBatch, EventsNobodyWantsMoveProgressOnly) {
  Open(1, {0});
  Attached(1, 10, 1, 9);
  sink_.TakePosted();
  SendBatch(1, Batch(10, 1, {10}, 10));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0<=10"));
}

TEST_F(LinkBatch, AMalformedBatchChangesNothingAndClosesTheLink) {
  OneAttached();
  const std::string good = Batch(10, 1, {10, 11}, 15);
  SendBatch(1, good.substr(0, good.size() - 1));
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  EXPECT_THAT(sink_.closed, ElementsAre(testing::Key(1)));
  EXPECT_EQ(core_->Status(now_).slots[0].taken, 9);
  EXPECT_EQ(core_->counters().malformed, 1u);
  SendBatch(1, good);  // what was on its way
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
}

TEST_F(LinkBatch, EventsOfAnAttachmentThatEndedAreTakenOutOfTheBatch) {
  Want(0, "c");
  Open(1, {0, 1});
  Attached(1, 10, 1, 9);
  Attached(1, 11, 2, 9);
  sink_.TakePosted();
  // Progress comes after the events: that those of slot 10 are void is known at the end.
  SendBatch(1, Batch(10, 99, {10, 11}, 11) + Batch(11, 2, {10}, 12) + Batch(10, 99, {12}, 12));
  EXPECT_EQ(sink_.TakePosted(), Lines({"batch 1:10 1<=12"}));
  EXPECT_EQ(core_->counters().void_events, 3u);
  EXPECT_EQ(core_->counters().events, 1u);
  SendBatch(1, Batch(10, 1, {10}, 10));
  EXPECT_EQ(sink_.TakePosted(), Lines({"batch 0:10 0<=10"})) << "nothing of it counted";
}

TEST_F(LinkBatch, ABatchThatIsMalformedAtItsEndCountsNothing) {
  OneAttached();
  SendBatch(1, Batch(10, 1, {10, 11}, 11) + "\x12\x7f");
  EXPECT_EQ(sink_.TakePosted(), Lines());
  EXPECT_EQ(core_->counters().malformed, 1u);
  EXPECT_EQ(core_->counters().events, 0u);
  EXPECT_TRUE(sink_.closed.contains(1));
}

TEST_F(LinkBatch, AMessageThatIsNoneClosesTheLink) {
  OneAttached();
  core_->OnMessage(1, "\xFF\xFF\xFF", now_);
  EXPECT_THAT(sink_.closed, ElementsAre(testing::Key(1)));
}

TEST_F(LinkBatch, PartsAreHeldUntilTheLast) {
  OneAttached();
  const std::string whole = Batch(10, 1, {10}, 15);
  Part(whole.substr(0, 5), false);
  Beat(1);
  Part(whole.substr(5, 5), false);
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  Part(whole.substr(10), true);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0:10 0<=15"));
  Part(Batch(10, 1, {16}, 16), true);  // and the next one begins anew
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0:16 0<=16"));
  EXPECT_EQ(core_->counters().records_behind, 0u);  // nothing of the first came again
}

TEST_F(LinkBatch, PartsThatGrowTooLargeCloseTheLink) {
  LinkCore::Options options;
  options.max_parts_bytes = 100;
  Build(options);
  OneAttached();
  Part(std::string(60, 'x'), false);
  EXPECT_THAT(sink_.closed, IsEmpty());
  Part(std::string(60, 'x'), false);
  EXPECT_THAT(sink_.closed, ElementsAre(testing::Key(1)));
}

TEST_F(LinkBatch, PartsDieWithTheirLink) {
  OneAttached();
  Part("half", false);
  core_->OnLinkDown(1, now_);
  Open(1, {0});
  Attached(1, 10, 2, 9);
  sink_.TakePosted();
  Part(Batch(10, 2, {10}, 10), true);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0:10 0<=10"));
}

TEST_F(LinkBatch, CreditIsGrantedInSteps) {
  LinkCore::Options options;
  options.credit_bytes = 800;
  Build(options);
  OneAttached();
  core_->OnBatchReleased(1, 60);
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  core_->OnBatchReleased(1, 60);
  EXPECT_THAT(sink_.Take(1), ElementsAre("credit 120"));
  core_->OnBatchReleased(1, 60);
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  core_->OnBatchReleased(99, 1'000);  // a link that is no more
}

TEST_F(LinkBatch, ABatchThatLeadsNowhereIsReleasedAtOnce) {
  LinkCore::Options options;
  options.credit_bytes = 8;
  Build(options);
  OneAttached();
  const std::string batch = Batch(10, 99, {10}, 15);
  SendBatch(1, batch);
  EXPECT_THAT(sink_.Take(1), ElementsAre(absl::StrCat("credit ", batch.size())));
}

TEST_F(LinkBatch, EphemeralEventsArePostedAndTheirLossIsCounted) {
  OneAttached();
  const auto send = [this](uint64_t first, int count) {
    v1::LinkResponse response;
    response.mutable_ephemeral()->set_first(first);
    for (int n = 0; n < count; ++n) response.mutable_ephemeral()->add_events()->add_channels("c");
    Deliver(1, response);
  };
  send(1, 2);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("ephemeral 2"));
  send(3, 1);
  EXPECT_EQ(core_->counters().ephemeral_gaps, 0u);
  send(7, 1);
  EXPECT_EQ(core_->counters().ephemeral_gaps, 1u);
  send(9, 0);  // and none came after those that were dropped
  EXPECT_EQ(core_->counters().ephemeral_gaps, 2u);
  send(9, 1);
  EXPECT_EQ(core_->counters().ephemeral_gaps, 2u);
  EXPECT_EQ(core_->Status(now_).slots[0].taken, 9);
}

TEST_F(LinkBatch, ThatEphemeralEventsWereLostIsToldOnceInAWhile) {
  OneAttached();
  const auto beat = [this](LinkId link, uint64_t interest) {
    v1::LinkResponse response;
    response.mutable_beat()->set_interest_sequence(interest);
    Deliver(link, response);
  };
  beat(1, 0);
  EXPECT_EQ(sink_.ephemeral_gaps, 0) << "not all of it comes yet";
  beat(1, 1);
  beat(1, 2);
  EXPECT_EQ(sink_.ephemeral_gaps, 1) << "what was published before the link";
  Pass(milliseconds(1'000), {1});
  const auto send = [this](uint64_t first) {
    v1::LinkResponse response;
    response.mutable_ephemeral()->set_first(first);
    response.mutable_ephemeral()->add_events()->add_channels("c");
    Deliver(1, response);
  };
  send(1);
  EXPECT_EQ(sink_.ephemeral_gaps, 1);
  send(5);
  EXPECT_EQ(sink_.ephemeral_gaps, 2);
  send(7);
  send(9);
  Pass(milliseconds(900), {1});
  EXPECT_EQ(sink_.ephemeral_gaps, 2) << "it would fill the clients' queues";
  Pass(milliseconds(100), {1});
  EXPECT_EQ(sink_.ephemeral_gaps, 3);
  Pass(milliseconds(1'000), {1});
  core_->OnLinkDown(1, now_);
  EXPECT_EQ(sink_.ephemeral_gaps, 4) << "what was on its way";
  Pass(milliseconds(5'000));
  EXPECT_EQ(sink_.ephemeral_gaps, 4);
  Open(2, {0});
  EXPECT_EQ(sink_.ephemeral_gaps, 4);
  beat(2, 1);
  EXPECT_EQ(sink_.ephemeral_gaps, 5) << "what was published meanwhile";
}

}  // namespace
}  // namespace spillway::edge
