// Sessions from their heartbeat to their end, and the registry.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/edge/session/session.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SessionTest, PingsAndClosesTheSilent) {
  EndpointOptions options = Open();
  options.heartbeat.interval = seconds(30);
  options.heartbeat.timeout = seconds(60);
  Build(options);
  Client client = Connect();
  Pass(milliseconds(29'900));
  EXPECT_THAT(client.Take(), IsEmpty());
  Pass(milliseconds(200));
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"({"type":"ping","time":17672256)"));
  Pass(milliseconds(29'700));
  EXPECT_FALSE(client.transport->closed);
  Pass(milliseconds(300));
  EXPECT_TRUE(client.transport->closed);
  EXPECT_EQ(client.transport->close_code, 4003);
  EXPECT_EQ(counters_.heartbeat_failures.Value(), 1u);
  EXPECT_EQ(counters_.pings_sent.Value(), 1u);
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(SessionTest, APongKeepsTheConnection) {
  EndpointOptions options = Open();
  options.heartbeat.interval = seconds(30);
  options.heartbeat.timeout = seconds(60);
  Build(options);
  Client talker = Connect();
  Client ponger = Connect();
  for (int i = 0; i < 10; ++i) {
    Pass(seconds(45));
    talker.Says(R"({"type":"pong"})");
    ponger.session->OnPong();
  }
  EXPECT_FALSE(talker.transport->closed);
  EXPECT_FALSE(ponger.transport->closed);
  EXPECT_THAT(talker.Take(), SizeIs(15));  // every 30 s of 450
}

TEST_F(SessionTest, FormsOfPings) {
  EndpointOptions options = Open();
  options.heartbeat.interval = seconds(1);
  options.heartbeat.message = false;
  options.heartbeat.protocol = true;
  Build(options);
  Client client = Connect();
  Pass(milliseconds(1'100));
  EXPECT_THAT(client.Take(), ElementsAre("<ping>"));

  options.heartbeat.message = true;
  Build(options);
  Client both = Connect();
  Pass(milliseconds(1'100));
  EXPECT_THAT(both.Take(), SizeIs(2));
}

TEST_F(SessionTest, ATimeoutWithoutPings) {
  EndpointOptions options = Open();
  options.heartbeat.timeout = seconds(5);
  Build(options);
  Client client = Connect();
  Pass(seconds(4));
  client.Says(R"({"type":"pong"})");
  Pass(seconds(4));
  EXPECT_FALSE(client.transport->closed);
  Pass(seconds(2));
  EXPECT_EQ(client.transport->close_code, 4003);
  EXPECT_THAT(client.Take(), IsEmpty());
}

TEST_F(SessionTest, TheEndLeavesNothingBehind) {
  OfferNoSlots();
  EndpointOptions options = Open();
  options.heartbeat.interval = seconds(30);
  options.subscribe = {"a", "b"};
  Build(options);
  {
    Client client = Connect();
    EXPECT_EQ(hub_.subscription_count(), 2u);
    EXPECT_EQ(gate_.count(), 1);
    clock_.Advance(seconds(10));
    client.session->OnClosed(1006, "");
    EXPECT_EQ(hub_.subscription_count(), 0u);
    EXPECT_EQ(registry_.size(), 0u);
    EXPECT_EQ(gate_.count(), 0);
    EXPECT_EQ(wheel_.size(), 0u);
    EXPECT_EQ(variants_[0].in_use.load(), 0);
    EXPECT_EQ(counters_.connections.Value(), 0);
    EXPECT_EQ(counters_.closed.Value(), 1u);
    EXPECT_EQ(counters_.duration_seconds.sum(), 10.0);
  }
  EXPECT_EQ(counters_.closed.Value(), 1u);
  { Client client = Connect(); }  // destroyed without OnClosed
  EXPECT_EQ(counters_.closed.Value(), 2u);
  EXPECT_EQ(hub_.subscription_count(), 0u);
  EXPECT_EQ(registry_.size(), 0u);
}

TEST_F(SessionTest, RegistryByIdUserAndAddress) {
  Build(Open());
  Client a = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.1"));
  Client b = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.2"));
  Client c = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.1"));
  Client d = Connect(RequestOf({}, "/ws", "10.0.0.1"));
  EXPECT_EQ(registry_.size(), 4u);
  EXPECT_EQ(registry_.users(), 1u);
  EXPECT_EQ(registry_.CountOfUser("u1"), 3u);
  EXPECT_EQ(registry_.CountOfUser(""), 0u);
  EXPECT_EQ(registry_.CountOfIp("10.0.0.1"), 3u);
  EXPECT_EQ(registry_.CountOfIp("10.9.9.9"), 0u);
  EXPECT_THAT(registry_.All(), SizeIs(4));

  b.session->OnClosed(1000, "");  // from the middle of its list
  EXPECT_EQ(registry_.CountOfUser("u1"), 2u);
  EXPECT_EQ(registry_.CountOfIp("10.0.0.2"), 0u);
  c.session->OnClosed(1000, "");  // the first of its lists
  EXPECT_THAT(registry_.OfUser("u1"), ElementsAre(a.session.get()));
  EXPECT_THAT(registry_.OfIp("10.0.0.1"),
              testing::UnorderedElementsAre(a.session.get(), d.session.get()));
  a.session->OnClosed(1000, "");
  EXPECT_EQ(registry_.users(), 0u);
  EXPECT_EQ(registry_.size(), 1u);
}

TEST_F(SessionTest, TheRegistryClosesConnections) {
  OfferNoSlots();
  EndpointOptions options = Open();
  options.subscribe = {"a"};
  Build(options);
  Client a = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.1"));
  Client b = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.2"));
  Client c = Connect(RequestOf({{"token", Token("u2")}}, "/ws", "10.0.0.3"));
  Client d = Connect(RequestOf({}, "/ws", "10.0.0.3"));
  EXPECT_EQ(hub_.subscription_count(), 4u);
  EXPECT_EQ(registry_.CloseId("unknown", 4009, "x"), 0u);
  EXPECT_EQ(registry_.CloseId(a.session->id(), 4009, "maintenance"), 1u);
  EXPECT_EQ(a.transport->close_code, 4009);
  EXPECT_EQ(a.transport->close_reason, "maintenance");
  EXPECT_EQ(hub_.subscription_count(), 3u);
  EXPECT_EQ(registry_.CloseId(a.session->id(), 4009, ""), 0u);  // is ending already
  EXPECT_EQ(registry_.CloseUser("u1", 4009, ""), 1u);
  EXPECT_TRUE(b.transport->closed);
  EXPECT_EQ(registry_.CloseIp("10.0.0.3", 4009, ""), 2u);
  EXPECT_EQ(registry_.CloseAll(1001, ""), 0u);
  EXPECT_EQ(registry_.size(), 4u);  // until the transports say so
  EXPECT_EQ(hub_.subscription_count(), 0u);
}

TEST_F(SessionTest, InfoForOperators) {
  OfferNoSlots();
  Build(Open());
  Client client = Connect(RequestOf({{"token", Token("u1")}}));
  clock_.Advance(seconds(5));
  client.Says(R"({"type":"subscribe","channels":["b","a"]})");
  client.transport->bytes = 12;
  client.transport->messages = 3;
  const SessionInfo info = client.session->Info();
  EXPECT_EQ(info.id, client.session->id());
  EXPECT_EQ(info.user_id, "u1");
  EXPECT_EQ(info.ip, "10.0.0.1");
  EXPECT_EQ(info.dialect, "json.v1");
  EXPECT_EQ(info.endpoint, "/ws");
  EXPECT_EQ(info.connected_ms, 1767225600000);
  EXPECT_EQ(info.subscriptions, 2u);
  EXPECT_EQ(info.messages_sent, 3u);
  EXPECT_EQ(info.messages_received, 1u);
  EXPECT_EQ(info.lag.backlog_bytes, 12u);
  EXPECT_EQ(info.lag.backlog_messages, 3u);
  EXPECT_THAT(client.session->Channels(), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace spillway::edge
