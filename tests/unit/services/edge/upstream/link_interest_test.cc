// LinkCore: interest, where coverage begins.

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

  int next_ = 0;
};

TEST_F(LinkInterest, InterestSentBeforeAnAttachIsCoveredFromItsAnswerOn) {
  Want(0, "c");
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
  Want(0, "c");
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +c"));
  SendBatch(1, Batch(10, 1, {}, 15));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0<=15"));
  SendBatch(1, Batch(10, 1, {18}, 18, /*interest_sequence=*/2, /*interest_after=*/16));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:16", "batch 0:18 0<=18"));
}

TEST_F(LinkInterest, AnAnswerToAnOlderInterestIsNotEnough) {
  Open(1, {0});
  Want(0, "c");
  sink_.TakePosted();
  Attached(1, 10, 1, 9, /*interest_sequence=*/1);  // sent before it knew of "c"
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0<=9"));
  SendBatch(1, Batch(10, 1, {}, 12, 2, 11));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:11", "batch 0<=12"));
}

TEST_F(LinkInterest, ASecondWorkerIsToldAtOnce) {
  OneAttached();
  Want(1, "c");
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 1 c 0:9"));
  EXPECT_THAT(sink_.Take(1), IsEmpty());
}

TEST_F(LinkInterest, InterestLingersAfterTheLastSubscriber) {
  OneAttached();
  Want(1, "c");
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
  Want(0, "c");
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 c 0:9"));
  for (int n = 0; n < 40; ++n) Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.Take(1), IsEmpty());
}

TEST_F(LinkInterest, NewInterestOfOneTurnGoesTogether) {
  Open(1, {0});
  sink_.Take(1);
  core_->AddInterest(0, "a", now_);
  core_->AddInterest(0, "b", now_);
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  EXPECT_EQ(core_->EndTurn(now_), MonoTime::max());
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +a +b"));
}

TEST_F(LinkInterest, NewInterestSoonAfterOtherWaitsForMore) {
  Open(1, {0});
  Want(0, "a");
  sink_.Take(1);
  const MonoTime due = now_ + milliseconds(2);
  now_ += milliseconds(1);
  core_->AddInterest(0, "b", now_);
  EXPECT_EQ(core_->EndTurn(now_), due);
  core_->AddInterest(0, "c", now_);
  EXPECT_EQ(core_->EndTurn(now_), due);
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  now_ = due;
  EXPECT_EQ(core_->EndTurn(now_), MonoTime::max());
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 3 +b +c"));
}

TEST_F(LinkInterest, TheMoreIsToldTheLongerTheNextWaits) {
  Open(1, {0});
  sink_.Take(1);
  const auto tell = [&](int channels) {
    for (int n = 0; n < channels; ++n) core_->AddInterest(0, absl::StrCat("c", next_++), now_);
    EXPECT_EQ(core_->EndTurn(now_), MonoTime::max());
    const MonoTime before = now_;
    now_ = core_->tell_not_before();
    return now_ - before;
  };
  EXPECT_EQ(tell(1), milliseconds(2));
  EXPECT_EQ(tell(4), milliseconds(2));
  EXPECT_EQ(tell(7), std::chrono::microseconds(3'500));
  EXPECT_EQ(tell(20), milliseconds(5));
  EXPECT_EQ(tell(5'000), milliseconds(5));
  EXPECT_EQ(tell(1), milliseconds(2));
}

TEST_F(LinkInterest, NewInterestGoesOutBeforeAnAttach) {
  Open(1, {0});
  sink_.Take(1);
  core_->AddInterest(0, "c", now_);
  Catalogue(1, {0, 1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +c", "attach 11#2 end"));
  EXPECT_EQ(core_->EndTurn(now_), MonoTime::max());
  EXPECT_THAT(sink_.Take(1), IsEmpty());
}

TEST_F(LinkInterest, ALinkThatComesMeanwhileIsToldOnce) {
  Open(1, {0});
  sink_.Take(1);
  core_->AddInterest(0, "c", now_);
  core_->OnLinkUp(2, now_);
  Hello(2, "ingest-2");
  EXPECT_THAT(sink_.Take(2), ElementsAre("hello", "interest 1 full +c"));
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +c"));
  core_->EndTurn(now_);
  EXPECT_THAT(sink_.Take(2), IsEmpty());
}

TEST_F(LinkInterest, WhatWasNotToldIsNotTakenBackBeforeItWas) {
  LinkCore::Options options;
  options.interest_linger = milliseconds(0);
  Build(options);
  Open(1, {0});
  sink_.Take(1);
  core_->AddInterest(0, "c", now_);
  core_->RemoveInterest(0, "c", now_);
  Pass(milliseconds(1), {1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +c", "interest 3 -c"));
}

TEST_F(LinkInterest, AWorkerIsToldOfManyChannelsAtOnce) {
  Catalogued("**");
  for (const char* name : {"a", "b", "c"}) core_->AddInterest(0, name, now_);
  core_->EndTurn(now_);
  sink_.TakePosted();
  SendBatch(1, Batch(10, 1, {}, 12, /*interest_sequence=*/2, /*interest_after=*/11));
  EXPECT_THAT(sink_.TakePosted(),
              testing::UnorderedElementsAre("interest 0 a 0:11", "interest 0 b 0:11",
                                            "interest 0 c 0:11", "batch 0<=12"));
  EXPECT_EQ(sink_.interest_posts, 1u);
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
  Want(0, "a");
  Want(0, "b");
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

}  // namespace
}  // namespace spillway::edge
