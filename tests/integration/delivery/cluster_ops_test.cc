// Operators' calls that are about nodes and histories: real tiers, two edges.

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "services/ingest/kafka/producer.h"
#include "tests/integration/delivery/cluster_fixture.h"

namespace spillway::test {
namespace {

using testing::HasSubstr;

class ClusterOpsTest : public ClusterTest {
 protected:
  ClusterOpsTest() {
    control_topic_ = "";
    StartIngests(1);
    StartEdge("edge-a");
    StartEdge("edge-b");
    for (const auto& edge : edges_) EXPECT_TRUE(WaitForCluster(*edge, 3));
  }
  Edge& a() { return *edges_[0]; }
  Edge& b() { return *edges_[1]; }

  v1::DrainResponse Drain(Edge& asked, v1::DrainRequest request) {
    v1::DrainResponse response;
    const grpc::Status status = Call(asked, &Stub::Drain, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  bool SeenDraining(Edge& by, const std::string& node) {
    v1::ListNodesResponse listed;
    EXPECT_TRUE(Call(by, &Stub::ListNodes, v1::ListNodesRequest(), &listed).ok());
    for (const v1::Node& one : listed.nodes()) {
      if (one.node_id() == node) return one.draining();
    }
    return false;
  }
};

TEST_F(ClusterOpsTest, ANodeIsDrainedByAnother) {
  BeastClient client;
  Join(client, b(), With(Token("u1")));
  v1::DrainRequest request;
  request.set_node_id("edge-b");
  request.set_duration_ms(200);
  request.set_lead_ms(50);
  v1::DrainResponse told = Drain(a(), request);
  EXPECT_EQ(told.node_id(), "edge-b");
  EXPECT_EQ(told.stage(), v1::DRAIN_STAGE_LEAD);
  EXPECT_EQ(told.others(), 1u);
  EXPECT_TRUE(WaitFor([&] { return SeenDraining(a(), "edge-b"); }));
  // With the Updates of WaitFor it goes on.
  request.set_dry_run(true);
  EXPECT_TRUE(WaitFor([&] { return Drain(a(), request).stage() == v1::DRAIN_STAGE_DRAINED; }));
  const std::string moving = client.Receive().payload;
  EXPECT_THAT(moving, HasSubstr(R"("type":"moving")"));
  EXPECT_THAT(moving, HasSubstr(absl::StrCat(":", a().port(), "\""))) << "at the other one";
  EXPECT_EQ(EndOf(client), 1001);
  EXPECT_EQ(Refused(b(), {.path = "/open"}), "shutting_down");
  EXPECT_EQ(Refused(a(), {.path = "/open"}), "");

  // Nobody is sent to it.
  v1::DrainRequest other;
  other.set_scope(v1::SCOPE_NODE);
  other.set_dry_run(true);
  EXPECT_EQ(Drain(a(), other).others(), 0u);
  v1::UndrainRequest back;
  back.set_node_id("edge-b");
  ASSERT_TRUE(Call(a(), &Stub::Undrain, back, &told).ok());
  EXPECT_EQ(told.stage(), v1::DRAIN_STAGE_SERVING);
  EXPECT_TRUE(WaitFor([&] { return Drain(a(), other).others() == 1; }));
  EXPECT_EQ(Refused(b(), {.path = "/open"}), "");
}

TEST_F(ClusterOpsTest, AHistoryIsReadPageByPage) {
  ingest::KafkaSettings kafka;
  kafka.brokers = broker_->bootstrap();
  auto producer = *ingest::Producer::Create(kafka, {});
  for (int n = 0; n < 25; ++n) {
    ingest::ProduceRequest record;
    record.topic = "ticks";
    record.partition = n % 2;
    record.key = "x";
    const std::string value = absl::StrCat("{\"n\":", n, "}");
    record.value = value;
    ASSERT_TRUE(producer->Produce(record, [](const auto&) {}).ok());
  }
  v1::ChannelHistoryRequest request;
  request.set_channel("tick:x");
  request.set_page_size(4);
  std::set<std::string> payloads;
  std::vector<std::string> places;
  const auto read_all = [&] {
    payloads.clear();
    places.clear();
    request.clear_page_token();
    do {
      v1::ChannelHistoryResponse page;
      if (!Call(a(), &Stub::History, request, &page).ok()) return false;
      EXPECT_LE(page.events_size(), 4);
      for (const v1::HistoryEvent& event : page.events()) {
        payloads.insert(event.payload());
        places.push_back(absl::StrCat(event.source(), ":", 1'000 + event.offset()));
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return payloads.size() == 25;
  };
  EXPECT_TRUE(WaitFor(read_all)) << payloads.size();
  EXPECT_EQ(places.size(), 25u) << "each once";
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
  request.Clear();
  request.set_channel("nobody:feeds:it");
  v1::ChannelHistoryResponse page;
  EXPECT_EQ(Call(a(), &Stub::History, request, &page).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ClusterOpsTest, WhatHappensAnywhereCanBeWatchedAnywhere) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::WatchEventsRequest request;
  request.add_categories(v1::EVENT_CATEGORY_CONNECTION);
  const auto stream = a().stub->WatchEvents(&context, request);
  v1::NodeEvent event;
  while (event.kind() != "node_watched") ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.node_id(), "edge-b");
  EXPECT_EQ(event.category(), v1::EVENT_CATEGORY_WATCH);
  BeastClient there;
  Join(there, b(), With(Token("u1")));
  BeastClient here;
  Join(here, a(), With(Token("u2")));
  std::set<std::string> seen;
  while (seen.size() < 2 && stream->Read(&event)) {
    if (event.kind() == "connection_opened") seen.insert(event.node_id() + " " + event.user_id());
  }
  EXPECT_EQ(seen, (std::set<std::string>{"edge-a u2", "edge-b u1"}));
  edges_[1]->app->Stop(std::chrono::seconds(5));
  while (event.kind() != "node_lost" && stream->Read(&event)) continue;
  EXPECT_EQ(event.kind(), "node_lost");
  EXPECT_EQ(event.node_id(), "edge-b");
  context.TryCancel();
}

TEST_F(ClusterOpsTest, ALongBatchIsSentInOrder) {
  BeastClient client;
  Join(client, a(), With(Token("u1")));
  v1::BroadcastBatchRequest batch;
  for (int i = 0; i < 30; ++i) {
    v1::BroadcastRequest* one = batch.add_broadcasts();
    one->set_type("note");
    one->set_payload(absl::StrCat(i));
    one->set_all(true);
  }
  v1::BroadcastBatchResponse delivered;
  ASSERT_TRUE(Call(b(), &Stub::BroadcastBatch, batch, &delivered).ok());
  EXPECT_THAT(delivered.delivered(), testing::Each(1u));
  EXPECT_EQ(delivered.delivered_size(), 30);
  for (int i = 0; i < 30; ++i) {
    EXPECT_THAT(client.Receive().payload, HasSubstr(absl::StrCat("\"data\":", i, "}")));
  }
}

}  // namespace
}  // namespace spillway::test
