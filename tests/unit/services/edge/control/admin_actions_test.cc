#include "services/edge/control/admin_actions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/edge/control/admin_queries.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

class AdminActionsTest : public SessionTest {
 protected:
  AdminActionsTest() {
    Build(EndpointOptions(), {{.pattern = "**", .access = ChannelAccess::kAnyone}});
    OfferNoSlots();
  }
  Client ConnectTo(const std::string& channel, const std::string& user,
                   const std::string& ip = "10.0.0.1") {
    Client client = Connect(RequestOf({{"token", Token(user)}}, "/ws", ip));
    if (!channel.empty()) {
      client.Says(absl::StrCat(R"({"type":"subscribe","channels":[")", channel, R"("]})"));
    }
    client.Take();
    return client;
  }
  uint64_t Send(v1::BroadcastRequest request, bool dry_run = false) {
    request.set_type("note");
    request.set_payload("1");
    const auto broadcast = BroadcastOf(request, clock_.WallNow());
    EXPECT_TRUE(broadcast.ok()) << broadcast.status();
    kept_events_.push_back(broadcast->event);
    return BroadcastTo(*broadcast, dry_run, variants_, registry_, hub_, &kept_events_);
  }
  size_t Targets(const v1::DisconnectRequest& request) {
    return TargetsOf(request, registry_, hub_).size();
  }

  std::vector<Ref<EdgeEvent>> kept_events_;
};

TEST_F(AdminActionsTest, ABroadcastReachesEveryTargetOnce) {
  Client a = ConnectTo("room:a", "u1");
  Client b = ConnectTo("room:b", "u2");
  Client none = ConnectTo("", "u2");
  v1::BroadcastRequest channels;
  channels.add_channels("room:a");
  channels.add_channels("unknown");
  EXPECT_EQ(Send(channels, /*dry_run=*/true), 1u);
  EXPECT_TRUE(a.Take().empty());
  EXPECT_EQ(Send(channels), 1u);
  EXPECT_NE(a.TakeOne().find(R"("channel":"room:a")"), std::string::npos);
  EXPECT_TRUE(none.Take().empty());

  v1::BroadcastRequest all;
  all.set_all(true);
  EXPECT_EQ(Send(all), 3u);
  for (Client* client : {&a, &b, &none}) {
    EXPECT_NE(client->TakeOne().find(R"("channel":"$all")"), std::string::npos);
  }

  v1::BroadcastRequest users;
  users.add_users("u2");
  users.add_users("nobody");
  EXPECT_EQ(Send(users, /*dry_run=*/true), 2u);
  EXPECT_EQ(Send(users), 2u);
  EXPECT_TRUE(a.Take().empty());
  EXPECT_NE(none.TakeOne().find(R"("channel":"$user")"), std::string::npos);
  b.Take();

  v1::BroadcastRequest pattern;
  pattern.set_pattern("room:*");
  EXPECT_EQ(Send(pattern, /*dry_run=*/true), 2u);
  EXPECT_EQ(Send(pattern), 2u);
  EXPECT_NE(a.TakeOne().find(R"("channel":"room:a")"), std::string::npos);
  EXPECT_NE(b.TakeOne().find(R"("channel":"room:b")"), std::string::npos);
  EXPECT_TRUE(none.Take().empty());
  pattern.set_pattern("hall:*");
  EXPECT_EQ(Send(pattern), 0u);
}

TEST_F(AdminActionsTest, ConnectionsAreMeantByWhatTheyAreAndDo) {
  Client a = ConnectTo("room:a", "u1", "10.0.0.1");
  Client b = ConnectTo("", "u2", "10.0.1.2");
  v1::DisconnectRequest request;
  request.set_ip("10.0.0.0/24");
  EXPECT_EQ(Targets(request), 1u);
  request.set_ip("10.0.0.0/16");
  EXPECT_EQ(Targets(request), 2u);
  request.set_ip("::ffff:10.0.1.2");
  EXPECT_EQ(Targets(request), 1u);
  request.set_channel("room:a");
  EXPECT_EQ(Targets(request), 1u);
  request.set_endpoint("/ws");
  EXPECT_EQ(Targets(request), 2u);
  request.set_endpoint("/other");
  EXPECT_EQ(Targets(request), 0u);
  request.set_user_id("u2");
  EXPECT_EQ(Targets(request), 1u);
  b.session->Close(4009, "");
  EXPECT_EQ(Targets(request), 0u) << "it is ending already";
  request.set_all(true);
  EXPECT_EQ(Targets(request), 1u);
}

TEST_F(AdminActionsTest, ConnectionsAreMeantByTheirLabels) {
  EndpointOptions options;
  options.labels = {{"plan", "{claim.plan}"}, {"where", "here"}};
  Build(options, {{.pattern = "**", .access = ChannelAccess::kAnyone}});
  OfferNoSlots();
  Client pro = Connect(RequestOf({{"token", Token("u1", {{"plan", "\"pro\""}})}}));
  Client other = Connect(RequestOf({{"token", Token("u2")}}));
  pro.Take();
  other.Take();
  v1::DisconnectRequest request;
  request.set_label("plan=pro");
  EXPECT_EQ(Targets(request), 1u);
  request.set_label("where=here");
  EXPECT_EQ(Targets(request), 2u);
  request.set_label("plan=free");
  EXPECT_EQ(Targets(request), 0u);
  v1::BroadcastRequest broadcast;
  broadcast.set_label("plan=pro");
  EXPECT_EQ(Send(broadcast, /*dry_run=*/true), 1u);
  EXPECT_EQ(Send(broadcast), 1u);
  EXPECT_NE(pro.TakeOne().find(R"("channel":"$label")"), std::string::npos);
  EXPECT_TRUE(other.Take().empty());
  v1::ListConnectionsRequest list;
  list.add_labels("where=here");
  EXPECT_EQ(ConnectionsOf(list, registry_, hub_).connections.size(), 2u);
  list.add_labels("plan=pro");
  const ConnectionPage page = ConnectionsOf(list, registry_, hub_);
  ASSERT_EQ(page.connections.size(), 1u);
  EXPECT_EQ(page.connections[0].labels().at("plan"), "pro");
}

TEST_F(AdminActionsTest, AnOperatorSubscribesClients) {
  Client a = ConnectTo("", "u1");
  Client b = ConnectTo("room:a", "u1");
  v1::SubscribeRequest request;
  request.set_user_id("u1");
  request.add_channels("room:a");
  uint64_t changed = 0;
  request.set_dry_run(true);
  EXPECT_TRUE(SubscribeHere(request, true, registry_, hub_, &changed));
  EXPECT_EQ(changed, 1u);
  EXPECT_TRUE(a.Take().empty());
  request.set_dry_run(false);
  changed = 0;
  EXPECT_TRUE(SubscribeHere(request, true, registry_, hub_, &changed));
  EXPECT_EQ(changed, 1u);
  EXPECT_NE(a.TakeOne().find(R"("type":"subscribed")"), std::string::npos);
  EXPECT_TRUE(b.Take().empty()) << "it was subscribed, and is not told otherwise";
  changed = 0;
  EXPECT_TRUE(SubscribeHere(request, false, registry_, hub_, &changed));
  EXPECT_EQ(changed, 2u);
  EXPECT_NE(b.TakeOne().find(R"("type":"unsubscribed")"), std::string::npos);
  request.set_connection_id(std::string(32, '0'));
  EXPECT_FALSE(SubscribeHere(request, true, registry_, hub_, &changed));
}

}  // namespace
}  // namespace spillway::edge
