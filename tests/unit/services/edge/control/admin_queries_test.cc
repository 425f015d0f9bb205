#include "services/edge/control/admin_queries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/edge/control/admin_actions.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/admin_workers.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

// Sessions of one worker; a second worker is played by the same one's answers cut in two.
class AdminQueriesTest : public SessionTest {
 protected:
  AdminQueriesTest() {
    Build(Open());
    OfferNoSlots();
  }

  Client ConnectTo(const std::string& channel, const std::string& ip = "10.0.0.1") {
    Client client = Connect(RequestOf({}, "/ws", ip));
    if (!channel.empty()) {
      client.Says(absl::StrCat(R"({"type":"subscribe","channels":[")", channel, R"("]})"));
    }
    client.Take();
    return client;
  }

  std::vector<std::string> PagesOfIds(v1::ListConnectionsRequest request, size_t* pages) {
    std::vector<std::string> ids;
    *pages = 0;
    do {
      const auto response = MergeConnections(request, {ConnectionsOf(request, registry_, hub_)});
      for (const v1::Connection& connection : response.connections()) {
        ids.push_back(connection.id());
      }
      EXPECT_LE(static_cast<size_t>(response.connections_size()), PageSize(request.page_size()));
      request.set_page_token(response.next_page_token());
      ++*pages;
    } while (!request.page_token().empty());
    return ids;
  }
};

TEST_F(AdminQueriesTest, PagesOfConnectionsAreWholeAndInOrder) {
  std::vector<Client> clients;
  std::set<std::string> all;
  for (int i = 0; i < 7; ++i) {
    clients.push_back(ConnectTo("a"));
    all.insert(std::string(clients.back().session->id()));
  }
  v1::ListConnectionsRequest request;
  for (uint32_t size : {1u, 2u, 3u, 6u, 7u, 8u, 0u}) {
    request.set_page_size(size);
    size_t pages = 0;
    const std::vector<std::string> ids = PagesOfIds(request, &pages);
    EXPECT_EQ(ids, std::vector<std::string>(all.begin(), all.end())) << size;
    EXPECT_EQ(pages, size == 0 ? 1 : (7 + size - 1) / size);
  }
}

TEST_F(AdminQueriesTest, APageGoesOnWhereAConnectionIsGone) {
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(ConnectTo(""));
  std::sort(clients.begin(), clients.end(),
            [](const Client& a, const Client& b) { return a.session->id() < b.session->id(); });
  v1::ListConnectionsRequest request;
  request.set_page_size(1);
  auto response = MergeConnections(request, {ConnectionsOf(request, registry_, hub_)});
  request.set_page_token(response.next_page_token());
  const std::string last(clients[2].session->id());
  clients[1].session->OnClosed(1000, "");
  response = MergeConnections(request, {ConnectionsOf(request, registry_, hub_)});
  ASSERT_EQ(response.connections_size(), 1);
  EXPECT_EQ(response.connections(0).id(), last);
  EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(AdminQueriesTest, ConnectionsAreFiltered) {
  Client a = ConnectTo("a", "10.0.0.1");
  Client b = ConnectTo("b", "10.0.0.1");
  Client c = ConnectTo("a", "10.0.0.2");
  v1::ListConnectionsRequest request;
  request.set_channel("a");
  size_t pages = 0;
  EXPECT_EQ(PagesOfIds(request, &pages).size(), 2u);
  request.set_ip("10.0.0.2");
  EXPECT_EQ(PagesOfIds(request, &pages), std::vector{std::string(c.session->id())});
  request.set_channel("");
  request.set_ip("10.0.0.1");
  EXPECT_EQ(PagesOfIds(request, &pages).size(), 2u);
  request.set_user_id("nobody");
  EXPECT_EQ(PagesOfIds(request, &pages).size(), 0u);
}

TEST_F(AdminQueriesTest, AnAddressIsMeantHoweverItIsWritten) {
  Client a = ConnectTo("a", "10.0.0.1");
  Client b = ConnectTo("b", "10.0.1.2");
  Client c = ConnectTo("", "2001:db8::1");
  const auto from = [&](const std::string& ip, const std::string& channel = "") {
    v1::ListConnectionsRequest request;
    request.set_ip(ip);
    request.set_channel(channel);
    EXPECT_TRUE(CheckListConnections(request).ok()) << ip;
    size_t pages = 0;
    return PagesOfIds(request, &pages).size();
  };
  EXPECT_EQ(from("10.0.0.1"), 1u);
  EXPECT_EQ(from("::ffff:10.0.0.1"), 1u);
  EXPECT_EQ(from("10.0.0.0/16"), 2u);
  EXPECT_EQ(from("10.0.0.0/16", "b"), 1u);
  EXPECT_EQ(from("::ffff:10.0.0.1", "b"), 0u);
  EXPECT_EQ(from("2001:0DB8:0:0::0:1"), 1u);
  EXPECT_EQ(from("2001:db8::/32"), 1u);
  EXPECT_EQ(from("2001:db8::2"), 0u) << "no prefix is meant by an address";
  EXPECT_EQ(from("::/0"), 3u);
}

TEST_F(AdminQueriesTest, ChannelsOfAConnectionComePageByPageAndNoneIsLeftOut) {
  Client client = ConnectTo("");
  std::vector<std::string> all = {"b:*"};
  hub_.Subscribe(client.session.get(), "b:*", false, clock_.Now());
  for (int i = 0; i < 1'100; ++i) {
    all.push_back(absl::StrCat("a:", i));
    hub_.Subscribe(client.session.get(), all.back(), false, clock_.Now());
  }
  std::sort(all.begin(), all.end());
  v1::GetConnectionRequest request;
  request.set_connection_id(std::string(client.session->id()));
  for (const uint32_t size : {0u, 1u, 551u, 1'000u}) {
    request.set_page_size(size);
    request.clear_page_token();
    std::vector<std::string> seen;
    size_t pages = 0;
    do {
      ASSERT_TRUE(CheckGetConnection(request).ok());
      const auto page = ConnectionOf(request, registry_);
      ASSERT_TRUE(page.has_value());
      EXPECT_LE(page->channels_size(), size == 0 ? 1'000 : static_cast<int>(size));
      seen.insert(seen.end(), page->channels().begin(), page->channels().end());
      request.set_page_token(page->next_page_token());
      ++pages;
    } while (!request.page_token().empty());
    EXPECT_EQ(seen, all) << size;
    EXPECT_EQ(pages, size == 1 ? all.size() : 2u);
  }
}

// A channel that many partitions feed has as many positions.
TEST_F(AdminQueriesTest, APageOfChannelsEndsWhereItsPositionsAreMany) {
  auto table = std::make_shared<SlotTable>();
  for (SlotNumber number = 0; number < 600; ++number) {
    auto slot = std::make_shared<SlotEntry>();
    slot->number = number;
    slot->topic = "ticks";
    slot->source = absl::StrCat("ticks/", number, "@0");
    slot->feeds.push_back({*ChannelPattern::Parse("**"), false});
    table->slots.push_back(std::move(slot));
  }
  table->complete = true;
  hub_.OnSlots(table, clock_.Now());
  Client client = ConnectTo("a");
  for (const char* name : {"b", "c"}) {
    hub_.Subscribe(client.session.get(), name, false, clock_.Now());
  }
  v1::GetConnectionRequest request;
  request.set_connection_id(std::string(client.session->id()));
  auto page = ConnectionOf(request, registry_);
  ASSERT_EQ(page->channels_size(), 2);
  EXPECT_EQ(page->positions_size(), 1'200) << "of each channel all";
  EXPECT_EQ(page->next_page_token(), "b");
  request.set_page_token("b");
  page = ConnectionOf(request, registry_);
  ASSERT_EQ(page->channels_size(), 1);
  EXPECT_EQ(page->positions_size(), 600);
  EXPECT_EQ(page->next_page_token(), "");
}

TEST_F(AdminQueriesTest, AConnectionIsShownWithItsChannels) {
  Client client = ConnectTo("b");
  client.Says(R"({"type":"subscribe","channels":["a"]})");
  v1::GetConnectionRequest request;
  request.set_connection_id(std::string(client.session->id()));
  const auto response = ConnectionOf(request, registry_);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->connection().subscriptions(), 2u);
  EXPECT_EQ(response->connection().messages_received(), 2u);
  EXPECT_EQ(response->connection().dialect(), "json.v1");
  EXPECT_EQ(response->connection().endpoint(), "/ws");
  EXPECT_EQ(std::vector<std::string>(response->channels().begin(), response->channels().end()),
            (std::vector<std::string>{"a", "b"}));
  request.set_connection_id(std::string(32, 'f'));
  EXPECT_FALSE(ConnectionOf(request, registry_).has_value());
}

TEST_F(AdminQueriesTest, ChannelsOfSeveralWorkersAreOneList) {
  std::vector<Client> clients;
  for (const char* name : {"c", "a", "b:1", "b:2", "a"}) clients.push_back(ConnectTo(name));
  v1::ListChannelsRequest request;
  request.set_page_size(2);
  // Two workers with the same channels.
  auto response = MergeChannels(request, {ChannelsOf(request, hub_), ChannelsOf(request, hub_)});
  ASSERT_EQ(response.channels_size(), 2);
  EXPECT_EQ(response.channels(0).name(), "a");
  EXPECT_EQ(response.channels(0).subscribers(), 4u);
  EXPECT_EQ(response.channels(1).name(), "b:1");
  EXPECT_EQ(response.channels(1).subscribers(), 2u);
  EXPECT_EQ(response.next_page_token(), "b:1");
  request.set_page_token("b:1");
  response = MergeChannels(request, {ChannelsOf(request, hub_), ChannelsOf(request, hub_)});
  ASSERT_EQ(response.channels_size(), 2);
  EXPECT_EQ(response.channels(0).name(), "b:2");
  EXPECT_EQ(response.channels(1).name(), "c");
  EXPECT_EQ(response.next_page_token(), "");
  request.clear_page_token();
  request.set_pattern("b:*");
  response = MergeChannels(request, {ChannelsOf(request, hub_)});
  EXPECT_EQ(response.channels_size(), 2);
}

TEST_F(AdminQueriesTest, PatternsAreListedAndPagedLikeChannels) {
  Client a = ConnectTo("a");
  hub_.Subscribe(a.session.get(), "b:*", false, clock_.Now());
  hub_.Subscribe(a.session.get(), "b:*:c", false, clock_.Now());
  v1::ListChannelsRequest request;
  request.set_page_size(2);
  auto response = MergeChannels(request, {ChannelsOf(request, hub_)});
  EXPECT_EQ(response.next_page_token(), "b:*");
  EXPECT_FALSE(response.channels(0).pattern());
  EXPECT_TRUE(response.channels(1).pattern());
  request.set_page_token(response.next_page_token());
  EXPECT_TRUE(CheckListChannels(request).ok());
  response = MergeChannels(request, {ChannelsOf(request, hub_)});
  ASSERT_EQ(response.channels_size(), 1);
  EXPECT_EQ(response.channels(0).name(), "b:*:c");
  v1::ListConnectionsRequest connections;
  connections.set_channel("b:*");
  EXPECT_TRUE(CheckListConnections(connections).ok());
  EXPECT_EQ(ConnectionsOf(connections, registry_, hub_).connections.size(), 1u);
  connections.set_channel("b:***");
  EXPECT_FALSE(CheckListConnections(connections).ok());

  v1::BroadcastRequest broadcast;
  broadcast.set_type("note");
  broadcast.set_payload("1");
  broadcast.add_channels("b:1");
  broadcast.add_channels("b:2");
  const auto made = BroadcastOf(broadcast, clock_.WallNow());
  ASSERT_TRUE(made.ok()) << made.status();
  BroadcastTurns turns;
  a.Take();
  EXPECT_EQ(BroadcastTo(*made, true, variants_, registry_, hub_, &turns), 1u);
  EXPECT_TRUE(a.Take().empty());
  EXPECT_EQ(BroadcastTo(*made, false, variants_, registry_, hub_, &turns), 1u);
  EXPECT_NE(a.TakeOne().find(R"("channel":"b:1","pattern":"b:*")"), std::string::npos);
}

// Workers that answer when told.
class FakeWorkers final : public AdminWorkers {
 public:
  FakeWorkers(SessionRegistry& sessions, HubShard& hub) : sessions_(sessions), hub_(hub) {}
  size_t count() const override { return 3; }
  void Post(size_t worker, Task task) override { tasks[worker].push_back(std::move(task)); }
  void Run(size_t worker) {
    for (Task& task : std::exchange(tasks[worker], {})) task(sessions_, hub_);
  }
  std::vector<Task> tasks[3];

 private:
  SessionRegistry& sessions_;
  HubShard& hub_;
};

TEST_F(AdminQueriesTest, GatherAnswersOnceWithTheLastWorker) {
  FakeWorkers workers(registry_, hub_);
  int asked = 0;
  std::vector<std::vector<int>> answers;
  Gather<int>::Run(
      workers, [&](SessionRegistry&, HubShard&) { return ++asked; },
      [&](std::vector<int> parts, bool complete) {
        EXPECT_TRUE(complete);
        answers.push_back(std::move(parts));
      });
  workers.Run(2);
  workers.Run(0);
  EXPECT_TRUE(answers.empty());
  workers.Run(1);
  EXPECT_EQ(answers, (std::vector<std::vector<int>>{{2, 3, 1}}));
}

TEST_F(AdminQueriesTest, GatherAnswersIfAWorkerStopped) {
  FakeWorkers workers(registry_, hub_);
  std::vector<bool> answers;
  Gather<int>::Run(
      workers, [](SessionRegistry&, HubShard&) { return 1; },
      [&](std::vector<int>, bool complete) { answers.push_back(complete); });
  workers.Run(0);
  workers.Run(1);
  workers.tasks[2].clear();
  EXPECT_EQ(answers, std::vector<bool>{false});
}

TEST_F(AdminQueriesTest, LaggardsAreTheWorstFirst) {
  std::vector<Client> clients;
  for (size_t i = 0; i < 5; ++i) {
    clients.push_back(ConnectTo("a"));
    clients.back().transport->messages = 10 * i;
    clients.back().transport->age = std::chrono::milliseconds(i == 0 ? 0 : 500 - 100 * i);
  }
  v1::TopLaggardsRequest request;
  request.set_limit(2);
  auto ask = [&] { return MergeLaggards(request, {LaggardsOf(request, registry_)}); };
  v1::TopLaggardsResponse response = ask();
  ASSERT_EQ(response.connections_size(), 2);
  EXPECT_EQ(response.connections(0).id(), clients[4].session->id());
  EXPECT_EQ(response.connections(0).backlog_messages(), 40u);
  EXPECT_EQ(response.connections(1).id(), clients[3].session->id());
  request.set_order(v1::LAG_ORDER_TIME);
  response = ask();
  EXPECT_EQ(response.connections(0).id(), clients[1].session->id());
  EXPECT_EQ(response.connections(0).backlog_ms(), 400u);
  request.set_limit(0);
  EXPECT_EQ(ask().connections_size(), 4) << "who does not lag is not among them";
  // Of two workers.
  request.set_limit(3);
  response =
      MergeLaggards(request, {LaggardsOf(request, registry_), LaggardsOf(request, registry_)});
  EXPECT_EQ(response.connections_size(), 3);
  EXPECT_EQ(response.connections(1).id(), clients[1].session->id());
}

TEST(AdminRequestsTest, TopLaggards) {
  v1::TopLaggardsRequest request;
  EXPECT_TRUE(CheckTopLaggards(request).ok());
  request.set_limit(1001);
  EXPECT_FALSE(CheckTopLaggards(request).ok());
  request.set_limit(1000);
  request.set_order(static_cast<v1::LagOrder>(9));
  EXPECT_FALSE(CheckTopLaggards(request).ok());
}

}  // namespace
}  // namespace spillway::edge
