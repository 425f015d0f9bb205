// LinkCore: interest, where coverage begins, reads.

#include <gmock/gmock.h>

#include "absl/strings/str_split.h"
#include "common/wire/limits.h"
#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class LinkInterest : public LinkCoreTest {
 protected:
  // One ingest, partition 0 of a topic that feeds these channels attached at offset 9.
  void Catalogued(std::string feeds) {
    Open(1, {0}, 1, "same", std::move(feeds));
    Attached(1, 10, 1, 9);
    sink_.Take(1);
  }
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
};

TEST_F(LinkInterest, InterestSentBeforeAnAttachIsCoveredFromItsAnswerOn) {
  core_->AddInterest(0, "c", now_);
  Open(1, {0});
  sink_.TakePosted();
  Attached(1, 10, 1, 9, /*interest_sequence=*/1);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:9", "batch 0<=9"));
}

TEST_F(LinkInterest, LaterInterestIsCoveredFromTheNewsOn) {
  Open(1, {0});
  Attached(1, 10, 1, 9);
  sink_.Take(1);
  sink_.TakePosted();
  core_->AddInterest(0, "c", now_);
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +c"));
  SendBatch(1, Batch(10, 1, {}, 15));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0<=15"));
  SendBatch(1, Batch(10, 1, {18}, 18, /*interest_sequence=*/2, /*interest_after=*/16));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:16", "batch 0:18 0<=18"));
}

TEST_F(LinkInterest, AnAnswerToAnOlderInterestIsNotEnough) {
  Open(1, {0});
  core_->AddInterest(0, "c", now_);
  sink_.TakePosted();
  Attached(1, 10, 1, 9, /*interest_sequence=*/1);  // sent before it knew of "c"
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0<=9"));
  SendBatch(1, Batch(10, 1, {}, 12, 2, 11));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:11", "batch 0<=12"));
}

TEST_F(LinkInterest, ASecondWorkerIsToldAtOnce) {
  OneAttached();
  core_->AddInterest(1, "c", now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 1 c 0:9"));
  EXPECT_THAT(sink_.Take(1), IsEmpty());
}

TEST_F(LinkInterest, InterestLingersAfterTheLastSubscriber) {
  OneAttached();
  core_->AddInterest(1, "c", now_);
  core_->RemoveInterest(0, "c", now_);
  Pass(milliseconds(0));
  for (int n = 0; n < 40; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.Take(1), IsEmpty());  // worker 1 is still there
  core_->RemoveInterest(1, "c", now_);
  for (int n = 0; n < 29; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 -c"));
  EXPECT_EQ(core_->Status(now_).interests, 0u);
}

TEST_F(LinkInterest, WhoComesBackInTimeFindsItStillThere) {
  OneAttached();
  core_->RemoveInterest(0, "c", now_);
  Pass(milliseconds(2'000), {1});
  sink_.TakePosted();
  core_->AddInterest(0, "c", now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:9"));
  for (int n = 0; n < 40; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.Take(1), IsEmpty());
}

// The channels of a text "interest 3 +a +b".
std::vector<std::string> Added(const std::string& line) {
  std::vector<std::string> added;
  for (const auto part : absl::StrSplit(line, " +")) added.emplace_back(part);
  added.erase(added.begin());
  return added;
}

TEST_F(LinkInterest, AWholeInterestAboveAMessageGoesInSeveralThatAddUp) {
  LinkCore::Options options;
  options.interest_bytes = 10;  // two names of two bytes
  Build(options);
  for (int n = 0; n < 5; ++n) core_->AddInterest(0, absl::StrCat("c", n), now_);
  Open(1, {0});
  const Lines sent = sink_.Take(1);
  ASSERT_EQ(sent.size(), 5u);
  EXPECT_EQ(sent[0], "hello");
  std::vector<std::string> all;
  for (size_t n = 1; n <= 3; ++n) {
    EXPECT_THAT(sent[n], testing::StartsWith(absl::StrCat("interest ", n, n == 1 ? " full" : "")));
    EXPECT_LE(Added(sent[n]).size(), 2u);
    for (const std::string& name : Added(sent[n])) all.push_back(name);
  }
  EXPECT_THAT(all, testing::UnorderedElementsAre("c0", "c1", "c2", "c3", "c4"));
  // The last thing said: an ingest that takes it has all of the interest.
  EXPECT_EQ(sent[4], "attach 10#1 end");
}

TEST_F(LinkInterest, EachMessageOfAnInterestIsAnsweredForItself) {
  LinkCore::Options options;
  options.interest_bytes = 1;  // one name
  Build(options);
  Catalogued("**");
  core_->AddInterest(0, "a", now_);
  core_->AddInterest(0, "b", now_);
  sink_.TakePosted();
  SendBatch(1, Batch(10, 1, {}, 12, /*interest_sequence=*/2, /*interest_after=*/11));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 a 0:11", "batch 0<=12"));
  SendBatch(1, Batch(10, 1, {}, 14, 3, 13));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 b 0:13", "batch 0<=14"));
}

TEST_F(LinkInterest, NoMessageOfAHundredThousandChannelsIsLarge) {
  constexpr size_t kChannels = 100'000;
  sink_.keep_texts = false;
  for (size_t n = 0; n < kChannels; ++n) core_->AddInterest(0, absl::StrCat("c", n), now_);
  Open(1, {0});
  EXPECT_EQ(sink_.interest_names, kChannels);
  EXPECT_LE(sink_.largest_request, wire::kInterestBytes + 64);
  sink_.interest_names = sink_.largest_request = 0;
  for (size_t n = 0; n < kChannels; ++n) core_->RemoveInterest(0, absl::StrCat("c", n), now_);
  for (int n = 0; n < 31; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_EQ(sink_.interest_names, kChannels);
  EXPECT_LE(sink_.largest_request, wire::kInterestBytes + 64);
  EXPECT_EQ(core_->Status(now_).interests, 0u);
}

TEST_F(LinkInterest, ReadsGoToWhoServesEachSlot) {
  core_->AddInterest(0, "c", now_);
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

TEST_F(LinkInterest, SlotsOfOneIngestAreOneCall) {
  Open(1, {0, 1});
  Attached(1, 10, 1, 9);
  Attached(1, 11, 2, 5);
  core_->Read(0, 7, "c", /*history=*/true, {{0, 9}, {1, 5}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 1 c 10:9 11:5"));
}

TEST_F(LinkInterest, AReadWaitsForItsSlotToBeAttached) {
  Open(1, {0});
  core_->Read(0, 7, "c", false, {{0, 9}}, now_);
  EXPECT_THAT(sink_.TakeReads(), IsEmpty());
  Attached(1, 10, 1, 9);
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:snapshot 1 c 10:9"));
}

TEST_F(LinkInterest, AReadIsAskedAgainWhenItsLinkGoes) {
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

TEST_F(LinkInterest, AReadThatFailsIsTriedAgainUntilItsTimeIsUp) {
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

TEST_F(LinkInterest, AReadOfASlotNobodyServesFails) {
  Open(1, {0});
  core_->Read(0, 7, "c", false, {{5, 9}}, now_);
  sink_.TakePosted();
  for (int n = 0; n < 5; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.TakePosted(), testing::Contains("read 0 7 failed as of 5:9"));
}

TEST_F(LinkInterest, AnAnswerForASlotThatIsGoneIsAskedOfAnother) {
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

}  // namespace
}  // namespace spillway::edge
