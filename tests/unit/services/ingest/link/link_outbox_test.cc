#include "services/ingest/link/link_outbox.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace spillway::ingest {
namespace {

using Whole = LinkOutbox::Whole;

v1::LinkResponse Hello() {
  v1::LinkResponse response;
  response.mutable_hello()->set_node_id("i");
  return response;
}
v1::LinkResponse Catalogue(const std::string& topic) {
  v1::LinkResponse response;
  response.mutable_catalogue()->add_topics()->set_topic(topic);
  return response;
}
v1::LinkResponse Attached(uint64_t id) {
  v1::LinkResponse response;
  response.mutable_attached()->set_attach_id(id);
  return response;
}
v1::LinkResponse Beat(int64_t time) {
  v1::LinkResponse response;
  response.mutable_beat()->set_time_us(time);
  return response;
}
// A batch of about this size.
std::string Batch(size_t size) {
  v1::Batch batch;
  batch.add_events()->set_payload(std::string(size, 'x'));
  return batch.SerializeAsString();
}

// Everything that may leave now, as text.
std::string Drain(LinkOutbox& outbox, MonoTime now = {}) {
  std::vector<std::string> texts;
  while (std::optional<LinkOutbox::Out> out = outbox.Next(now)) {
    grpc::Slice slice;
    EXPECT_TRUE(out->buffer.DumpToSingleSlice(&slice).ok());
    v1::LinkResponse response;
    EXPECT_TRUE(response.ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
    switch (response.message_case()) {
      case v1::LinkResponse::kHello:
        texts.push_back("hello");
        break;
      case v1::LinkResponse::kCatalogue:
        texts.push_back(absl::StrCat("catalogue ", response.catalogue().topics(0).topic()));
        break;
      case v1::LinkResponse::kAttached:
        texts.push_back(absl::StrCat("attached ", response.attached().attach_id()));
        break;
      case v1::LinkResponse::kBeat:
        texts.push_back(absl::StrCat("beat ", response.beat().time_us()));
        break;
      case v1::LinkResponse::kBatch:
        texts.push_back("batch");
        break;
      case v1::LinkResponse::kBatchPart:
        texts.push_back(response.batch_part().last() ? "last part" : "part");
        break;
      case v1::LinkResponse::kEphemeral:
        texts.push_back(
            absl::StrCat(response.ephemeral().events_size() > 0 ? "ephemeral " : "up to ",
                         response.ephemeral().first()));
        for (const v1::Event& event : response.ephemeral().events()) {
          absl::StrAppend(&texts.back(), " ", event.type());
        }
        break;
      default:
        texts.push_back("something else");
    }
    EXPECT_EQ(out->last_piece, texts.back() == "batch" || texts.back() == "last part");
  }
  return absl::StrJoin(texts, ", ");
}

TEST(LinkOutboxTest, NothingLeavesBeforeTheGreeting) {
  LinkOutbox outbox({});
  outbox.SetBeat(Beat(1));
  outbox.AddWhole(Whole::kCatalogue, 1, Catalogue("a"));
  EXPECT_EQ(Drain(outbox), "");
  outbox.Greet(Hello());
  outbox.SetBeat(Beat(2));
  outbox.AddWhole(Whole::kCatalogue, 1, Catalogue("a"));
  EXPECT_EQ(Drain(outbox), "hello, beat 2, catalogue a");
}

TEST(LinkOutboxTest, AnOlderCatalogueNeverFollowsANewerOne) {
  LinkOutbox outbox({});
  outbox.Greet(Hello());
  outbox.AddWhole(Whole::kCatalogue, 2, Catalogue("new"));
  outbox.AddWhole(Whole::kCatalogue, 1, Catalogue("old"));
  EXPECT_EQ(Drain(outbox), "hello, catalogue new");
  outbox.AddWhole(Whole::kCatalogue, 2, Catalogue("new"));
  EXPECT_EQ(Drain(outbox), "");
}

// An edge that grants no credit does not make the ingest keep every catalogue there ever was.
TEST(LinkOutboxTest, KeepsOnlyTheNewestCatalogueInItsPlaceInTheOrder) {
  LinkOutbox outbox({});
  outbox.Greet(Hello());
  outbox.AddBatch(0, Batch(10));
  outbox.AddWhole(Whole::kCatalogue, 1, Catalogue("a"));
  EXPECT_TRUE(outbox.AddAnswer(Attached(1)));
  const size_t before = outbox.queued_bytes();
  for (uint64_t version = 2; version < 100; ++version) {
    outbox.AddWhole(Whole::kCatalogue, version, Catalogue("b"));
  }
  EXPECT_EQ(outbox.queued_bytes(), before);
  EXPECT_EQ(Drain(outbox), "hello");
  outbox.AddCredit(1);
  EXPECT_EQ(Drain(outbox), "batch, attached 1, catalogue b");
  EXPECT_EQ(outbox.queued_bytes(), 0u);
}

TEST(LinkOutboxTest, BoundsTheAnswersThatAreNotTaken) {
  LinkOutbox outbox({.answer_bytes = 100});
  outbox.Greet(Hello());
  outbox.AddBatch(0, Batch(10));  // no credit
  uint64_t id = 1;
  while (outbox.AddAnswer(Attached(id))) ASSERT_LT(++id, 100u);
  EXPECT_GT(id, 5u);
}

// All blocks and revocations come when a link begins: they are not what answers are bounded by.
TEST(LinkOutboxTest, ControlEntriesHaveABoundOfTheirOwn) {
  v1::LinkResponse control;
  control.mutable_control()->add_entries()->set_subject(std::string(50, 'x'));
  LinkOutbox outbox({.answer_bytes = 100, .control_bytes = 500});
  EXPECT_TRUE(outbox.AddControl(control)) << "dropped: nothing leaves before the greeting";
  outbox.Greet(Hello());
  outbox.AddBatch(0, Batch(10));  // no credit
  int count = 1;
  while (outbox.AddControl(control)) ASSERT_LT(++count, 100);
  EXPECT_GT(count, 5);
  EXPECT_TRUE(outbox.AddAnswer(Attached(1)));
  outbox.AddCredit(1);
  Drain(outbox);
  EXPECT_EQ(outbox.queued_bytes(), 0u);
  EXPECT_TRUE(outbox.AddControl(control)) << "what was taken takes no more room";
}

// Credit is a number that an edge sends, and adds up.
TEST(LinkOutboxTest, WhateverIsGrantedIsCredit) {
  LinkOutbox outbox({});
  outbox.Greet(Hello());
  outbox.AddCredit(std::numeric_limits<int64_t>::max());
  outbox.AddCredit(std::numeric_limits<int64_t>::max());
  outbox.AddBatch(0, Batch(10));
  EXPECT_EQ(Drain(outbox), "hello, batch");
  outbox.AddCredit(std::numeric_limits<int64_t>::min());
  outbox.AddBatch(0, Batch(10));
  EXPECT_EQ(Drain(outbox), "batch");
}

TEST(LinkOutboxTest, ALargeBatchGoesInPartsWithinCredit) {
  LinkOutbox outbox({.message_bytes = 250, .part_bytes = 100});
  outbox.Greet(Hello());
  outbox.AddBatch(0, Batch(200));
  outbox.AddBatch(1, Batch(300));
  outbox.AddBatch(2, Batch(1));
  EXPECT_EQ(Drain(outbox), "hello");
  outbox.AddCredit(1);
  EXPECT_EQ(Drain(outbox), "batch");
  outbox.AddCredit(210);
  EXPECT_EQ(Drain(outbox), "part, part, part, last part") << "they do not wait for each other";
  outbox.AddCredit(310);
  EXPECT_EQ(Drain(outbox), "batch");
  EXPECT_EQ(outbox.queued_bytes(), 0u);
}

TEST(LinkOutboxTest, NumbersEphemeralEventsThatItDrops) {
  LinkOutbox outbox({.ephemeral_bytes = 100});
  outbox.Greet(Hello());
  v1::Event event;
  event.set_payload(std::string(60, 'x'));
  EXPECT_TRUE(outbox.AddEphemeral(event.SerializeAsString()));
  EXPECT_FALSE(outbox.AddEphemeral(event.SerializeAsString()));
  EXPECT_EQ(outbox.ephemeral_dropped(), 1u);
  outbox.AddCredit(1000);
  EXPECT_EQ(Drain(outbox), "hello, ephemeral 1 , up to 3") << "also if none comes any more";
  EXPECT_TRUE(outbox.AddEphemeral(event.SerializeAsString()));
  EXPECT_EQ(Drain(outbox), "ephemeral 3 ");
}

std::string Ephemeral(const std::string& type, size_t bytes = 1) {
  v1::Event event;
  event.set_type(type);
  event.set_payload(std::string(bytes, 'x'));
  return event.SerializeAsString();
}

TEST(LinkOutboxTest, EphemeralEventsThatWaitLeaveTogetherInOrder) {
  LinkOutbox outbox({});
  outbox.Greet(Hello());
  outbox.AddCredit(1000);
  for (const char* type : {"a", "b"}) EXPECT_TRUE(outbox.AddEphemeral(Ephemeral(type)));
  outbox.AddBatch(0, "");
  for (const char* type : {"c", "d"}) EXPECT_TRUE(outbox.AddEphemeral(Ephemeral(type)));
  EXPECT_EQ(Drain(outbox), "hello, ephemeral 1 a b, batch, ephemeral 3 c d");
  EXPECT_EQ(outbox.queued_bytes(), 0u);
}

TEST(LinkOutboxTest, EphemeralEventsAreGatheredUpToABound) {
  LinkOutbox outbox({.part_bytes = 100});
  outbox.Greet(Hello());
  outbox.AddCredit(1000);
  for (const char* type : {"a", "b", "c"}) EXPECT_TRUE(outbox.AddEphemeral(Ephemeral(type, 40)));
  EXPECT_EQ(Drain(outbox), "hello, ephemeral 1 a b, ephemeral 3 c");
}

TEST(LinkOutboxTest, ADroppedEphemeralEventIsMissingBetweenMessages) {
  LinkOutbox outbox({.ephemeral_bytes = 200});
  outbox.Greet(Hello());
  outbox.AddCredit(1000);
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("a")));
  EXPECT_FALSE(outbox.AddEphemeral(Ephemeral("b", 300)));
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("c")));
  EXPECT_EQ(Drain(outbox), "hello, ephemeral 1 a, ephemeral 3 c");
}

TEST(LinkOutboxTest, EphemeralEventsTakeTheCreditOfTheirMessage) {
  LinkOutbox outbox({});
  outbox.Greet(Hello());
  outbox.AddCredit(1);
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("a")));
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("b")));
  ASSERT_TRUE(outbox.Next({}).has_value());  // hello
  const std::optional<LinkOutbox::Out> out = outbox.Next({});
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->cost, static_cast<int64_t>(out->buffer.Length()));
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("c")));
  EXPECT_EQ(Drain(outbox), "");  // the edge must give credit first
  outbox.AddCredit(out->cost);
  EXPECT_EQ(Drain(outbox), "ephemeral 3 c");
}

class PacedOutboxTest : public testing::Test {
 protected:
  static constexpr MonoTime kStart = MonoTime() + std::chrono::seconds(1);
  static MonoTime At(int us) { return kStart + std::chrono::microseconds(us); }

  PacedOutboxTest() {
    outbox.Greet(Hello());
    outbox.AddCredit(100'000);
  }

  LinkOutbox outbox{{.interval = std::chrono::microseconds(1000)}};
};

TEST_F(PacedOutboxTest, DataThatComesSeldomLeavesAtOnce) {
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("a")));
  EXPECT_EQ(Drain(outbox, At(0)), "hello, ephemeral 1 a");
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("b")));
  EXPECT_EQ(Drain(outbox, At(1000)), "ephemeral 2 b");
  EXPECT_EQ(outbox.held_until(), std::nullopt);
}

TEST_F(PacedOutboxTest, DataThatComesOftenWaitsForTheIntervalAndLeavesTogether) {
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("a")));
  EXPECT_EQ(Drain(outbox, At(0)), "hello, ephemeral 1 a");
  EXPECT_TRUE(outbox.AddEphemeral(Ephemeral("b")));
  outbox.AddBatch(0, "");
  EXPECT_EQ(Drain(outbox, At(300)), "");
  EXPECT_EQ(outbox.held_until(), At(1000));
  outbox.AddBatch(1, "");
  EXPECT_EQ(Drain(outbox, At(700)), "");
  // All that waited goes in one turn; what comes after its begin waits for the next.
  EXPECT_EQ(Drain(outbox, At(1000)), "ephemeral 2 b, batch, batch");
  EXPECT_EQ(outbox.held_until(), std::nullopt);
  outbox.AddBatch(0, "");
  EXPECT_EQ(Drain(outbox, At(1001)), "");
  EXPECT_EQ(outbox.held_until(), At(2000));
}

TEST_F(PacedOutboxTest, BeatsAndAnswersDoNotWait) {
  outbox.AddBatch(0, "");
  EXPECT_EQ(Drain(outbox, At(0)), "hello, batch");
  outbox.SetBeat(Beat(1));
  outbox.AddWhole(Whole::kCatalogue, 1, Catalogue("a"));
  outbox.AddBatch(0, "");
  EXPECT_EQ(Drain(outbox, At(10)), "beat 1, catalogue a");
  EXPECT_EQ(Drain(outbox, At(1010)), "batch");
}

TEST_F(PacedOutboxTest, WhatWaitsForCreditIsNotHeldByTheInterval) {
  LinkOutbox poor{{.interval = std::chrono::microseconds(1000)}};
  poor.Greet(Hello());
  poor.AddBatch(0, "x");
  EXPECT_EQ(Drain(poor, At(0)), "hello");
  EXPECT_EQ(poor.held_until(), std::nullopt);
}

TEST(LinkOutboxTest, SaysOnceWhereSeveralEphemeralEventsWereDropped) {
  LinkOutbox outbox({.ephemeral_bytes = 100});
  outbox.Greet(Hello());
  v1::Event small;
  v1::Event large;
  large.set_payload(std::string(90, 'x'));
  small.set_payload(std::string(10, 'x'));
  EXPECT_TRUE(outbox.AddEphemeral(small.SerializeAsString()));
  EXPECT_FALSE(outbox.AddEphemeral(large.SerializeAsString()));
  EXPECT_FALSE(outbox.AddEphemeral(large.SerializeAsString()));
  EXPECT_TRUE(outbox.AddAnswer(Attached(1)));
  EXPECT_FALSE(outbox.AddEphemeral(large.SerializeAsString()));
  EXPECT_TRUE(outbox.AddEphemeral(small.SerializeAsString()));
  EXPECT_FALSE(outbox.AddEphemeral(large.SerializeAsString()));
  outbox.AddCredit(1000);
  EXPECT_EQ(Drain(outbox), "hello, ephemeral 1 , up to 5, attached 1, ephemeral 5 , up to 7");
}

}  // namespace
}  // namespace spillway::ingest
