#include "services/edge/control/event_bus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/audit/audit_log.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/audit_sink.h"
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

TEST_F(EventBusTest, AnAddressIsWatchedHoweverItIsWritten) {
  v1::WatchEventsRequest filter;
  filter.set_ip("::ffff:10.0.0.1");
  const auto one = bus_.Watch(filter, [] {});
  filter.set_ip("10.0.0.0/8");
  const auto network = bus_.Watch(filter, [] {});
  for (const char* ip : {"10.0.0.1", "10.9.0.1", "192.0.2.1", ""}) {
    v1::NodeEvent event = Event(v1::EVENT_CATEGORY_CONNECTION);
    event.set_ip(ip);
    bus_.Publish(event);
  }
  EXPECT_EQ(Take(*one).size(), 1u);
  EXPECT_EQ(Take(*network).size(), 2u);
  EXPECT_TRUE(CheckWatchEvents(filter).ok());
  filter.set_ip("10.0.0.1/8");
  EXPECT_EQ(CheckWatchEvents(filter).code(), absl::StatusCode::kInvalidArgument);
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

// An output that keeps its lines.
class KeptLines final : public audit::Output {
 public:
  explicit KeptLines(std::vector<std::string>& lines) : lines_(lines) {}
  absl::Status Write(const std::vector<std::string>& lines) override {
    lines_.insert(lines_.end(), lines.begin(), lines.end());
    return absl::OkStatus();
  }

 private:
  std::vector<std::string>& lines_;
};

// Whether one of the lines has all that is asked for in it.
bool HasLine(const std::vector<std::string>& lines, const std::vector<std::string>& members) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return std::all_of(members.begin(), members.end(), [&](const std::string& member) {
      return line.find(member) != std::string::npos;
    });
  });
}

TEST_F(EventBusTest, TheAuditLogSaysWhoIsRefusedWhat) {
  std::vector<std::string> lines;
  audit::AuditLog log({.service = "s", .node_id = "edge-1"}, clock_);
  log.AddOutput("kept", std::make_unique<KeptLines>(lines));
  AddAuditSink(bus_, log);
  log.Start();
  context_.events = &bus_;
  ConnectionLimits::Options limits = {};
  limits.ips.failures = 1;
  limits_ = std::make_unique<ConnectionLimits>(limits, clock_);
  unmatched_ = ChannelAccess::kServer;
  Build(EndpointOptions());
  Client client = Connect(RequestOf({{"token", Token("u1")}}, "/ws", "10.0.0.1"));
  client.session->OnMessage(R"({"type":"subscribe","channels":["secret:x"]})", true);
  client.session->OnMessage(R"({"type":"refresh","token":"worthless-token"})", true);
  client.session->OnClosed(4009, "go");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", "another-bad-one"}}, "/ws", "10.0.0.2")),
            "401 token_malformed");
  EXPECT_EQ(RefusalOf(RequestOf({}, "/made/up", "10.0.0.3")), "404 unknown_endpoint");
  log.Stop(std::chrono::seconds(30));
  EXPECT_TRUE(HasLine(lines, {"\"action\":\"connection_opened\"", "\"actor\":\"u1\"",
                              "\"source\":\"10.0.0.1\"", "\"target\":\"/ws\""}));
  EXPECT_TRUE(HasLine(lines, {"\"action\":\"subscribe_refused\"", "\"target\":\"secret:x\"",
                              "\"outcome\":\"not_allowed\"", "\"connection\":"}));
  EXPECT_TRUE(
      HasLine(lines, {"\"action\":\"refresh_refused\"", "\"outcome\":\"token_malformed\"", "u1"}));
  EXPECT_TRUE(HasLine(lines, {"\"action\":\"connection_closed\"", "\"close_code\":4009"}));
  EXPECT_TRUE(HasLine(lines, {"\"action\":\"connection_refused\"", "10.0.0.2", "\"target\":\"/ws\"",
                              "\"outcome\":\"token_malformed\""}));
  EXPECT_TRUE(HasLine(lines, {"\"action\":\"address_blocked\"", "10.0.0.2"}));
  EXPECT_TRUE(HasLine(lines, {"10.0.0.3", "\"outcome\":\"unknown_endpoint\"", "\"target\":\"\""}));
  for (const char* secret : {"worthless-token", "another-bad-one", "/made/up"}) {
    EXPECT_FALSE(HasLine(lines, {secret})) << secret;
  }
}

TEST_F(EventBusTest, TheAuditLogSaysWhatOperatorsDo) {
  v1::NodeEvent event = Event(v1::EVENT_CATEGORY_ADMIN);
  event.set_action("BlockUser");
  event.set_actor("alice");
  event.set_outcome("control_full");
  event.set_time_ms(5);
  const audit::Record record = RecordOf(event);
  EXPECT_EQ(record.category, audit::Category::kAdmin);
  EXPECT_EQ(record.action, "BlockUser");
  EXPECT_EQ(record.actor, "alice");
  EXPECT_EQ(record.outcome, "control_full");
  EXPECT_EQ(record.time_ms, 5);
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
