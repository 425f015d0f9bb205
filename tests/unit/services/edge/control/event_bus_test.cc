#include "services/edge/control/event_bus.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

class EventBusTest : public SessionTest {
 protected:
  static v1::NodeEvent Event(v1::EventCategory category, const std::string& user = "") {
    v1::NodeEvent event;
    event.set_category(category);
    event.set_kind("k");
    event.set_user_id(user);
    return event;
  }
  std::unique_ptr<EventBus::Watcher> Watch(const v1::WatchEventsRequest& filter = {}) {
    return bus_.Watch(filter, [this] { ++wakes_; });
  }
  static std::vector<v1::NodeEvent> Take(EventBus::Watcher& watcher) {
    std::vector<v1::NodeEvent> events;
    for (v1::NodeEvent event; watcher.Next(&event);) events.push_back(event);
    return events;
  }

  EventBus bus_{{.node_id = "edge-1", .max_watchers = 2, .max_queued = 3}, clock_};
  int wakes_ = 0;
};

TEST_F(EventBusTest, WhatNobodyWantsIsNotMade) {
  EXPECT_FALSE(bus_.wanted(v1::EVENT_CATEGORY_CONNECTION));
  v1::WatchEventsRequest filter;
  filter.add_categories(v1::EVENT_CATEGORY_ADMIN);
  {
    const auto watcher = Watch(filter);
    EXPECT_TRUE(bus_.wanted(v1::EVENT_CATEGORY_ADMIN));
    EXPECT_FALSE(bus_.wanted(v1::EVENT_CATEGORY_CONNECTION));
  }
  EXPECT_FALSE(bus_.wanted(v1::EVENT_CATEGORY_ADMIN));
}

TEST_F(EventBusTest, WatchersSeeWhatTheyAskedFor) {
  v1::WatchEventsRequest filter;
  filter.add_categories(v1::EVENT_CATEGORY_SECURITY);
  filter.set_user_id("u1");
  const auto some = Watch(filter);
  const auto all = Watch();
  bus_.Publish(Event(v1::EVENT_CATEGORY_SECURITY, "u1"));
  bus_.Publish(Event(v1::EVENT_CATEGORY_SECURITY, "u2"));
  bus_.Publish(Event(v1::EVENT_CATEGORY_ADMIN, "u1"));
  EXPECT_EQ(Take(*some).size(), 1u);
  const auto seen = Take(*all);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].node_id(), "edge-1");
  EXPECT_EQ(seen[0].time_ms(), ToUnixMillis(clock_.WallNow()));
  EXPECT_EQ(wakes_, 4);
}

TEST_F(EventBusTest, ASlowWatcherIsToldHowManyItMissed) {
  const auto watcher = Watch();
  for (int i = 0; i < 5; ++i) bus_.Publish(Event(v1::EVENT_CATEGORY_ADMIN));
  EXPECT_EQ(Take(*watcher).size(), 3u);
  bus_.Publish(Event(v1::EVENT_CATEGORY_ADMIN));
  const auto next = Take(*watcher);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].dropped(), 2u);
  EXPECT_EQ(bus_.dropped().Value(), 2u);
}

TEST_F(EventBusTest, WatchersAreBounded) {
  const auto first = Watch();
  const auto second = Watch();
  EXPECT_EQ(Watch(), nullptr);
  EXPECT_EQ(bus_.watchers(), 2u);
}

TEST_F(EventBusTest, SinksGetTheirCategories) {
  std::vector<std::string> seen;
  bus_.AddSink({v1::EVENT_CATEGORY_ADMIN},
               [&](const v1::NodeEvent& event) { seen.push_back(event.node_id()); });
  bus_.Publish(Event(v1::EVENT_CATEGORY_ADMIN));
  bus_.Publish(Event(v1::EVENT_CATEGORY_SECURITY));
  EXPECT_EQ(seen, std::vector<std::string>{"edge-1"});
}

TEST_F(EventBusTest, ConnectionsComeAndGo) {
  context_.events = &bus_;
  Build(EndpointOptions());
  const auto watcher = Watch();
  Client client = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.1"));
  client.session->OnClosed(4009, "go");
  client.session->OnClosed(4009, "go");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", "bad"}})), "401 token_malformed");
  const auto seen = Take(*watcher);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].kind(), "connection_opened");
  EXPECT_EQ(seen[0].user_id(), "u1");
  EXPECT_EQ(seen[1].kind(), "connection_closed");
  EXPECT_EQ(seen[1].close_code(), 4009u);
  EXPECT_EQ(seen[1].connection_id(), seen[0].connection_id());
  EXPECT_EQ(seen[2].kind(), "connection_refused");
  EXPECT_EQ(seen[2].outcome(), "token_malformed");
}

}  // namespace
}  // namespace spillway::edge
