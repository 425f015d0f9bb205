#include "services/edge/control/admin_requests.h"

#include <gtest/gtest.h>

#include <string>

namespace spillway::edge {
namespace {

constexpr char kId[] = "0123456789abcdef0123456789abcdef";
const WallTime kNow{std::chrono::microseconds(1'700'000'000'000'007)};

// The message of InvalidArgument; "ok" without an error.
std::string What(const absl::Status& status) {
  if (status.ok()) return "ok";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(AdminRequestsTest, DisconnectNeedsOneTarget) {
  v1::DisconnectRequest request;
  EXPECT_EQ(What(CheckDisconnect(request)),
            "no target: set one of connection_id, user_id, ip, all, channel, endpoint, label");
  request.set_all(false);
  EXPECT_EQ(What(CheckDisconnect(request)), "all is false: set it to true, or name a target");
  request.set_all(true);
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
  request.set_connection_id("7");
  EXPECT_EQ(What(CheckDisconnect(request)),
            "connection_id must be 32 hexadecimal digits, as ListConnections shows it");
  request.set_connection_id(kId);
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
  request.set_user_id("");
  EXPECT_EQ(What(CheckDisconnect(request)),
            "user_id is empty: anonymous connections are ended by id, ip or all");
  request.set_ip("");
  EXPECT_EQ(What(CheckDisconnect(request)), "ip is empty: give an address as clients have it");
  request.set_ip("10.0.0.1/8");
  EXPECT_EQ(What(CheckDisconnect(request)).substr(0, 18), "ip: '10.0.0.1/8': ");
  request.set_channel("a::b");
  EXPECT_EQ(What(CheckDisconnect(request)).substr(0, 17), "channel: 'a::b': ");
  request.set_endpoint("/ws");
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
  request.set_label("device");
  EXPECT_EQ(What(CheckDisconnect(request)),
            "label: 'device': a label is given as NAME=VALUE, as ListConnections shows them: a "
            "value has 1 to 64 "
            "bytes");
  request.set_label("device=phone");
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
}

TEST(AdminRequestsTest, AdviceHasBounds) {
  v1::DisconnectRequest request;
  request.set_all(true);
  v1::ReconnectAdvice& advice = *request.mutable_reconnect();
  for (int64_t bad : {int64_t{-1}, int64_t{86'400'001}}) {
    advice.set_after_ms(bad);
    EXPECT_EQ(What(CheckDisconnect(request)).substr(0, 23), "reconnect: after_ms is ");
    advice.set_after_ms(1);
    advice.set_spread_ms(bad);
    EXPECT_EQ(What(CheckDisconnect(request)).substr(0, 24), "reconnect: spread_ms is ");
    advice.set_spread_ms(0);
  }
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
  advice.set_never(true);
  EXPECT_EQ(What(CheckDisconnect(request)),
            "reconnect: who is told never to come back is told no time");
  advice.clear_after_ms();
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
}

TEST(AdminRequestsTest, CloseCodesAreThoseOfApplications) {
  v1::DisconnectRequest request;
  request.set_all(true);
  EXPECT_EQ(DisconnectCode(request), 4009);
  for (uint32_t code : {1000u, 3000u, 4009u, 4999u}) {
    request.set_code(code);
    EXPECT_EQ(What(CheckDisconnect(request)), "ok") << code;
    EXPECT_EQ(DisconnectCode(request), code);
  }
  for (uint32_t code : {1u, 999u, 1001u, 1006u, 2999u, 5000u, 70000u}) {
    request.set_code(code);
    EXPECT_EQ(What(CheckDisconnect(request)),
              "code is " + std::to_string(code) + ": use 1000, or 3000 to 4999, or 0 for 4009");
  }
}

TEST(AdminRequestsTest, ReasonsFitIntoACloseFrame) {
  v1::DisconnectRequest request;
  request.set_all(true);
  request.set_reason(std::string(123, 'x'));
  EXPECT_EQ(What(CheckDisconnect(request)), "ok");
  request.set_reason(std::string(124, 'x'));
  EXPECT_EQ(What(CheckDisconnect(request)),
            "reason has 124 bytes: at most 123 fit into a close frame");
}

std::string BroadcastError(const v1::BroadcastRequest& request) {
  return What(BroadcastOf(request, kNow).status());
}

TEST(AdminRequestsTest, BroadcastIsChecked) {
  v1::BroadcastRequest request;
  request.set_type("note");
  request.set_payload("{}");
  EXPECT_EQ(BroadcastError(request),
            "no target: give channels, pattern, users or label, or set all");
  request.add_channels("a:b");
  EXPECT_EQ(BroadcastError(request), "ok");
  request.set_all(true);
  EXPECT_EQ(BroadcastError(request),
            "several targets: use one of channels, pattern, users, label, all");
  request.set_all(false);
  request.add_channels("a:b");
  EXPECT_EQ(BroadcastError(request), "channels: 'a:b' is given twice");
  request.set_channels(1, "a::b");
  EXPECT_NE(BroadcastError(request).find("channels: 'a::b': "), std::string::npos);
  request.mutable_channels()->RemoveLast();
  request.set_type("");
  EXPECT_EQ(BroadcastError(request), "type is empty: clients tell events apart by it");
  request.set_type("note");
  for (const char* bad : {"", "{", "{} {}", "nul"}) {
    request.set_payload(bad);
    EXPECT_EQ(BroadcastError(request),
              "payload is not one JSON value: correct it, or set encoding to PAYLOAD_ENCODING_TEXT")
        << bad;
  }
  request.set_encoding(v1::PAYLOAD_ENCODING_TEXT);
  EXPECT_EQ(BroadcastError(request), "ok");
  request.set_encoding(static_cast<v1::PayloadEncoding>(9));
  EXPECT_EQ(BroadcastError(request), "encoding is none that this node knows");
}

TEST(AdminRequestsTest, OtherTargetsOfABroadcastAreChecked) {
  v1::BroadcastRequest request;
  request.set_type("note");
  request.set_payload("{}");
  request.set_pattern("a.*.b");
  EXPECT_EQ(BroadcastError(request), "ok");
  request.set_pattern("a..b");
  EXPECT_EQ(BroadcastError(request).substr(0, 9), "pattern: ");
  request.clear_pattern();
  request.add_users("");
  EXPECT_EQ(BroadcastError(request), "users: one is empty");
  request.set_users(0, "u1");
  request.add_users("u1");
  EXPECT_EQ(BroadcastError(request), "users: 'u1' is given twice");
  request.clear_users();
  request.set_label("x");
  EXPECT_EQ(BroadcastError(request).substr(0, 12), "label: 'x': ");
  request.clear_label();
  request.add_users("");
  v1::BroadcastBatchRequest batch;
  EXPECT_EQ(What(CheckBroadcastBatch(batch, kNow)), "0 broadcasts: give 1 to 100");
  *batch.add_broadcasts() = request;
  EXPECT_EQ(What(CheckBroadcastBatch(batch, kNow)), "broadcasts[0]: users: one is empty");
  batch.mutable_broadcasts(0)->set_users(0, "u1");
  EXPECT_EQ(What(CheckBroadcastBatch(batch, kNow)), "ok");
}

TEST(AdminRequestsTest, SubscribeNamesATargetAndChannels) {
  v1::SubscribeRequest request;
  EXPECT_EQ(What(CheckSubscribe(request)), "no target: set connection_id or user_id");
  request.set_user_id("u1");
  EXPECT_EQ(What(CheckSubscribe(request)), "0 channels: give 1 to 100");
  request.add_channels("a");
  EXPECT_EQ(What(CheckSubscribe(request)), "ok");
  request.add_channels("a::b");
  EXPECT_EQ(What(CheckSubscribe(request)).substr(0, 18), "channels: 'a::b': ");
}

TEST(AdminRequestsTest, LogLevelsAreThoseOfTheConfiguration) {
  v1::SetLogLevelRequest request;
  EXPECT_EQ(What(CheckSetLogLevel(request)), "level must be debug, info, warn or error");
  request.set_level("off");
  EXPECT_NE(What(CheckSetLogLevel(request)), "ok");
  request.set_level("debug");
  EXPECT_EQ(What(CheckSetLogLevel(request)), "ok");
}

TEST(AdminRequestsTest, BroadcastMakesAnEphemeralEvent) {
  v1::BroadcastRequest request;
  request.set_all(true);
  request.set_type("note");
  request.set_payload("[1]");
  const auto broadcast = BroadcastOf(request, kNow);
  ASSERT_TRUE(broadcast.ok());
  const Ref<EdgeEvent>& event = broadcast->event;
  EXPECT_TRUE(event->ephemeral());
  ASSERT_EQ(event->channel_count(), 1u);
  EXPECT_EQ(event->channel(0), "$all");
  EXPECT_EQ(event->view().type, "note");
  EXPECT_EQ(event->view().payload, "[1]");
  EXPECT_EQ(event->view().encoding, v1::PAYLOAD_ENCODING_JSON);
  EXPECT_EQ(event->view().event_time_us, 1'700'000'000'000'007);
}

TEST(AdminRequestsTest, ListsAreChecked) {
  v1::ListConnectionsRequest connections;
  EXPECT_EQ(What(CheckListConnections(connections)), "ok");
  connections.set_page_size(1000);
  connections.set_page_token(kId);
  connections.set_channel("a:b");
  EXPECT_EQ(What(CheckListConnections(connections)), "ok");
  connections.set_page_size(1001);
  EXPECT_EQ(What(CheckListConnections(connections)),
            "page_size is 1001: ask for at most 1000, and go on with page_token");
  connections.set_page_token("7");
  EXPECT_EQ(What(CheckListConnections(connections)),
            "page_token is none of ours: give the next_page_token of the page before");
  connections.set_ip("10.0.0.1/8");
  EXPECT_EQ(What(CheckListConnections(connections)).substr(0, 18), "ip: '10.0.0.1/8': ");
  connections.set_channel("a***");
  EXPECT_NE(What(CheckListConnections(connections)).find("channel: "), std::string::npos);

  v1::ListChannelsRequest channels;
  EXPECT_EQ(What(CheckListChannels(channels)), "ok");
  channels.set_pattern("price:**");
  EXPECT_EQ(What(CheckListChannels(channels)), "ok");
  channels.set_pattern("price:***");
  EXPECT_NE(What(CheckListChannels(channels)).find("pattern: "), std::string::npos);
  channels.set_pattern("");
  channels.set_page_token("::");
  EXPECT_EQ(What(CheckListChannels(channels)),
            "page_token is none of ours: give the next_page_token of the page before");

  v1::GetConnectionRequest get;
  EXPECT_NE(What(CheckGetConnection(get)), "ok");
  get.set_connection_id(kId);
  EXPECT_EQ(What(CheckGetConnection(get)), "ok");
  get.set_page_token("a::b");
  EXPECT_EQ(What(CheckGetConnection(get)),
            "page_token is none of ours: give the next_page_token of the page before");
  get.set_page_token("a:*");
  EXPECT_EQ(What(CheckGetConnection(get)), "ok");
  get.set_page_size(1001);
  EXPECT_EQ(What(CheckGetConnection(get)).substr(0, 9), "page_size");
}

}  // namespace
}  // namespace spillway::edge
