// LinkCore: reads of snapshots and history.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class LinkReads : public LinkCoreTest {
 protected:
  void Answer(uint64_t call, std::vector<std::pair<uint32_t, int64_t>> as_of,
              std::vector<int64_t> offsets = {}, bool last = true) {
    v1::ReadResponse response;
    for (int64_t offset : offsets) {
      v1::Event* event = response.add_events();
      event->set_slot(as_of.at(0).first);
      event->set_offset(offset);
      event->add_channels("c");
    }
    if (last) {
      for (const auto& [slot, offset] : as_of) {
        v1::SlotOffset* at = response.add_as_of();
        at->set_slot(slot);
        at->set_offset(offset);
      }
      response.set_complete(true);
    }
    response.set_last(last);
    core_->OnReadResponse(call, response, now_);
  }
  static v1::SlotOffset At(uint32_t slot, int64_t offset) {
    v1::SlotOffset at;
    at.set_slot(slot);
    at.set_offset(offset);
    return at;
  }
};

TEST_F(LinkReads, ReadsGoToWhoServesEachSlot) {
  Want(0, "c");
  Open(1, {0});
  Open(2, {1});
  Attached(1, 10, 1, 9);
  Attached(2, 21, 2, 5);
  sink_.TakePosted();
  core_->Read(0, 7, "c", /*history=*/false, {{0, 9}, {1, 5}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 1 c 10:9", "2:snapshot 2 c 21:5"));
  Answer(2, {{21, 6}}, {3});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 1:3 as of 1:6"));
  Answer(1, {}, {}, /*last=*/false);
  Answer(1, {{10, 12}}, {4, 8});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 0:4 0:8 as of 0:12"));
}

TEST_F(LinkReads, PositionsAreJudgedByWhoServesTheirSlots) {
  Want(0, "c");
  Open(1, {0});
  Open(2, {1});
  Attached(1, 10, 1, 9);
  Attached(2, 21, 2, 5);
  sink_.TakePosted();
  core_->Judge(0, 7,
               {{.slot = 0, .offset = 9, .fingerprint = 5, .fingerprint_at = 8},
                {.slot = 1, .offset = 6, .fingerprint = 0, .fingerprint_at = -1}},
               now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:judge 1 10:9 #5@8", "2:judge 2 21:6 #0@-1"));
  v1::ReadResponse response;
  *response.add_as_of() = At(21, 6);
  response.add_verdicts(v1::VERDICT_FOREIGN);
  response.set_last(true);
  core_->OnReadResponse(2, response, now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 as of 1:6 verdict 1"));
  // One that the ingest does not know the name of proves nothing; one that is missing is no answer.
  *response.mutable_as_of(0) = At(10, 9);
  response.set_verdicts(0, static_cast<v1::Verdict>(9));
  core_->OnReadResponse(1, response, now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 as of 0:9 verdict 2"));
  core_->Judge(0, 8, {{.slot = 0, .offset = 9, .fingerprint = 5, .fingerprint_at = 8}}, now_);
  response.clear_verdicts();
  core_->OnReadResponse(3, response, now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 8 failed as of 0:9"));
}

TEST_F(LinkReads, JudgingIsAskedOfAnotherWhenTheLinkGoes) {
  OneAttached();
  Open(2, {0});
  core_->Judge(0, 7, {{.slot = 0, .offset = 9, .fingerprint = 5, .fingerprint_at = 8}}, now_);
  sink_.TakeReads();
  core_->OnLinkDown(1, now_);
  Attached(2, 20, 2, 9);
  Pass(milliseconds(100), {2});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("2:judge 2 20:9 #5@8"));
}

TEST_F(LinkReads, SlotsOfOneIngestAreOneCall) {
  Open(1, {0, 1});
  Attached(1, 10, 1, 9);
  Attached(1, 11, 2, 5);
  core_->Read(0, 7, "c", /*history=*/true, {{0, 9}, {1, 5}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 1 c 10:9 11:5"));
}

TEST_F(LinkReads, AReadWaitsForItsSlotToBeAttached) {
  Open(1, {0});
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  EXPECT_THAT(sink_.TakeReads(), IsEmpty());
  Attached(1, 10, 1, 9);
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 1 c 10:9"));
}

TEST_F(LinkReads, AReadIsAskedAgainWhenItsLinkGoes) {
  OneAttached();
  Open(2, {0});
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 1 c 10:9"));
  core_->OnLinkDown(1, now_);
  Attached(2, 20, 2, 9);
  Pass(milliseconds(100), {2});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("2:snapshot 2 c 20:9"));
  sink_.TakePosted();
  Answer(1, {{10, 12}});  // from the first: nobody waits for it
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  Answer(2, {{20, 13}});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 as of 0:13"));
}

TEST_F(LinkReads, AReadThatFailsIsTriedAgainUntilItsTimeIsUp) {
  OneAttached();
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 1 c 10:9"));
  core_->OnReadFailed(1, "not_served", now_);
  EXPECT_THAT(sink_.TakeReads(), IsEmpty());
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 2 c 10:9"));
  for (int n = 0; n < 5; ++n) Pass(milliseconds(2'000), {1});
  sink_.TakePosted();
  core_->OnReadFailed(2, "timeout", now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 failed as of 0:9"));
}

// A snapshot is worth a short wait; who is not told what he missed has lost it.
TEST_F(LinkReads, HistoryAndClaimsAreAskedForLonger) {
  OneAttached();
  core_->Read(0, 7, "c", true, {{0, 9}}, now_);
  core_->OnReadFailed(1, "not_served", now_);
  core_->Read(0, 8, "c", false, {{0, 9}}, now_);
  core_->OnReadFailed(2, "not_served", now_);
  sink_.TakePosted();
  for (int n = 0; n < 14; ++n) Pass(milliseconds(2'000), {1});
  core_->OnReadFailed(3, "timeout", now_);
  core_->OnReadFailed(4, "timeout", now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 8 failed as of 0:9"));
  Pass(milliseconds(2'000), {1});
  core_->OnReadFailed(5, "timeout", now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 failed as of 0:9"));
}

TEST_F(LinkReads, AReadOfASlotNobodyServesFails) {
  Open(1, {0});
  core_->Read(0, 7, "c", false, {{5, 9}}, now_);
  sink_.TakePosted();
  for (int n = 0; n < 5; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.TakePosted(), testing::Contains("read 0 7 failed as of 5:9"));
}

// Its topic was made anew: nobody will ever answer.
TEST_F(LinkReads, AReadOfASlotThatIsOverFailsAtOnce) {
  OneAttached();
  Refused(1, 10, 1, "reset");
  sink_.TakePosted();
  core_->Read(0, 7, "c", false, {{0, 9}, {1, 3}}, now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 failed as of 0:9"));
  EXPECT_THAT(sink_.TakeReads(), IsEmpty());
}

// The ingest speaks of the topic before and of the one in its place by the same number.
TEST_F(LinkReads, AnAnswerForASlotThatIsOverIsNotTakenForTheOneInItsPlace) {
  OneAttached();
  core_->Read(0, 7, "c", true, {{0, 9}}, now_);
  sink_.TakePosted();
  sink_.TakeReads();
  Answer(1, {{10, 12}}, {11}, /*last=*/false);
  Refused(1, 10, 1, "reset");
  Attached(1, 10, 2, -1);
  sink_.TakePosted();
  Answer(1, {{10, 13}}, {12});
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.TakePosted(), testing::Contains("read 0 7 failed as of 0:9"));
}

// Clients were told where they are by it: another topic must not go on from there.
TEST_F(LinkReads, WhatWasReadBeforeAnythingWasTakenInIsShown) {
  OneAttached();
  Open(2, {0});
  Refused(1, 10, 1, "reset");
  const LinkId link = AttachedTo();
  Attached(link, SlotOf(link, 0), 2, -1);
  core_->Read(0, 7, "c", false, {{1, -1}}, now_);
  core_->Read(0, 8, "d", false, {{1, -1}}, now_);
  v1::ReadResponse response;
  v1::SlotOffset* at = response.add_as_of();
  at->set_slot(SlotOf(link, 0));
  at->set_offset(37);
  at->set_fingerprint(77);
  at->set_fingerprint_back(2);
  response.set_last(true);
  core_->OnReadResponse(1, response, now_);
  const LinkId other = link == 1 ? 2 : 1;
  core_->OnLinkDown(link, now_);
  EXPECT_THAT(sink_.Take(other), testing::Contains(testing::EndsWith("after -1 proof 77@35")));
}

TEST_F(LinkReads, AnAnswerOfAnAttachmentBeforeProvesNothingToTheNext) {
  OneAttached();
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  Refused(1, 10, 1, "lost_position");
  Attached(1, 10, 2, 9);
  // A record that it has come to know since changes nothing: the first had none to prove.
  std::string bytes = Batch(10, 2, {}, 20);
  wire::AppendBatchProgress({.slot = 10,
                             .attach_id = 2,
                             .upto = 22,
                             .fingerprint = 77,
                             .interest_sequence = 0,
                             .interest_after = 0,
                             .fingerprint_back = 0},
                            &bytes);
  SendBatch(1, bytes);
  sink_.TakePosted();
  sink_.TakeReads();
  Answer(1, {{10, 12}}, {11});
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 2 c 10:9"));
}

TEST_F(LinkReads, AReadSaysOnWhoseBehalfItIs) {
  OneAttached();
  core_->Read(0, 7, "c", true, {{0, 9}}, now_);
  core_->Read(0, 8, "c", false, {{0, 9}}, now_);
  core_->Judge(0, 9, {{.slot = 0, .offset = 9, .fingerprint = 0, .fingerprint_at = -1}}, now_);
  EXPECT_THAT(sink_.asked_for, ElementsAre(1, 1, 1));
}

TEST_F(LinkReads, AnAnswerForASlotThatIsGoneIsAskedOfAnother) {
  OneAttached();
  Open(2, {0});
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  Catalogue(1, {});
  sink_.TakePosted();
  sink_.TakeReads();
  Answer(1, {{10, 12}}, {11});
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  Attached(2, 20, 2, 9);
  sink_.TakePosted();
  Pass(milliseconds(100), {1, 2});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("2:snapshot 2 c 20:9"));
  Answer(2, {{20, 12}}, {11});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 0:11 as of 0:12"));
}

TEST_F(LinkReads, SeveralAtOnceShareOneCall) {
  OneAttached();
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  core_->Read(1, 8, "c", false, {{0, 12}}, now_);
  core_->Read(0, 9, "c", /*history=*/true, {{0, 9}}, now_);  // something else
  core_->Read(0, 10, "other", false, {{0, 9}}, now_);
  EXPECT_THAT(sink_.TakeReads(),
              ElementsAre("1:snapshot 1 c 10:9", "1:history 2 c 10:9", "1:snapshot 3 other 10:9"));
  EXPECT_EQ(core_->Status(now_).reads_under_way, 3u);
  Answer(1, {{10, 12}}, {4});
  EXPECT_THAT(sink_.TakePosted(),
              ElementsAre("read 0 7 0:4 as of 0:12", "read 1 8 0:4 as of 0:12"));
  EXPECT_EQ(core_->counters().reads_shared, 1u);
  // What comes afterwards has a call of its own.
  core_->Read(0, 11, "c", false, {{0, 9}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 4 c 10:9"));
}

TEST_F(LinkReads, WhoMissedTheSameSharesTheHistory) {
  OneAttached();
  core_->Read(0, 1, "c", /*history=*/true, {{0, 3}}, now_);
  core_->Read(1, 2, "c", /*history=*/true, {{0, 5}}, now_);
  core_->Read(1, 3, "c", /*history=*/true, {{0, 2}}, now_);  // missed more
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 1 c 10:3", "1:history 2 c 10:2"));
  Answer(1, {{10, 9}}, {4, 8});
  EXPECT_THAT(sink_.TakePosted(),
              ElementsAre("read 0 1 0:4 0:8 as of 0:9", "read 1 2 0:4 0:8 as of 0:9"));
  Answer(2, {{10, 9}}, {4, 8});
  sink_.TakePosted();
  // And so does who comes a little later.
  core_->Read(0, 4, "c", /*history=*/true, {{0, 8}}, now_);
  EXPECT_THAT(sink_.TakeReads(), IsEmpty());
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 4 0:4 0:8 as of 0:9"));
  core_->Read(0, 5, "c", /*history=*/true, {{0, 9}}, now_);  // has all of it already
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 3 c 10:9"));
  EXPECT_EQ(core_->counters().reads_shared, 2u);
  Answer(3, {{10, 9}});
  for (int n = 0; n < 3; ++n) Pass(milliseconds(1'000), {1});
  core_->Read(0, 6, "c", /*history=*/true, {{0, 8}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 4 c 10:8")) << "kept for a while only";
}

TEST_F(LinkReads, HistoryThatDoesNotGoFarEnoughIsAskedAgainAlone) {
  OneAttached();
  core_->Read(0, 1, "c", /*history=*/true, {{0, 3}}, now_);
  core_->Read(1, 2, "c", /*history=*/true, {{0, 7}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 1 c 10:3"));
  Answer(1, {{10, 6}}, {4});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 1 0:4 as of 0:6"));
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 2 c 10:7"));
}

TEST_F(LinkReads, AnAnswerThatIsTooOldForOneIsAskedAgainForIt) {
  OneAttached();
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  core_->Read(1, 8, "c", false, {{0, 13}}, now_);
  sink_.TakeReads();
  Answer(1, {{10, 12}});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 as of 0:12"));
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 2 c 10:13"));
  Answer(2, {{10, 13}});
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 1 8 as of 0:13"));
}

TEST_F(LinkReads, AFailureOfASharedCallIsEveryones) {
  OneAttached();
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  core_->Read(1, 8, "c", false, {{0, 9}}, now_);
  sink_.TakeReads();
  core_->OnReadFailed(1, "timeout", now_);
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 2 c 10:9"));  // together again
  for (int n = 0; n < 5; ++n) Pass(milliseconds(2'000), {1});
  sink_.TakePosted();
  core_->OnReadFailed(2, "timeout", now_);
  EXPECT_THAT(sink_.TakePosted(),
              ElementsAre("read 0 7 failed as of 0:9", "read 1 8 failed as of 0:9"));
}

TEST_F(LinkReads, SharersOfALostLinkAskWhoeverTakesOver) {
  OneAttached();
  Open(2, {0});
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  core_->Read(1, 8, "c", false, {{0, 9}}, now_);
  sink_.TakeReads();
  core_->OnLinkDown(1, now_);
  Attached(2, 20, 2, 9);
  Pass(milliseconds(100), {2});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("2:snapshot 2 c 20:9"));
  sink_.TakePosted();
  Answer(2, {{20, 13}});
  EXPECT_THAT(sink_.TakePosted(),
              testing::UnorderedElementsAre("read 0 7 as of 0:13", "read 1 8 as of 0:13"));
}

TEST_F(LinkReads, NoMoreAreUnderWayThanTheirCredit) {
  LinkCore::Options options;
  options.reads_at_once = 2;
  Build(options);
  OneAttached();
  for (uint64_t n = 0; n < 4; ++n) {
    core_->Read(0, n, absl::StrCat("c", n), false, {{0, 9}}, now_);
  }
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 1 c0 10:9", "1:snapshot 2 c1 10:9"));
  EXPECT_EQ(core_->Status(now_).reads_waiting, 2u);
  Answer(2, {{10, 9}});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 3 c2 10:9"));
  core_->OnReadFailed(1, "not_served", now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 4 c3 10:9"));
  sink_.TakePosted();
  // Who waits too long for it is told.
  core_->Read(0, 9, "late", false, {{0, 9}}, now_);
  for (int n = 0; n < 5; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.TakePosted(), testing::Contains("read 0 9 failed as of 0:9"));
}

}  // namespace
}  // namespace spillway::edge
