// LinkCore: interest in patterns, and to which of them events go.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class LinkPatterns : public LinkCoreTest {
 protected:
  // One ingest, partition 0 of a topic that feeds "p.*" attached at offset 9.
  void SetUp() override {
    Build({});
    Start();
  }
  void Start() {
    Open(1, {0}, 1, "same", "p.*");
    Attached(1, 10, 1, 9);
    sink_.Take(1);
    sink_.TakePosted();
  }
  struct Told {
    int64_t offset;
    std::vector<std::string_view> channels;
  };
  static std::string BatchOf(const std::vector<Told>& events, int64_t upto,
                             uint64_t attach_id = 1) {
    std::string bytes;
    for (const Told& told : events) {
      wire::EventView view;
      view.slot = 10;
      view.offset = told.offset;
      for (const std::string_view channel : told.channels) view.channels.push_back(channel);
      view.payload = "{}";
      wire::AppendBatchEvent(view, &bytes);
    }
    wire::AppendBatchProgress({.slot = 10, .attach_id = attach_id, .upto = upto}, &bytes);
    return bytes;
  }
};

TEST_F(LinkPatterns, APatternIsToldAndCoveredLikeAChannel) {
  Want(0, "p.*");
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 2 +p.*"));
  SendBatch(1, Batch(10, 1, {}, 12, 2, 11));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 p.* 0:11", "batch 0<=12"));
  Want(1, "p.*");
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 1 p.* 0:11"));
  EXPECT_EQ(core_->Status(now_).patterns, 1u);
}

TEST_F(LinkPatterns, ASlotThatCannotFeedItIsNotWaitedFor) {
  Want(0, "q.*");
  Want(0, "**.x");
  SendBatch(1, Batch(10, 1, {}, 12, 3, 11));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("interest 0 **.x 0:11", "batch 0<=12"));
}

TEST_F(LinkPatterns, AnEventGoesToAllThatMatchAsItsFirstChannelThere) {
  for (const char* name : {"p.*", "**.b", "q.*", "p.a"}) Want(0, name);
  SendBatch(1, BatchOf({{10, {"p.a"}}, {11, {"x", "p.b"}}, {12, {"x"}}, {13, {"p.a", "p.b"}}}, 13));
  EXPECT_THAT(sink_.TakePosted(),
              ElementsAre("batch 0:10[p.*=p.a] 0:11[p.*=p.b][**.b=p.b] 0:13[p.*=p.a][**.b=p.b]"
                          " 0<=13"));
}

TEST_F(LinkPatterns, OfARecordAPatternGetsTheFirstEvent) {
  for (const char* name : {"p.*", "**.b"}) Want(0, name);
  SendBatch(1,
            BatchOf({{10, {"x"}}, {10, {"p.a"}}, {10, {"p.b"}}, {10, {"p.c"}}, {11, {"p.a"}}}, 11));
  EXPECT_THAT(sink_.TakePosted(),
              ElementsAre("batch 0:10[p.*=p.a] 0:10[**.b=p.b] 0:11[p.*=p.a] 0<=11"));
}

// A batch that did not count, and the same record in the next one.
TEST_F(LinkPatterns, ARecordThatComesAgainGoesToItsPatternsAgain) {
  Want(0, "p.*");
  SendBatch(1, BatchOf({{10, {"p.a"}}}, 10, /*attach_id=*/99));
  EXPECT_THAT(sink_.TakePosted(), IsEmpty());
  SendBatch(1, BatchOf({{10, {"p.a"}}}, 10));
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("batch 0:10[p.*=p.a] 0<=10"));
}

TEST_F(LinkPatterns, EphemeralEventsGoToPatternsOnceEach) {
  Want(0, "p.*");
  v1::LinkResponse response;
  response.mutable_ephemeral()->set_first(1);
  for (int i = 0; i < 2; ++i) {
    v1::Event* event = response.mutable_ephemeral()->add_events();
    event->add_channels("p.a");
    event->add_channels("p.b");
  }
  Deliver(1, response);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("ephemeral 2[p.*=p.a][p.*=p.a]"));
}

TEST_F(LinkPatterns, WhatIsReadOfAPatternIsForIt) {
  Want(0, "p.*");
  core_->Read(0, 7, "p.*", /*history=*/true, {{0, 5}}, now_);
  EXPECT_THAT(sink_.TakeReads(), ElementsAre("1:history 1 p.* 10:5"));
  v1::ReadResponse answer;
  v1::Event* event = answer.add_events();
  event->set_slot(10);
  event->set_offset(6);
  event->add_channels("x");
  event->add_channels("p.b");
  answer.set_last(true);
  answer.add_as_of()->set_slot(10);
  answer.mutable_as_of(0)->set_offset(9);
  core_->OnReadResponse(1, answer, now_);
  EXPECT_THAT(sink_.TakePosted(), ElementsAre("read 0 7 0:6[p.*=p.b] as of 0:9"));
}

TEST_F(LinkPatterns, ThoseThatLingerAreFew) {
  LinkCore::Options options;
  options.lingering_patterns = 2;
  Build(options);
  Start();
  for (const char* name : {"p.a*", "p.b*", "p.c*", "p.d"}) Want(0, name);
  sink_.Take(1);
  for (const char* name : {"p.d", "p.b*", "p.a*", "p.c*"}) core_->RemoveInterest(0, name, now_);
  Pass(milliseconds(100), {1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 6 -p.b*"));
  Want(1, "p.a*");
  Pass(milliseconds(59'000), {1});
  EXPECT_THAT(sink_.Take(1), IsEmpty());
  Pass(milliseconds(2'000), {1});
  EXPECT_THAT(sink_.Take(1), ElementsAre("interest 7 -p.d -p.c*"));
  EXPECT_EQ(core_->Status(now_).patterns, 1u);
  SendBatch(1, BatchOf({{10, {"p.cx"}}, {11, {"p.ax"}}}, 11));
  EXPECT_THAT(sink_.TakePosted(), testing::Contains("batch 0:11[p.a*=p.ax] 0<=11"));
}

}  // namespace
}  // namespace spillway::edge
