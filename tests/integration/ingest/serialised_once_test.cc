// An event is serialised once, however many edges it goes to and however often it is read: the
// linker puts a count around the only function that does it (--wrap, CMakeLists.txt).

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/wire/event_wire.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "spillway/v1/read.grpc.pb.h"
#include "tests/integration/ingest/link_peer.h"
#include "tests/integration/ingest/test_ingest.h"

namespace {

std::atomic<uint64_t> serialised{0};

#define SPILLWAY_APPEND_BATCH_EVENT                         \
  "_ZN8spillway4wire16AppendBatchEventERKNS0_9EventViewEjl" \
  "PNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"

}  // namespace

void AppendReally(const spillway::wire::EventView& event, uint32_t slot, int64_t offset,
                  std::string* out) __asm__("__real_" SPILLWAY_APPEND_BATCH_EVENT);
void AppendAndCount(const spillway::wire::EventView& event, uint32_t slot, int64_t offset,
                    std::string* out) __asm__("__wrap_" SPILLWAY_APPEND_BATCH_EVENT);

void AppendAndCount(const spillway::wire::EventView& event, uint32_t slot, int64_t offset,
                    std::string* out) {
  ++serialised;
  AppendReally(event, slot, offset, out);
}

namespace spillway::ingest {
namespace {

constexpr size_t kEvents = 20;

TEST(SerialisedOnceTest, WhateverTheNumberOfEdgesAndReads) {
  EmbeddedBroker::Options options;
  options.topics = {{"prices", 1}};
  const auto broker = *EmbeddedBroker::Start(options);
  TestIngest ingest(*broker,
                    "  routes: [{name: r, topics: [prices], emit: [{channels: ['p'], type: price, "
                    "key: '{/n}', snapshot: {mode: by_key}}]}]\n");
  std::vector<std::unique_ptr<LinkPeer>> edges;
  uint32_t slot = 0;
  for (uint64_t attach_id = 1; attach_id <= 2; ++attach_id) {
    LinkPeer& edge = *edges.emplace_back(std::make_unique<LinkPeer>(ingest.grpc()));
    ASSERT_TRUE(edge.ReadCatalogue(1));
    slot = edge.catalogue.topics(0).slots(0).slot();
    edge.Want(1, {"p"}, true);
    edge.AttachEnd(slot, attach_id);
    ASSERT_TRUE(edge.ReadUntil([](const v1::LinkResponse& r) { return r.has_attached(); }));
  }
  const auto channel = grpc::CreateChannel(ingest.grpc(), grpc::InsecureChannelCredentials());
  const auto publisher = v1::PublishService::NewStub(channel);
  serialised = 0;
  for (size_t n = 0; n < kEvents; ++n) {
    v1::PublishRequest request;
    request.mutable_publication()->mutable_durable()->set_topic("prices");
    request.mutable_publication()->mutable_durable()->set_value(absl::StrCat("{\"n\":", n, "}"));
    grpc::ClientContext context;
    v1::PublishResponse response;
    ASSERT_TRUE(publisher->Publish(&context, request, &response).ok());
  }
  for (const auto& edge : edges) {
    ASSERT_TRUE(edge->ReadEvents(kEvents));
    EXPECT_EQ(edge->events().size(), kEvents);
  }
  // A snapshot of all of them is made of the same bytes.
  v1::SnapshotRequest request;
  request.set_node_id(ingest.app().node_id());
  request.set_channel("p");
  v1::SlotOffset* at = request.add_not_before();
  at->set_slot(slot);
  at->set_offset(kEvents - 1);
  grpc::ClientContext context;
  const auto read = v1::ReadService::NewStub(channel)->Snapshot(&context, request);
  v1::ReadResponse response;
  int events = 0;
  while (read->Read(&response)) events += response.events_size();
  EXPECT_EQ(events, static_cast<int>(kEvents));
  EXPECT_EQ(serialised, kEvents);
}

}  // namespace
}  // namespace spillway::ingest
