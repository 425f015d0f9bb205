// What a call answers with dry_run is what it would do, everywhere, and nothing is done.

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/delivery/cluster_fixture.h"

namespace spillway::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DryRunTest : public ClusterTest {
 protected:
  DryRunTest() {
    StartIngests(1);
    StartEdge("edge-a");
    StartEdge("edge-b");
    for (const auto& edge : edges_) EXPECT_TRUE(WaitForCluster(*edge, 3));
    // Two of one user, one of another.
    Join(clients_[0], a(), Of("u1"));
    Join(clients_[1], b(), Of("u1"));
    Join(clients_[2], b(), With(Token("u2", {{"jti", R"("t2")"}}), "198.51.100.1"));
  }
  Edge& a() { return *edges_[0]; }
  Edge& b() { return *edges_[1]; }
  static BeastClient::Options Of(const std::string& user) {
    return With(Token(user, {{"jti", R"("t1")"}, {"iat", "1000"}}), "203.0.113.7");
  }

  template <typename Request, typename Response>
  Response Do(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
              Request request, bool dry_run) {
    request.set_dry_run(dry_run);
    Response response;
    const grpc::Status status = Call(a(), method, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.nodes_size(), 2);
    for (const v1::NodeResult& node : response.nodes()) EXPECT_EQ(node.error_code(), "");
    return response;
  }
  template <typename Response>
  static std::vector<uint64_t> CountsOf(const Response& response) {
    std::vector<uint64_t> counts;
    for (const v1::NodeResult& node : response.nodes()) counts.push_back(node.count());
    return counts;
  }
  // Who is there still, was sent nothing, and others of them may come.
  void ExpectUntouched() {
    for (BeastClient& client : clients_) {
      client.Send(R"({"type":"ping","id":7})");
      EXPECT_THAT(client.Receive().payload, HasSubstr(R"("type":"pong")"));
    }
    for (Edge* edge : {&a(), &b()}) {
      EXPECT_EQ(Refused(*edge, Of("u1")), "");
      EXPECT_TRUE(BlockedOn(*edge).empty());
    }
    // Those who tried are gone again before anything else is counted.
    EXPECT_TRUE(WaitFor([this] { return ConnectionsOf(a()) == 1 && ConnectionsOf(b()) == 2; }));
  }
  uint64_t ConnectionsOf(Edge& edge) {
    v1::GetStatsRequest request;
    request.set_scope(v1::SCOPE_NODE);
    v1::GetStatsResponse stats;
    EXPECT_TRUE(Call(edge, &Stub::GetStats, request, &stats).ok());
    return stats.connections();
  }
  std::vector<std::string> BlockedOn(Edge& edge) {
    v1::ListBlocksRequest request;
    request.set_scope(v1::SCOPE_NODE);
    v1::ListBlocksResponse listed;
    EXPECT_TRUE(Call(edge, &Stub::ListBlocks, request, &listed).ok());
    std::vector<std::string> subjects;
    for (const v1::ControlEntry& entry : listed.entries()) subjects.push_back(entry.subject());
    return subjects;
  }
  // Tries it, and then does it: it ends the two connections of u1.
  template <typename Request>
  void ExpectTheTwoOfOneUser(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          v1::ControlResponse*),
                             const Request& request, const std::string& subject, int code) {
    const v1::ControlResponse tried = Do(method, request, true);
    EXPECT_EQ(tried.connections(), 2u);
    EXPECT_THAT(CountsOf(tried), ElementsAre(1, 1));
    EXPECT_EQ(tried.entry().subject(), subject);
    EXPECT_FALSE(tried.durable());
    ExpectUntouched();
    const v1::ControlResponse done = Do(method, request, false);
    EXPECT_EQ(done.connections(), 2u);
    EXPECT_THAT(CountsOf(done), ElementsAre(1, 1));
    EXPECT_TRUE(done.durable()) << done.durable_message();
    EXPECT_EQ(EndOf(clients_[0]), code);
    EXPECT_EQ(EndOf(clients_[1]), code);
    EXPECT_THAT(BlockedOn(b()), ElementsAre(subject)) << "and nothing of the trial";
  }
  // A trial leaves it in force; the call itself lifts it.
  void ExpectLifted(v1::UnblockRequest request, const std::string& code) {
    const v1::ControlResponse tried = Do(&Stub::Unblock, request, true);
    EXPECT_TRUE(tried.entry().removed());
    EXPECT_FALSE(tried.durable());
    for (Edge* edge : {&a(), &b()}) {
      EXPECT_EQ(BlockedOn(*edge).size(), 1u);
      EXPECT_EQ(Refused(*edge, Of("u1")), code);
    }
    EXPECT_TRUE(Do(&Stub::Unblock, request, false).durable());
    for (Edge* edge : {&a(), &b()}) {
      EXPECT_TRUE(BlockedOn(*edge).empty());
      EXPECT_EQ(Refused(*edge, Of("u1")), "");
    }
  }

  BeastClient clients_[3];
};

TEST_F(DryRunTest, OfDisconnect) {
  v1::DisconnectRequest request;
  request.mutable_reconnect()->set_after_ms(5);
  request.set_ip("203.0.113.0/24");
  EXPECT_THAT(CountsOf(Do(&Stub::Disconnect, request, true)), ElementsAre(1, 1));
  request.set_endpoint("/ws");
  EXPECT_THAT(CountsOf(Do(&Stub::Disconnect, request, true)), ElementsAre(1, 2));
  request.set_user_id("u1");
  EXPECT_EQ(Do(&Stub::Disconnect, request, true).disconnected(), 2u);
  ExpectUntouched();
  EXPECT_EQ(Do(&Stub::Disconnect, request, false).disconnected(), 2u);
  EXPECT_EQ(EndOf(clients_[0]), 4009);
  EXPECT_EQ(EndOf(clients_[1]), 4009);
}

TEST_F(DryRunTest, OfBroadcastBatch) {
  v1::SubscribeRequest subscribe;
  subscribe.set_user_id("u1");
  subscribe.add_channels("room:1");
  EXPECT_EQ(Do(&Stub::Subscribe, subscribe, true).changed(), 2u);
  ExpectUntouched();
  EXPECT_EQ(Do(&Stub::Subscribe, subscribe, false).changed(), 2u);
  for (int i = 0; i < 2; ++i) EXPECT_THAT(clients_[i].Receive().payload, HasSubstr("subscribed"));
  EXPECT_EQ(Do(&Stub::Unsubscribe, subscribe, true).changed(), 2u);

  v1::BroadcastBatchRequest batch;
  for (int i = 0; i < 4; ++i) {
    v1::BroadcastRequest* one = batch.add_broadcasts();
    one->set_type("note");
    one->set_payload("1");
  }
  batch.mutable_broadcasts(0)->add_channels("room:1");
  batch.mutable_broadcasts(1)->set_pattern("room:*");
  batch.mutable_broadcasts(2)->add_users("u2");
  batch.mutable_broadcasts(3)->add_channels("hall");
  for (const bool dry_run : {true, false}) {
    EXPECT_THAT(Do(&Stub::BroadcastBatch, batch, dry_run).delivered(), ElementsAre(2, 2, 1, 0));
    if (dry_run) ExpectUntouched();
  }
  EXPECT_THAT(clients_[0].Receive().payload, HasSubstr(R"("type":"event")"));
  EXPECT_THAT(clients_[2].Receive().payload, HasSubstr("$user"));
}

TEST_F(DryRunTest, OfBlockIp) {
  v1::BlockIpRequest request;
  request.set_ip("203.0.113.7");
  ExpectTheTwoOfOneUser(&Stub::BlockIp, request, "203.0.113.7/32", 4010);
  v1::UnblockRequest lift;
  lift.set_ip("203.0.113.7");
  ExpectLifted(lift, "ip_blocked");
}

TEST_F(DryRunTest, OfBlockUser) {
  v1::BlockUserRequest request;
  request.set_user_id("u1");
  ExpectTheTwoOfOneUser(&Stub::BlockUser, request, "u1", 4010);
  v1::UnblockRequest lift;
  lift.set_user_id("u1");
  ExpectLifted(lift, "user_blocked");
}

TEST_F(DryRunTest, OfRevokeToken) {
  v1::RevokeTokenRequest request;
  request.set_jti("t1");
  ExpectTheTwoOfOneUser(&Stub::RevokeToken, request, "t1", 4011);
  v1::UnblockRequest lift;
  lift.set_jti("t1");
  ExpectLifted(lift, "token_revoked");
}

TEST_F(DryRunTest, OfRevokeUserTokens) {
  v1::RevokeUserTokensRequest request;
  request.set_user_id("u1");
  request.set_issued_before_ms(2'000'000);
  ExpectTheTwoOfOneUser(&Stub::RevokeUserTokens, request, "u1", 4011);
  v1::UnblockRequest lift;
  lift.set_tokens_of_user("u1");
  ExpectLifted(lift, "token_revoked");
}

}  // namespace
}  // namespace spillway::test
