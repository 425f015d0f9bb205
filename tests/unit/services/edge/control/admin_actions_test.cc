#include "services/edge/control/admin_actions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>
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
    BroadcastTurns turns;
    uint64_t delivered = 0;
    turns_ = 0;
    do {
      delivered += BroadcastTo(*broadcast, dry_run, variants_, registry_, hub_, &turns);
      ++turns_;
    } while (turns.more());
    for (Ref<EdgeEvent>& event : turns.kept) kept_events_.push_back(std::move(event));
    return delivered;
  }
  size_t Targets(const v1::DisconnectRequest& request) {
    return TargetsOf(request, registry_, hub_).size();
  }

  std::vector<Ref<EdgeEvent>> kept_events_;
  int turns_ = 0;  // that the last Send took
};

// One worker, whose tasks run when told.
class OneWorker final : public AdminWorkers {
 public:
  OneWorker(SessionRegistry& sessions, HubShard& hub) : sessions_(sessions), hub_(hub) {}
  size_t count() const override { return 1; }
  void Post(size_t, Task task) override { tasks.push_back(std::move(task)); }
  void RunNext() {
    const Task task = std::move(tasks.front());
    tasks.pop_front();
    task(sessions_, hub_);
  }
  std::deque<Task> tasks;

 private:
  SessionRegistry& sessions_;
  HubShard& hub_;
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

TEST_F(AdminActionsTest, ABroadcastToAPatternReachesAllChannelsTurnByTurn) {
  Client many = ConnectTo("", "u1");
  Client by_pattern = ConnectTo("", "u2");
  const size_t channels = 2 * kPatternChannelsATurn + 500;
  for (size_t i = 0; i < channels; ++i) {
    hub_.Subscribe(many.session.get(), absl::StrCat("room:", i), false, clock_.Now());
  }
  hub_.Subscribe(by_pattern.session.get(), "room:**", false, clock_.Now());
  many.Take();
  by_pattern.Take();
  v1::BroadcastRequest request;
  request.set_pattern("room:*");
  EXPECT_EQ(Send(request, /*dry_run=*/true), channels + 1);
  EXPECT_TRUE(many.Take().empty());
  EXPECT_EQ(Send(request), channels + 1);
  EXPECT_EQ(turns_, 3);
  const std::vector<std::string> seen = many.Take();
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), channels);
  EXPECT_EQ(by_pattern.Take().size(), 1u) << "one of all turns";
}

TEST_F(AdminActionsTest, ConnectionsEndTurnByTurnAndOthersAreServedBetween) {
  std::vector<Client> clients;
  for (size_t i = 0; i < 2 * kClosesATurn + 10; ++i) clients.push_back(ConnectTo("", "u1"));
  const auto ended = [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](const Client& client) { return client.transport->closed; });
  };
  v1::DisconnectRequest request;
  request.set_user_id("u1");
  request.set_reason("go");
  request.mutable_reconnect()->set_after_ms(1'000);
  request.mutable_reconnect()->set_spread_ms(1'000);
  OneWorker worker(registry_, hub_);
  const std::vector<Session*> targets = TargetsOf(request, registry_, hub_);
  ASSERT_EQ(targets.size(), clients.size());
  CloseInTurns(worker, 0, request, targets, registry_);
  EXPECT_EQ(static_cast<size_t>(ended()), kClosesATurn);
  ASSERT_EQ(worker.tasks.size(), 1u) << "the rest waits for the worker";
  bool served = false;
  worker.Post(0, [&](SessionRegistry&, HubShard&) { served = true; });

  // Whoever is still there is served, and so is another task of the worker before the third turn.
  const auto alive = [&]() -> Client& {
    return *std::find_if(clients.begin(), clients.end(),
                         [](const Client& client) { return !client.transport->closed; });
  };
  alive().Says(R"({"type":"ping","id":1})");
  EXPECT_THAT(alive().TakeOne(), testing::HasSubstr(R"("type":"pong")"));
  worker.RunNext();
  EXPECT_EQ(static_cast<size_t>(ended()), 2 * kClosesATurn);
  EXPECT_FALSE(served);
  // One that goes by itself meanwhile is passed over.
  Client gone = std::move(alive());
  gone.session->OnClosed(1001, "");
  gone.session.reset();
  std::erase_if(clients, [](const Client& client) { return client.session == nullptr; });
  worker.RunNext();
  EXPECT_TRUE(served);
  EXPECT_LT(static_cast<size_t>(ended()), clients.size());
  worker.RunNext();
  EXPECT_EQ(static_cast<size_t>(ended()), clients.size());
  EXPECT_TRUE(worker.tasks.empty());
  for (const Client& client : clients) {
    EXPECT_EQ(client.transport->close_code, 4009);
    EXPECT_EQ(client.transport->close_reason, "go");
  }
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
  const auto changed = [&](bool subscribe) {
    const auto here = SubscribeHere(request, subscribe, registry_);
    EXPECT_TRUE(here.has_value());
    return here.value_or(Subscribed()).changed;
  };
  request.set_dry_run(true);
  EXPECT_EQ(changed(true), 1u);
  EXPECT_TRUE(a.Take().empty());
  request.set_dry_run(false);
  EXPECT_EQ(changed(true), 1u);
  EXPECT_NE(a.TakeOne().find(R"("type":"subscribed")"), std::string::npos);
  EXPECT_TRUE(b.Take().empty()) << "it was subscribed, and is not told otherwise";
  request.set_dry_run(true);
  EXPECT_EQ(changed(false), 2u);
  EXPECT_TRUE(b.Take().empty());
  request.set_dry_run(false);
  EXPECT_EQ(changed(false), 2u);
  EXPECT_NE(b.TakeOne().find(R"("type":"unsubscribed")"), std::string::npos);
  request.set_connection_id(std::string(32, '0'));
  EXPECT_FALSE(SubscribeHere(request, true, registry_).has_value());
}

TEST_F(AdminActionsTest, WhatWouldBeIsWhatIs) {
  context_.limits.max_subscriptions = 3;
  Client none = ConnectTo("", "u1");
  Client one = ConnectTo("room:a", "u1");
  Client going = ConnectTo("room:a", "u1");
  going.session->Close(4009, "");
  v1::SubscribeRequest request;
  request.set_user_id("u1");
  for (const char* channel : {"room:a", "room:b", "room:b", "room:c", "room:d", "room:e"}) {
    request.add_channels(channel);
  }
  // Of five channels the one may have three, the other two more than it has.
  for (const bool dry_run : {true, true, false}) {
    request.set_dry_run(dry_run);
    const auto here = SubscribeHere(request, true, registry_);
    ASSERT_TRUE(here.has_value());
    EXPECT_EQ(here->changed, 5u) << dry_run;
    EXPECT_EQ(here->refused, 4u) << dry_run;
    EXPECT_EQ(none.session->Channels().size(), dry_run ? 0u : 3u);
  }
  EXPECT_EQ(one.session->Channels(), (std::vector<std::string>{"room:a", "room:b", "room:c"}));
  for (const bool dry_run : {true, true, false}) {
    request.set_dry_run(dry_run);
    const auto here = SubscribeHere(request, false, registry_);
    ASSERT_TRUE(here.has_value());
    EXPECT_EQ(here->changed, 6u) << dry_run;
    EXPECT_EQ(here->refused, 0u) << dry_run;
  }
}

}  // namespace
}  // namespace spillway::edge
