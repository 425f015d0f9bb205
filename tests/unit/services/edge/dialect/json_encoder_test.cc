#include "services/edge/dialect/json_encoder.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <vector>

namespace spillway::edge {
namespace {

using Overrides = std::map<std::string, std::string, std::less<>>;

JsonEncoder MakeEncoder(const Overrides& overrides = {}) {
  return JsonEncoder(*JsonEnvelope::Compile(overrides), {});
}

bool IsJson(std::string_view text) {
  simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
}

// The text of a frame, which must be JSON and a text frame; "-" when there is none.
std::string TextOf(const Ref<Frame>& frame) {
  if (!frame) return "-";
  EXPECT_EQ(frame->opcode(), Opcode::kText);
  EXPECT_TRUE(IsJson(frame->payload())) << frame->payload();
  return std::string(frame->payload());
}

struct EventSpec {
  SlotNumber slot = 3;
  std::string channel = "price:BTC";
  std::string type = "market_price";
  std::string key = "BTC";
  std::string payload = R"({"price":1.5})";
  int encoding = 1;
  bool tombstone = false;
  int64_t time_us = 1'767'225'600'123'456;
};

Ref<EdgeEvent> MakeEvent(const EventSpec& spec) {
  wire::EventView view;
  view.channels.push_back(spec.channel);
  view.offset = 123;
  view.type = spec.type;
  view.key = spec.key;
  view.payload = spec.payload;
  view.encoding = spec.encoding;
  view.tombstone = spec.tombstone;
  view.event_time_us = spec.time_us;
  view.trace_id = "tr";
  return EdgeEvent::Make(view, spec.slot);
}

std::string EncodedEvent(const EventSpec& spec, const Overrides& overrides = {}) {
  return TextOf(MakeEncoder(overrides).EncodeEvent(*MakeEvent(spec), 0));
}

const std::vector<PositionEntry>& Position() {
  static const std::vector<PositionEntry> position = {
      {.slot = 3, .source = "ticks/0@0", .offset = 123, .fingerprint = 4711},
      {.slot = 4, .source = "ticks/1@2", .pending = true},
      {.slot = 5, .source = "ticks/2@0", .offset = -1},
      {.slot = 6, .source = "ticks/3@0", .offset = 90, .fingerprint = 17, .fingerprint_back = 2},
  };
  return position;
}
constexpr char kPosition[] =
    R"([{"slot":3,"source":"ticks/0@0","offset":123,"fp":4711},)"
    R"({"slot":4,"source":"ticks/1@2","pending":true},{"slot":5,"source":"ticks/2@0","offset":-1},)"
    R"({"slot":6,"source":"ticks/3@0","offset":90,"fp":17,"fp_offset":88}])";

TEST(JsonEncoder, Event) {
  EXPECT_EQ(EncodedEvent({}),
            R"({"type":"event","channel":"price:BTC","event":"market_price","slot":3,)"
            R"("offset":123,"time":1767225600123,"key":"BTC","data":{"price":1.5}})");
  EXPECT_EQ(EncodedEvent({.key = ""}),
            R"({"type":"event","channel":"price:BTC","event":"market_price","slot":3,)"
            R"("offset":123,"time":1767225600123,"data":{"price":1.5}})");
}

TEST(JsonEncoder, EphemeralEventAndTombstone) {
  EXPECT_EQ(EncodedEvent({.slot = kNoSlot}),
            R"({"type":"event","channel":"price:BTC","event":"market_price","ephemeral":true,)"
            R"("time":1767225600123,"key":"BTC","data":{"price":1.5}})");
  EXPECT_EQ(EncodedEvent({.payload = "", .tombstone = true}),
            R"({"type":"event","channel":"price:BTC","event":"market_price","slot":3,)"
            R"("offset":123,"time":1767225600123,"key":"BTC","deleted":true,"data":null})");
  // To every connection, whatever its channels.
  EXPECT_EQ(EncodedEvent({.slot = kNoSlot, .channel = "", .key = "", .payload = "1", .time_us = 0}),
            R"({"type":"event","event":"market_price","ephemeral":true,"time":null,"data":1})");
}

TEST(JsonEncoder, PayloadsByEncoding) {
  const Overrides only_data = {{"event", "{data}"}};
  const auto data = [&](std::string payload, int encoding) {
    return EncodedEvent({.payload = std::move(payload), .encoding = encoding}, only_data);
  };
  EXPECT_EQ(data("[1, 2]", 1), "[1, 2]");
  EXPECT_EQ(data("", 1), "null");
  EXPECT_EQ(data("say \"hi\"\n", 2), R"("say \"hi\"\n")");
  EXPECT_EQ(data("", 2), R"("")");
  EXPECT_EQ(data("\xff\xfe", 2), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  // RFC 4648, section 10.
  EXPECT_EQ(data("", 3), R"("")");
  EXPECT_EQ(data("f", 3), R"("Zg==")");
  EXPECT_EQ(data("fo", 3), R"("Zm8=")");
  EXPECT_EQ(data("foo", 3), R"("Zm9v")");
  EXPECT_EQ(data("foob", 3), R"("Zm9vYg==")");
  EXPECT_EQ(data("fooba", 3), R"("Zm9vYmE=")");
  EXPECT_EQ(data("foobar", 3), R"("Zm9vYmFy")");
  EXPECT_EQ(data(std::string("\x00\xff\xfe", 3), 3), R"("AP/+")");
}

TEST(JsonEncoder, AnEnvelopeShapesEvents) {
  EXPECT_EQ(
      EncodedEvent({}, {{"event", R"({"type": {type}, "data": {data}, "timestamp": {time_ms}})"}}),
      R"({"type":"market_price","data":{"price":1.5},"timestamp":1767225600123})");
  EXPECT_EQ(
      EncodedEvent({}, {{"event", R"([{time_iso},{ephemeral},{deleted},{trace_id},{slot}])"}}),
      R"(["2026-01-01T00:00:00.123Z",false,false,"tr",3])");
  EXPECT_EQ(EncodedEvent({.slot = kNoSlot, .key = ""},
                         {{"event", R"([{key},{slot},{offset},{ephemeral}])"}}),
            R"([null,null,null,true])");
}

TEST(JsonEncoder, Connected) {
  const ConnectedInfo info = {.connection_id = "c1",
                              .user_id = "u1",
                              .node = "edge-0",
                              .heartbeat_ms = 30000,
                              .now_ms = 1767225600000};
  EXPECT_EQ(TextOf(MakeEncoder().EncodeConnected(info)),
            R"({"type":"connected","connection":"c1","user":"u1","node":"edge-0",)"
            R"("protocol":"json.v1","heartbeat_ms":30000,"time":1767225600000})");
  EXPECT_EQ(TextOf(MakeEncoder().EncodeConnected({.connection_id = "c1", .node = "n"})),
            R"({"type":"connected","connection":"c1","user":null,"node":"n",)"
            R"("protocol":"json.v1","heartbeat_ms":0,"time":0})");
  EXPECT_EQ(
      TextOf(MakeEncoder({{"connected", R"({"type":"connected","connectionId":{connection_id},)"
                                        R"("userId":{user_id},"timestamp":{now_iso}})"}})
                 .EncodeConnected(info)),
      R"({"type":"connected","connectionId":"c1","userId":"u1",)"
      R"("timestamp":"2026-01-01T00:00:00.000Z"})");
}

TEST(JsonEncoder, Subscriptions) {
  const JsonEncoder encoder = MakeEncoder();
  EXPECT_EQ(
      TextOf(encoder.EncodeSubscribed({.id = 7, .channel = "a", .position = &Position()})),
      std::string(R"({"type":"subscribed","id":7,"channel":"a","snapshot":false,"position":)") +
          kPosition + "}");
  EXPECT_EQ(TextOf(encoder.EncodeSubscribed({.channel = "a", .snapshot = true})),
            R"({"type":"subscribed","channel":"a","snapshot":true})");
  EXPECT_EQ(TextOf(encoder.EncodeUnsubscribed(8, "a")),
            R"({"type":"unsubscribed","id":8,"channel":"a"})");
  EXPECT_EQ(TextOf(encoder.EncodeUnsubscribed({}, "a")),
            R"({"type":"unsubscribed","channel":"a"})");
}

TEST(JsonEncoder, Frequencies) {
  const JsonEncoder encoder = MakeEncoder();
  EXPECT_EQ(TextOf(encoder.EncodeSubscribed({.channel = "a", .frequency = Frequency::kLow})),
            R"({"type":"subscribed","channel":"a","snapshot":false,"frequency":"low"})");
  EXPECT_EQ(TextOf(encoder.EncodeUpdated(9, "a", Frequency::kBackground)),
            R"({"type":"updated","id":9,"channel":"a","frequency":"background"})");
  EXPECT_EQ(TextOf(encoder.EncodeUpdated({}, "a", Frequency::kHigh)),
            R"({"type":"updated","channel":"a","frequency":"high"})");
}

TEST(JsonEncoder, Positions) {
  const JsonEncoder encoder = MakeEncoder();
  EXPECT_EQ(TextOf(encoder.EncodeCheckpoint("a", Position())),
            std::string(R"({"type":"checkpoint","channel":"a","position":)") + kPosition + "}");
  EXPECT_EQ(TextOf(encoder.EncodeCheckpoint("a", {})),
            R"({"type":"checkpoint","channel":"a","position":[]})");
  EXPECT_EQ(TextOf(encoder.EncodeJoined("a", Position()[0])),
            R"({"type":"joined","channel":"a","position":)"
            R"([{"slot":3,"source":"ticks/0@0","offset":123,"fp":4711}]})");
  EXPECT_EQ(
      TextOf(encoder.EncodeGap(
          "a", {.slot = 3, .source = "ticks/0@0", .from = 5, .to = 9, .reason = "retention"})),
      R"({"type":"gap","channel":"a","slot":3,"source":"ticks/0@0","from":5,"to":9,)"
      R"("reason":"retention"})");
  EXPECT_EQ(TextOf(encoder.EncodeGap("a", {.source = {}, .reason = "slow", .count = 7})),
            R"({"type":"gap","channel":"a","count":7,"reason":"slow"})");
  EXPECT_EQ(
      TextOf(encoder.EncodeGap("a", {.slot = 3, .source = "t/0@1", .to = -1, .reason = "reset"})),
      R"({"type":"gap","channel":"a","slot":3,"source":"t/0@1","from":0,"to":-1,)"
      R"("reason":"reset"})");
  EXPECT_EQ(TextOf(encoder.EncodeEphemeralGap("a")), R"({"type":"ephemeral_gap","channel":"a"})");
}

std::string SnapshotText(const SnapshotInfo& info, const Overrides& overrides = {}) {
  std::vector<Ref<Frame>> frames;
  MakeEncoder(overrides).EncodeSnapshot(info, &frames);
  std::string out;
  for (const Ref<Frame>& frame : frames) out += TextOf(frame) + "\n";
  return out;
}

TEST(JsonEncoder, Snapshots) {
  const std::vector<Ref<EdgeEvent>> events = {MakeEvent({}),
                                              MakeEvent({.key = "", .payload = "2"})};
  constexpr char kEvents[] =
      R"([{"event":"market_price","slot":3,"offset":123,"time":1767225600123,"key":"BTC","data":{"price":1.5}},)"
      R"({"event":"market_price","slot":3,"offset":123,"time":1767225600123,"data":2}])";
  EXPECT_EQ(SnapshotText({.channel = "a", .events = &events}),
            std::string(R"({"type":"snapshot","channel":"a","events":)") + kEvents +
                ",\"last\":false}\n");
  const std::vector<Ref<EdgeEvent>> none;
  EXPECT_EQ(SnapshotText({.channel = "a",
                          .events = &none,
                          .last = true,
                          .position = &Position(),
                          .complete = true}),
            std::string(R"({"type":"snapshot","channel":"a","events":[],"last":true,"position":)") +
                kPosition + ",\"complete\":true}\n");
  EXPECT_EQ(SnapshotText({.channel = "a",
                          .events = &none,
                          .last = true,
                          .position = &Position(),
                          .since_us = 5'000'000}),
            std::string(R"({"type":"snapshot","channel":"a","events":[],"last":true,"position":)") +
                kPosition + ",\"since\":5000}\n");
}

TEST(JsonEncoder, SnapshotsAsEventsOrNotAtAll) {
  const std::vector<Ref<EdgeEvent>> events = {MakeEvent({.payload = "1"}),
                                              MakeEvent({.payload = "2"})};
  const SnapshotInfo info = {
      .channel = "a", .events = &events, .last = true, .position = &Position(), .complete = true};
  EXPECT_EQ(SnapshotText(info, {{"snapshot", "events"},
                                {"event", R"([{channel},{data}])"},
                                {"checkpoint", R"([{position}])"}}),
            std::string("[\"a\",1]\n[\"a\",2]\n[") + kPosition + "]\n");
  EXPECT_EQ(SnapshotText(info, {{"snapshot", "events"}, {"event", "{data}"}, {"checkpoint", ""}}),
            "1\n2\n");
  EXPECT_EQ(SnapshotText(info, {{"snapshot", ""}}), "");
  EXPECT_TRUE(MakeEncoder().has_snapshots());
  EXPECT_TRUE(MakeEncoder({{"snapshot", "events"}}).has_snapshots());
  EXPECT_FALSE(MakeEncoder({{"snapshot", ""}}).has_snapshots());
}

TEST(JsonEncoder, ErrorsAndHeartbeats) {
  const JsonEncoder encoder = MakeEncoder();
  EXPECT_EQ(
      TextOf(encoder.EncodeError(
          {.id = 1, .code = "bad_channel", .message = "no \"x\"", .channel = "x\x01"})),
      R"({"type":"error","id":1,"code":"bad_channel","message":"no \"x\"","channel":"x\u0001"})");
  EXPECT_EQ(TextOf(encoder.EncodeError({.code = "bad_json", .message = "m"})),
            R"({"type":"error","code":"bad_json","message":"m"})");
  EXPECT_EQ(TextOf(encoder.EncodePing(5)), R"({"type":"ping","time":5})");
  EXPECT_EQ(TextOf(encoder.EncodePong(3, 5)), R"({"type":"pong","id":3,"time":5})");
  EXPECT_EQ(TextOf(encoder.EncodePong({}, 5)), R"({"type":"pong","time":5})");
}

TEST(JsonEncoder, WhatTheEnvelopeLeavesOutIsNoFrame) {
  const JsonEncoder encoder = MakeEncoder({{"connected", ""},
                                           {"subscribed", ""},
                                           {"updated", ""},
                                           {"unsubscribed", ""},
                                           {"joined", ""},
                                           {"checkpoint", ""},
                                           {"ping", ""},
                                           {"pong", ""}});
  EXPECT_FALSE(encoder.EncodeConnected({}));
  EXPECT_FALSE(encoder.EncodeSubscribed({}));
  EXPECT_FALSE(encoder.EncodeUpdated({}, "a", Frequency::kLow));
  EXPECT_FALSE(encoder.EncodeUnsubscribed({}, "a"));
  EXPECT_FALSE(encoder.EncodeJoined("a", {}));
  EXPECT_FALSE(encoder.EncodeCheckpoint("a", {}));
  EXPECT_FALSE(encoder.EncodePing(1));
  EXPECT_FALSE(encoder.EncodePong({}, 1));
}

// Whatever bytes an event has, the frame is JSON.
TEST(JsonEncoder, AnyBytesGiveValidJson) {
  std::mt19937 random(20260101);
  const auto text = [&](size_t most) {
    std::string bytes(random() % (most + 1), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 256);
    return bytes;
  };
  for (int round = 0; round < 3000; ++round) {
    EventSpec spec;
    spec.slot = random() % 2 == 0 ? kNoSlot : static_cast<SlotNumber>(random());
    spec.channel = text(20);
    spec.type = text(20);
    spec.key = text(10);
    spec.encoding = 2 + static_cast<int>(random() % 2);
    spec.payload = text(300);
    spec.tombstone = random() % 8 == 0;
    spec.time_us = static_cast<int64_t>(random()) * 1'000'000;
    const Ref<EdgeEvent> event = MakeEvent(spec);
    ASSERT_TRUE(IsJson(MakeEncoder().EncodeEvent(*event, 0)->payload())) << round;
    const std::vector<Ref<EdgeEvent>> events = {event, event};
    std::vector<Ref<Frame>> frames;
    MakeEncoder().EncodeSnapshot({.channel = spec.channel, .events = &events}, &frames);
    ASSERT_TRUE(IsJson(frames.at(0)->payload())) << round;
    ASSERT_TRUE(IsJson(MakeEncoder()
                           .EncodeError({.code = "c", .message = text(50), .channel = spec.channel})
                           ->payload()));
  }
}

TEST(JsonEncoder, ALargePayloadComesThroughWhole) {
  const std::string payload = "\"" + std::string(5'000'000, 'x') + "\"";
  const Ref<EdgeEvent> event = MakeEvent({.payload = payload});
  const JsonEncoder encoder = MakeEncoder({{"event", "{data}"}});
  EXPECT_EQ(encoder.EncodeEvent(*event, 0)->payload(), payload);
  EXPECT_EQ(encoder.EncodeEvent(*MakeEvent({.payload = "1"}), 0)->payload(), "1");
}

// Which subscription a message is for, and which channel an event is of.
TEST(JsonEncoderTest, EventsOfPatterns) {
  wire::EventView view;
  for (const char* channel : {"x", "price:BTC"}) view.channels.push_back(channel);
  view.offset = 123;
  view.type = "tick";
  view.payload = "1";
  view.encoding = 1;
  const PatternMatch match{"price:*", 77, 1};
  const Ref<EdgeEvent> event = EdgeEvent::Make(view, 3, kMaxVariants, {&match, 1});
  ASSERT_EQ(event->channel_count(), 3u);
  EXPECT_EQ(TextOf(MakeEncoder().EncodeEvent(*event, 2)),
            R"({"type":"event","channel":"price:BTC","pattern":"price:*","event":"tick","slot":3,)"
            R"("offset":123,"time":null,"data":1})");
  EXPECT_EQ(TextOf(MakeEncoder().EncodeEvent(*event, 1)),
            R"({"type":"event","channel":"price:BTC","event":"tick","slot":3,"offset":123,)"
            R"("time":null,"data":1})");
  const JsonEncoder own = MakeEncoder(
      {{"event", R"({"c":{channel},"p":{pattern},"m":{matched}})"}, {"snapshot", "events"}});
  EXPECT_EQ(TextOf(own.EncodeEvent(*event, 2)),
            R"({"c":"price:BTC","p":"price:*","m":"price:BTC"})");
  EXPECT_EQ(TextOf(own.EncodeEvent(*event, 0)), R"({"c":"x","p":null,"m":null})");
  std::vector<Ref<Frame>> frames;
  const std::vector<Ref<EdgeEvent>> events = {event};
  MakeEncoder().EncodeSnapshot({.channel = "price:*", .events = &events}, &frames);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(TextOf(frames[0]),
            R"({"type":"snapshot","channel":"price:*","events":[{"event":"tick",)"
            R"("channel":"price:BTC","slot":3,"offset":123,"time":null,"data":1}],"last":false})");
  frames.clear();
  own.EncodeSnapshot({.channel = "price:*", .events = &events}, &frames);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(TextOf(frames[0]), R"({"c":"price:BTC","p":"price:*","m":"price:BTC"})");
}

// Who was told nothing has nothing to forget.
TEST(JsonEncoderTest, StayingGoesWhereMovingDoes) {
  EXPECT_EQ(TextOf(MakeEncoder().EncodeStaying()), R"({"type":"staying"})");
  EXPECT_FALSE(MakeEncoder({{"moving", ""}}).EncodeStaying());
  EXPECT_FALSE(MakeEncoder({{"staying", ""}}).EncodeStaying());
}

TEST(JsonEncoderTest, ClosingSaysWhetherToComeBack) {
  EXPECT_EQ(TextOf(MakeEncoder().EncodeClosing(1'500)),
            R"({"type":"closing","reconnect":true,"after_ms":1500})");
  EXPECT_EQ(TextOf(MakeEncoder().EncodeClosing(0)),
            R"({"type":"closing","reconnect":true,"after_ms":0})");
  EXPECT_EQ(TextOf(MakeEncoder().EncodeClosing({})), R"({"type":"closing","reconnect":false})");
}

}  // namespace
}  // namespace spillway::edge
