// LinkCore: a topic that was made anew.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class LinkReset : public LinkCoreTest {
 protected:
  void SetUp() override {
    LinkCoreTest::SetUp();
    OneAttached();
  }
};

TEST_F(LinkReset, AnAttachShowsTheRecordThatProvesIt) {
  std::string bytes = Batch(10, 1, {}, 20);
  wire::AppendBatchProgress({.slot = 10,
                             .attach_id = 1,
                             .upto = 22,
                             .fingerprint = 77,
                             .interest_sequence = 0,
                             .interest_after = 0,
                             .fingerprint_back = 3},
                            &bytes);
  SendBatch(1, bytes);
  SendBatch(1, Batch(10, 1, {}, 25));  // of which nothing is known
  Open(2, {0});
  core_->OnLinkDown(1, now_);
  EXPECT_THAT(sink_.Take(2), testing::Contains("attach 20#2 after 25 proof 77@19"));
}

TEST_F(LinkReset, TheOldSlotEndsAndANewOneBeginsAtItsBeginning) {
  Open(2, {0});
  SendBatch(1, Batch(10, 1, {}, 20));
  sink_.Take(1);
  sink_.TakePosted();
  Refused(1, 10, 1, "reset");
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("gap 0:21..9007199254740991 reset", "slots - t/0@1"));
  const LinkId link = AttachedTo();
  ASSERT_NE(link, 0u);
  Attached(link, SlotOf(link, 0), 2, -1);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 1:-1", "batch 1<=-1"));
  EXPECT_EQ(core_->counters().resets, 1u);
  // What is on its way from before is void.
  SendBatch(1, Batch(10, 1, {21}, 21));
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  // The catalogues do not know of it, and need not.
  Catalogue(1, {0});
  Catalogue(2, {0});
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  SendBatch(link, Batch(SlotOf(link, 0), 2, {3}, 3));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 1:3 1<=3"));
}

TEST_F(LinkReset, EveryTimeTheNumberGrows) {
  SendBatch(1, Batch(10, 1, {}, 20));
  Refused(1, 10, 1, "reset");
  Attached(1, 10, 2, -1);
  SendBatch(1, Batch(10, 2, {}, 5));
  sink_.TakePosted();
  Refused(1, 10, 2, "reset");
  EXPECT_THAT(sink_.TakePosted(),
              ElementsAre("gap 1:6..9007199254740991 reset", "slots - - t/0@2"));
}

}  // namespace
}  // namespace spillway::edge
