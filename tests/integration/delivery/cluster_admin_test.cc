// Calls of the admin API for a whole cluster of edges.

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/delivery/cluster_fixture.h"

namespace spillway::test {
namespace {

class ClusterAdminTest : public ClusterTest {
 protected:
  ClusterAdminTest() {
    control_topic_ = "";
    StartIngests(1);
    StartEdge("edge-a");
    StartEdge("edge-b");
    for (const auto& edge : edges_) EXPECT_TRUE(WaitForCluster(*edge, 3));
  }
  Edge& a() { return *edges_[0]; }
  Edge& b() { return *edges_[1]; }

  static void Subscribe(BeastClient& client, const std::string& channel) {
    client.Send(absl::StrCat(R"({"type":"subscribe","id":1,"channels":[")", channel, R"("]})"));
    ASSERT_NE(Next(client, "subscribed"), "");
  }
  // The next message of a type.
  static std::string Next(BeastClient& client, const std::string& type) {
    for (;;) {
      const ClientResult result = client.Receive();
      if (!result.ok) return "";
      if (result.payload.find("\"type\":\"" + type + "\"") != std::string::npos) {
        return result.payload;
      }
    }
  }
};

TEST_F(ClusterAdminTest, ConnectionsOfAllNodesAreOneList) {
  BeastClient clients[4];
  for (int i = 0; i < 4; ++i) Join(clients[i], i % 2 == 0 ? a() : b(), With(Token("u1")));
  v1::ListConnectionsRequest request;
  request.set_user_id("u1");
  request.set_page_size(3);
  std::vector<std::string> ids;
  std::set<std::string> nodes;
  do {
    v1::ListConnectionsResponse page;
    ASSERT_TRUE(Call(a(), &Stub::ListConnections, request, &page).ok());
    EXPECT_EQ(page.nodes_size(), 2);
    for (const v1::Connection& one : page.connections()) {
      ids.push_back(one.id());
      nodes.insert(one.node_id());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids.size(), 4u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(nodes, (std::set<std::string>{"edge-a", "edge-b"}));

  v1::GetConnectionRequest get;
  get.set_connection_id(ids[0]);
  for (Edge* edge : {&a(), &b()}) {
    v1::GetConnectionResponse shown;
    const grpc::Status status = Call(*edge, &Stub::GetConnection, get, &shown);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(shown.connection().id(), ids[0]);
  }
  v1::GetStatsResponse stats;
  ASSERT_TRUE(Call(b(), &Stub::GetStats, v1::GetStatsRequest(), &stats).ok());
  EXPECT_GE(stats.connections(), 4u);
  EXPECT_EQ(stats.each_size(), 2);
}

TEST_F(ClusterAdminTest, PresenceAndChannelsAreCountedTogether) {
  BeastClient clients[3];
  Join(clients[0], a(), With(Token("u1")));
  Join(clients[1], b(), With(Token("u1")));
  Join(clients[2], b(), {.path = "/open"});
  for (BeastClient& client : clients) Subscribe(client, "room:1");
  v1::PresenceRequest request;
  request.set_channel("room:1");
  v1::PresenceResponse present;
  ASSERT_TRUE(Call(a(), &Stub::Presence, request, &present).ok());
  ASSERT_EQ(present.users_size(), 1);
  EXPECT_EQ(present.users(0).user_id(), "u1");
  EXPECT_EQ(present.users(0).connections(), 2u);
  EXPECT_EQ(present.anonymous(), 1u);
  v1::PresenceStatsRequest count;
  count.set_channel("room:1");
  v1::PresenceStatsResponse counted;
  ASSERT_TRUE(Call(a(), &Stub::PresenceStats, count, &counted).ok());
  EXPECT_EQ(counted.connections(), 3u);
  EXPECT_EQ(counted.anonymous(), 1u);
  v1::GetChannelRequest get;
  get.set_channel("room:1");
  v1::GetChannelResponse channel;
  ASSERT_TRUE(Call(b(), &Stub::GetChannel, get, &channel).ok());
  EXPECT_EQ(channel.channel().subscribers(), 3u);
}

TEST_F(ClusterAdminTest, AnOperatorSubscribesAndSpeaksToUsersAnywhere) {
  BeastClient client;
  Join(client, b(), With(Token("u1")));
  v1::SubscribeRequest subscribe;
  subscribe.set_user_id("u1");
  subscribe.add_channels("room:1");
  v1::SubscribeResponse changed;
  ASSERT_TRUE(Call(a(), &Stub::Subscribe, subscribe, &changed).ok());
  EXPECT_EQ(changed.changed(), 1u);
  EXPECT_NE(Next(client, "subscribed").find("room:1"), std::string::npos);

  v1::BroadcastBatchRequest batch;
  for (int i = 0; i < 2; ++i) {
    v1::BroadcastRequest* one = batch.add_broadcasts();
    one->set_type("note");
    one->set_payload(absl::StrCat(i));
  }
  batch.mutable_broadcasts(0)->set_pattern("room:*");
  batch.mutable_broadcasts(1)->add_users("u1");
  v1::BroadcastBatchResponse delivered;
  ASSERT_TRUE(Call(a(), &Stub::BroadcastBatch, batch, &delivered).ok());
  ASSERT_EQ(delivered.delivered_size(), 2);
  EXPECT_EQ(delivered.delivered(0), 1u);
  EXPECT_EQ(delivered.delivered(1), 1u);
  EXPECT_NE(Next(client, "event").find("room:1"), std::string::npos);
  EXPECT_NE(Next(client, "event").find("$user"), std::string::npos);

  ASSERT_TRUE(Call(a(), &Stub::Unsubscribe, subscribe, &changed).ok());
  EXPECT_NE(Next(client, "unsubscribed"), "");
  v1::DisconnectRequest disconnect;
  disconnect.set_endpoint("/ws");
  disconnect.set_code(4100);
  v1::DisconnectResponse disconnected;
  ASSERT_TRUE(Call(a(), &Stub::Disconnect, disconnect, &disconnected).ok());
  EXPECT_EQ(disconnected.disconnected(), 1u);
  EXPECT_EQ(EndOf(client), 4100);
}

TEST_F(ClusterAdminTest, WhatHappensCanBeWatched) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::WatchEventsRequest request;
  request.add_categories(v1::EVENT_CATEGORY_CONNECTION);
  request.add_categories(v1::EVENT_CATEGORY_ADMIN);
  request.set_scope(v1::SCOPE_NODE);
  const auto stream = a().stub->WatchEvents(&context, request);
  stream->WaitForInitialMetadata();  // from here on all is seen
  BeastClient client;
  Join(client, a(), With(Token("u1")));
  v1::DisconnectRequest disconnect;
  disconnect.set_user_id("u1");
  v1::DisconnectResponse disconnected;
  ASSERT_TRUE(Call(b(), &Stub::Disconnect, disconnect, &disconnected).ok());
  EXPECT_EQ(EndOf(client), 4009);
  std::set<std::string> seen;
  v1::NodeEvent event;
  while (seen.size() < 3 && stream->Read(&event)) {
    EXPECT_EQ(event.node_id(), "edge-a");
    seen.insert(event.kind());
    if (event.kind() == "admin_call") {
      EXPECT_EQ(event.action(), "Disconnect");
      EXPECT_EQ(event.outcome(), "ok");
    }
  }
  EXPECT_EQ(seen, (std::set<std::string>{"connection_opened", "connection_closed", "admin_call"}));
  context.TryCancel();
}

// Nobody calls anybody without credentials.
TEST_F(ClusterTest, EdgesPassOnWhoAsked) {
  admin_ =
      ", callers: [{name: ada, bearer_token: a-token, role: admin},"
      " {name: vera, bearer_token: v-token, role: viewer},"
      " {name: edges, bearer_token: e-token, role: admin}]";
  link_ = ", bearer_token: l-token";
  bearer_ = "a-token";
  StartIngests(1, "  link: {bearer_token: l-token}\n");
  const std::string peers = "  control: {peer_token: e-token}\n";
  Edge& a = StartEdge("edge-a", peers);
  Edge& b = StartEdge("edge-b", peers);
  for (const auto& edge : edges_) ASSERT_TRUE(WaitForCluster(*edge, 3));

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  rpc::AddBearer("v-token", &context);
  v1::WatchEventsRequest watch;
  watch.add_categories(v1::EVENT_CATEGORY_ADMIN);
  watch.set_scope(v1::SCOPE_NODE);  // what b alone has to say
  const auto events = b.stub->WatchEvents(&context, watch);
  events->WaitForInitialMetadata();

  v1::BlockUserRequest block;
  block.set_user_id("u1");
  block.set_ttl_ms(60'000);
  v1::ControlResponse blocked;
  ASSERT_TRUE(Call(a, &Stub::BlockUser, block, &blocked).ok());
  EXPECT_TRUE(blocked.durable()) << blocked.durable_message();
  for (const v1::NodeResult& node : blocked.nodes()) EXPECT_EQ(node.error_code(), "");
  EXPECT_EQ(blocked.nodes_size(), 2);
  v1::NodeEvent event;
  ASSERT_TRUE(events->Read(&event));
  EXPECT_EQ(event.action(), "ApplyControl");
  EXPECT_EQ(event.actor(), "ada via edges");

  v1::DisconnectRequest disconnect;
  disconnect.set_user_id("u1");
  v1::DisconnectResponse disconnected;
  ASSERT_TRUE(Call(a, &Stub::Disconnect, disconnect, &disconnected).ok());
  ASSERT_TRUE(events->Read(&event));
  EXPECT_EQ(event.action(), "Disconnect");
  EXPECT_EQ(event.actor(), "ada via edges");

  // A viewer's question is asked of all, too.
  bearer_ = "v-token";
  v1::GetStatsResponse stats;
  ASSERT_TRUE(Call(a, &Stub::GetStats, v1::GetStatsRequest(), &stats).ok());
  EXPECT_EQ(stats.each_size(), 2);
  context.TryCancel();
}

}  // namespace
}  // namespace spillway::test
