// Blocks and revocations in a cluster of edges and ingests: they act everywhere, on those who are
// there and those who come, and outlive all nodes.

#include <chrono>
#include <memory>
#include <string>

#include "tests/integration/delivery/cluster_fixture.h"

namespace spillway::test {
namespace {

class ControlTest : public ClusterTest {
 protected:
  void StartCluster() {
    StartIngests(2);
    StartEdge("edge-a");
    StartEdge("edge-b");
    for (const auto& edge : edges_) ASSERT_TRUE(WaitForCluster(*edge, 4));
  }
  Edge& a() { return *edges_[0]; }
  Edge& b() { return *edges_[1]; }

  v1::ControlResponse BlockUser(Edge& edge, const std::string& user, int64_t ttl_ms = 0) {
    v1::BlockUserRequest request;
    request.set_user_id(user);
    request.set_ttl_ms(ttl_ms);
    v1::ControlResponse response;
    const grpc::Status status = Call(edge, &Stub::BlockUser, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(ControlTest, ABlockActsOnAllEdgesAtOnce) {
  StartCluster();
  BeastClient live;
  BeastClient other;
  Join(live, b(), With(Token("u1")));
  Join(other, b(), With(Token("u2")));

  const v1::ControlResponse response = BlockUser(a(), "u1");
  EXPECT_TRUE(response.durable()) << response.durable_message();
  EXPECT_EQ(response.connections(), 1u);
  ASSERT_EQ(response.nodes_size(), 2);
  for (const v1::NodeResult& node : response.nodes()) EXPECT_EQ(node.error_code(), "");
  ASSERT_NE(NodeOf(response, "edge-b"), nullptr);
  EXPECT_EQ(NodeOf(response, "edge-b")->count(), 1u);

  EXPECT_EQ(EndOf(live), 4010);
  EXPECT_EQ(Refused(a(), With(Token("u1"))), "user_blocked");
  EXPECT_EQ(Refused(b(), With(Token("u1"))), "user_blocked");
  EXPECT_EQ(Refused(b(), With(Token("u2"))), "") << "nobody else is meant";

  v1::ListBlocksResponse listed;
  ASSERT_TRUE(Call(b(), &Stub::ListBlocks, v1::ListBlocksRequest(), &listed).ok());
  ASSERT_EQ(listed.entries_size(), 1);
  EXPECT_EQ(listed.entries(0).subject(), "u1");
  EXPECT_EQ(listed.entries(0).node_id(), "edge-a");

  // Lifted by the other edge, though its clock may be behind.
  v1::UnblockRequest lift;
  lift.set_user_id("u1");
  v1::ControlResponse lifted;
  ASSERT_TRUE(Call(b(), &Stub::Unblock, lift, &lifted).ok());
  EXPECT_TRUE(lifted.durable());
  EXPECT_EQ(Refused(a(), With(Token("u1"))), "");
  EXPECT_EQ(Refused(b(), With(Token("u1"))), "");
  EXPECT_EQ(Call(a(), &Stub::Unblock, lift, &lifted).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ControlTest, ABlockOutlivesAllNodesAndIsThereBeforeClientsAre) {
  StartCluster();
  ASSERT_TRUE(BlockUser(a(), "u1").durable());
  ASSERT_TRUE(BlockUser(b(), "u2").durable());
  v1::UnblockRequest lift;
  lift.set_user_id("u2");
  v1::ControlResponse lifted;
  ASSERT_TRUE(Call(a(), &Stub::Unblock, lift, &lifted).ok());
  ASSERT_TRUE(lifted.durable());
  StopAll();

  StartIngests(1);
  Edge& fresh = StartEdge("edge-c");
  // Whoever is quick is told to come back, and never let in.
  std::string refused;
  ASSERT_TRUE(WaitFor([&] {
    refused = Refused(fresh, With(Token("u1")));
    return refused != "control_pending";
  }));
  EXPECT_EQ(refused, "user_blocked");
  EXPECT_EQ(Refused(fresh, With(Token("u2"))), "") << "what was lifted stays lifted";
}

TEST_F(ControlTest, ANodeThatIsDownIsNamed) {
  StartCluster();
  b().app->Stop(std::chrono::seconds(5));
  b().app.reset();
  const v1::ControlResponse response = BlockUser(a(), "u1");
  EXPECT_TRUE(response.durable()) << "Kafka has it all the same";
  ASSERT_NE(NodeOf(response, "edge-b"), nullptr);
  EXPECT_EQ(NodeOf(response, "edge-b")->error_code(), "node_unreachable");
  ASSERT_NE(NodeOf(response, "edge-a"), nullptr);
  EXPECT_EQ(NodeOf(response, "edge-a")->error_code(), "");
  v1::ListConnectionsResponse listed;
  ASSERT_TRUE(Call(a(), &Stub::ListConnections, v1::ListConnectionsRequest(), &listed).ok());
  ASSERT_EQ(listed.nodes_size(), 2);
  EXPECT_EQ(listed.nodes(1).node_id(), "edge-b");
  EXPECT_EQ(listed.nodes(1).error_code(), "node_unreachable");
}

TEST_F(ControlTest, WithoutATopicABlockActsOnTheEdgesAlive) {
  control_topic_ = "";
  StartCluster();
  BeastClient live;
  Join(live, b(), With(Token("u1")));
  const v1::ControlResponse response = BlockUser(a(), "u1");
  EXPECT_FALSE(response.durable());
  EXPECT_EQ(response.durable_error_code(), "control_no_topic");
  EXPECT_EQ(EndOf(live), 4010);
  EXPECT_EQ(Refused(b(), With(Token("u1"))), "user_blocked");
}

TEST_F(ControlTest, OneNodeAloneAndTryingOut) {
  StartCluster();
  BeastClient live;
  Join(live, b(), With(Token("u1")));
  v1::BlockUserRequest request;
  request.set_user_id("u1");
  request.set_dry_run(true);
  v1::ControlResponse response;
  ASSERT_TRUE(Call(a(), &Stub::BlockUser, request, &response).ok());
  EXPECT_EQ(response.connections(), 1u);
  EXPECT_FALSE(response.durable());
  EXPECT_EQ(Refused(b(), With(Token("u1"))), "");

  request.set_dry_run(false);
  request.set_scope(v1::SCOPE_NODE);
  ASSERT_TRUE(Call(a(), &Stub::BlockUser, request, &response).ok());
  EXPECT_EQ(response.nodes_size(), 1);
  EXPECT_EQ(response.durable_error_code(), "control_one_node");
  EXPECT_EQ(Refused(a(), With(Token("u1"))), "user_blocked");
  EXPECT_EQ(Refused(b(), With(Token("u1"))), "");
}

TEST_F(ControlTest, ARevokedTokenIsRefusedByEveryWay) {
  StartCluster();
  const std::string token = Token("u1", {{"jti", R"("t1")"}});
  const std::string good = Token("u1", {{"jti", R"("t2")"}});
  BeastClient live;
  BeastClient late;
  BeastClient refreshing;
  Join(live, b(), With(token));
  ASSERT_TRUE(late.Connect(b().port(), {.path = "/late"}));
  Join(refreshing, b(), With(good));

  v1::RevokeTokenRequest revoke;
  revoke.set_jti("t1");
  v1::ControlResponse response;
  ASSERT_TRUE(Call(a(), &Stub::RevokeToken, revoke, &response).ok());
  EXPECT_EQ(response.connections(), 1u);
  EXPECT_EQ(EndOf(live), 4011);
  EXPECT_EQ(Refused(b(), With(token)), "token_revoked");
  EXPECT_EQ(Refused(b(), {.path = "/ws", .headers = {{"Authorization", "Bearer " + token}}}),
            "token_revoked");
  EXPECT_EQ(Refused(b(), {.path = "/ws", .subprotocol = "bearer." + token}), "token_revoked");
  EXPECT_EQ(Refused(b(), {.path = "/ws", .headers = {{"Cookie", "token=" + token}}}),
            "token_revoked");
  late.Send(absl::StrCat(R"({"type":"connect","token":")", token, R"("})"));
  EXPECT_NE(late.Receive().payload.find("token_revoked"), std::string::npos);
  EXPECT_EQ(EndOf(late), 4011);
  refreshing.Send(absl::StrCat(R"({"type":"refresh","id":1,"token":")", token, R"("})"));
  EXPECT_NE(refreshing.Receive().payload.find("token_revoked"), std::string::npos);
  refreshing.Send(absl::StrCat(R"({"type":"refresh","id":2,"token":")", good, R"("})"));
  EXPECT_NE(refreshing.Receive().payload.find("refreshed"), std::string::npos);
}

TEST_F(ControlTest, TokensOfBeforeAreRevoked) {
  StartCluster();
  BeastClient old;
  BeastClient undated;
  BeastClient young;
  Join(old, b(), With(Token("u1", {{"iat", "1000"}})));
  Join(undated, b(), With(Token("u1")));
  Join(young, b(), With(Token("u1", {{"iat", "3000"}})));
  v1::RevokeUserTokensRequest revoke;
  revoke.set_user_id("u1");
  revoke.set_issued_before_ms(2'000'000);
  v1::ControlResponse response;
  ASSERT_TRUE(Call(a(), &Stub::RevokeUserTokens, revoke, &response).ok());
  EXPECT_EQ(response.connections(), 2u);
  EXPECT_EQ(EndOf(old), 4011);
  EXPECT_EQ(EndOf(undated), 4011);
  EXPECT_EQ(Refused(b(), With(Token("u1", {{"iat", "1999"}}))), "token_revoked");
  EXPECT_EQ(Refused(b(), With(Token("u1", {{"iat", "2000"}}))), "");
  // Asking for less later takes nothing back.
  revoke.set_issued_before_ms(500'000);
  ASSERT_TRUE(Call(b(), &Stub::RevokeUserTokens, revoke, &response).ok());
  EXPECT_EQ(Refused(b(), With(Token("u1", {{"iat", "1000"}}))), "token_revoked");
}

TEST_F(ControlTest, AddressesCannotBeWrittenAround) {
  StartCluster();
  const auto block = [&](const std::string& ip) {
    v1::BlockIpRequest request;
    request.set_ip(ip);
    v1::ControlResponse response;
    const grpc::Status status = Call(a(), &Stub::BlockIp, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.entry().subject();
  };
  const auto refused = [&](const std::string& ip) { return Refused(b(), With(Token("u1"), ip)); };
  BeastClient live;
  Join(live, b(), With(Token("u1"), "2001:db8:1:1::1"));
  EXPECT_EQ(block("2001:db8:1:1::7"), "2001:db8:1:1::/64");
  EXPECT_EQ(EndOf(live), 4010) << "another address of the same client";
  EXPECT_EQ(refused("2001:db8:1:1:ffff::2"), "ip_blocked");
  EXPECT_EQ(refused("2001:db8:1:2::1"), "");
  EXPECT_EQ(block("203.0.113.7"), "203.0.113.7/32");
  EXPECT_EQ(refused("203.0.113.7"), "ip_blocked");
  EXPECT_EQ(refused("::ffff:203.0.113.7"), "ip_blocked") << "mapped into IPv6";
  EXPECT_EQ(block("::ffff:198.51.100.0/120"), "198.51.100.0/24");
  EXPECT_EQ(refused("198.51.100.9"), "ip_blocked");
  EXPECT_EQ(refused("198.51.101.9"), "");
  v1::UnblockRequest lift;
  lift.set_ip("198.51.100.0/24");
  v1::ControlResponse lifted;
  ASSERT_TRUE(Call(b(), &Stub::Unblock, lift, &lifted).ok());
  EXPECT_EQ(refused("198.51.100.9"), "");
}

TEST_F(ControlTest, BlocksEndByThemselves) {
  StartCluster();
  BlockUser(a(), "u1", 5'000);
  EXPECT_EQ(Refused(b(), With(Token("u1"))), "user_blocked");
  EXPECT_TRUE(WaitFor([&] { return Refused(b(), With(Token("u1"))).empty(); }));
}

}  // namespace
}  // namespace spillway::test
