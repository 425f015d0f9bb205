#include "services/ingest/link/link_outbox.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

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
std::string Drain(LinkOutbox& outbox) {
  std::vector<std::string> texts;
  while (std::optional<LinkOutbox::Out> out = outbox.Next()) {
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
        texts.push_back(absl::StrCat("ephemeral ", response.ephemeral().first()));
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
  EXPECT_EQ(Drain(outbox), "hello, ephemeral 1");
  EXPECT_TRUE(outbox.AddEphemeral(event.SerializeAsString()));
  EXPECT_EQ(Drain(outbox), "ephemeral 3");
}

}  // namespace
}  // namespace spillway::ingest
