// LinkCore: what an edge keeps and tells of slots while nobody serves them.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class LinkAbsence : public LinkCoreTest {
 protected:
  UpstreamStatus::Slot Slot() const {
    const UpstreamStatus status = core_->Status(now_);
    return status.slots.empty() ? UpstreamStatus::Slot{} : status.slots[0];
  }
  // Time passes in steps, as it does in the product.
  void PassSlowly(seconds time, std::vector<LinkId> alive) {
    for (milliseconds passed{0}; passed < time; passed += milliseconds(500)) {
      Pass(milliseconds(500), alive);
    }
  }
};

TEST_F(LinkAbsence, AttachesThatFailDoNotMakeTheTimeWithoutOneAnyShorter) {
  Open(1, {0});
  PassSlowly(seconds(20), {1});  // attaches time out again and again
  EXPECT_GT(core_->counters().attaches, 2u);
  EXPECT_FALSE(Slot().attached);
  EXPECT_EQ(Slot().unattached_ms, 20'000);
}

TEST_F(LinkAbsence, TheTimeBeginsWhenTheAttachmentIsLost) {
  OneAttached();
  PassSlowly(seconds(30), {1});
  Catalogue(1, {});
  EXPECT_TRUE(core_->Status(now_).slots.empty());  // its only ingest says so: it is gone
  Open(2, {0});
  EXPECT_EQ(Slot().unattached_ms, 0);
  PassSlowly(seconds(2), {1, 2});
  EXPECT_EQ(Slot().unattached_ms, 2'000);
}

TEST_F(LinkAbsence, ASlotOfAnIngestThatIsAwayWaitsForItAndGoesOnWhereItWas) {
  OneAttached();  // by ingest-1, after 9
  Open(2, {});    // ingest-2 has no route for it
  core_->OnLinkDown(1, now_);
  Catalogue(2, {});
  PassSlowly(seconds(30), {2});
  EXPECT_FALSE(Slot().served);
  EXPECT_EQ(Slot().unattached_ms, 30'000);
  sink_.TakePosted();

  core_->OnLinkUp(3, now_);
  Hello(3, "ingest-1");
  sink_.Take(3);
  Catalogue(3, {0});
  EXPECT_TRUE(Slot().served);
  EXPECT_THAT(sink_.Take(3), ElementsAre("attach 30#2 after 9"));
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());  // the slot kept its number
}

TEST_F(LinkAbsence, ASlotIsDroppedWhenItsIngestComesBackWithoutIt) {
  OneAttached();
  Open(2, {});
  core_->OnLinkDown(1, now_);
  core_->OnLinkUp(3, now_);
  Hello(3, "ingest-1");
  Catalogue(3, {});
  EXPECT_TRUE(core_->Status(now_).slots.empty());
  EXPECT_THAT(sink_.reports, Contains("slot_gone"));
}

// Else live subscribers would begin anew in it, at whatever place it is found then.
TEST_F(LinkAbsence, ASlotIsNotDroppedBetweenItsIngestsHelloAndItsCatalogue) {
  OneAttached();
  Open(2, {});
  core_->OnLinkDown(1, now_);
  core_->OnLinkUp(3, now_);
  Hello(3, "ingest-1");
  Catalogue(2, {});
  EXPECT_EQ(core_->Status(now_).slots.size(), 1u);
  core_->OnLinkDown(3, now_);
  Catalogue(2, {});
  EXPECT_EQ(core_->Status(now_).slots.size(), 1u) << "lost again before it could tell";
}

TEST_F(LinkAbsence, ASlotIsDroppedWhenItsIngestStaysAway) {
  OneAttached();
  Open(2, {});
  core_->OnLinkDown(1, now_);
  PassSlowly(seconds(59), {2});
  EXPECT_EQ(core_->Status(now_).slots.size(), 1u);
  PassSlowly(seconds(2), {2});
  EXPECT_TRUE(core_->Status(now_).slots.empty());
}

TEST_F(LinkAbsence, AReaderThatIsStartingHasReadNothingYet) {
  OneAttached();
  const uint32_t slot = SlotOf(1, 0);
  v1::ReaderBeat beat = Stalled(slot, core_->counters().attaches, 3'000);
  beat.set_reason("topic_denied");
  Beat(1, true, {beat});
  EXPECT_EQ(Slot().unread_ms, 3'000);
  EXPECT_EQ(Slot().reason, "topic_denied");
  Pass(seconds(1), {1});
  beat.set_state(v1::READER_STATE_STARTING);
  Beat(1, true, {beat});
  EXPECT_EQ(Slot().unread_ms, 4'000);
  EXPECT_EQ(Slot().reason, "");
  beat.set_state(v1::READER_STATE_IDLE);
  Beat(1, true, {beat});
  EXPECT_EQ(Slot().unread_ms, 0);
}

TEST_F(LinkAbsence, WhereAllIngestsStallMovesBecomeRare) {
  Open(1, {0});
  Open(2, {0});
  size_t moves = 0;
  std::vector<size_t> at;  // seconds at which the slot moved
  for (size_t second = 0; second < 300; ++second) {
    for (LinkId link = 1; link <= 2; ++link) {
      for (const std::string& line : sink_.Take(link)) {
        if (!line.starts_with("attach ")) continue;
        const uint32_t slot = SlotOf(link, 0);
        const uint64_t attach_id = core_->counters().attaches;
        Attached(link, slot, attach_id, 9);
        Beat(link, true, {Stalled(slot, attach_id, 0)});
        if (++moves > 1) at.push_back(second);
      }
    }
    Pass(seconds(1), {1, 2});
  }
  ASSERT_GE(at.size(), 4u);
  EXPECT_LE(at.size(), 12u);
  EXPECT_GE(at.back() - at[at.size() - 2], 4 * (at[1] - at[0]));
  EXPECT_EQ(Slot().unread_ms, 300'000) << "moving it about does not make it readable";
}

TEST_F(LinkAbsence, AnOldConfigurationStartedAgainIsNotTheNewest) {
  Open(1, {0}, /*route_time_us=*/100, "old");
  Open(2, {0}, /*route_time_us=*/200, "new");
  core_->OnLinkDown(1, now_);
  sink_.Take(2);
  core_->OnLinkUp(3, now_);
  Hello(3, "ingest-3", /*route_time_us=*/300, "old");  // started later, with what is older
  Catalogue(3, {0, 1});
  Catalogue(2, {0, 1});
  PassSlowly(seconds(5), {2, 3});
  Attached(2, SlotOf(2, 0), 2, 9);
  sink_.Take(2);
  PassSlowly(seconds(60), {2, 3});
  for (const std::string& line : sink_.Take(3)) EXPECT_FALSE(line.starts_with("prepare")) << line;
}

TEST_F(LinkAbsence, AGapBeforeTheBeginningComesBeforeTheCoverage) {
  Want(0, "c");
  Open(1, {0});
  sink_.TakePosted();
  v1::LinkResponse response;
  v1::Attached* attached = response.mutable_attached();
  attached->set_slot(10);
  attached->set_attach_id(1);
  attached->set_after(41);
  attached->set_interest_sequence(1);
  attached->mutable_gap()->set_from(10);
  attached->mutable_gap()->set_to(41);
  attached->mutable_gap()->set_reason("retention");
  Deliver(1, response);
  const Lines posted = sink_.TakePosted();
  ASSERT_GE(posted.size(), 2u);
  EXPECT_EQ(posted[0], "gap 0:10..41 retention");
  EXPECT_EQ(posted[1], "interest 0 c 0:41");
}

}  // namespace
}  // namespace spillway::edge
