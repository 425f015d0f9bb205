#include "services/edge/session/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SessionTest, SaysHello) {
  EndpointOptions options = Open();
  options.heartbeat.interval = seconds(30);
  Build(options);
  Client client = Connect(RequestOf({{"token", Token("u1")}}));
  const std::string id = "01112131415161718191a1b1c1d1e1f1";  // by the fixture's random numbers
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"connected","connection":")" + id +
                R"(","user":"u1","node":"edge-0","protocol":"json.v1",)"
                R"("heartbeat_ms":30000,"time":1767225600000,"expires":1767229200000})");
  EXPECT_EQ(registry_.Find(id), client.session.get());
  EXPECT_THAT(kept_, SizeIs(1));  // the transport only points to the frame
  EXPECT_EQ(counters_.opened.Value(), 1u);
  EXPECT_EQ(counters_.connections.Value(), 1);
  EXPECT_EQ(counters_.messages_sent.Value(), 1u);
  EXPECT_EQ(variants_[0].in_use.load(), 1);
  EXPECT_LE(sizeof(Session), 440u);
}

TEST_F(SessionTest, SubscribesToTheEndpointsChannels) {
  OfferNoSlots();
  EndpointOptions options = Open();
  options.subscribe = {"market", "user:{sub}", "room:{claim.none}", "market"};
  Build(options);
  Client client = Connect(RequestOf({{"token", Token("u1")}}));
  const auto messages = client.Take();
  ASSERT_THAT(messages, SizeIs(3));
  EXPECT_EQ(messages[1],
            R"({"type":"subscribed","channel":"market","snapshot":false,"position":[]})");
  EXPECT_EQ(messages[2],
            R"({"type":"subscribed","channel":"user:u1","snapshot":false,"position":[]})");
  EXPECT_THAT(upstream_.added, ElementsAre("market", "user:u1"));
}

TEST_F(SessionTest, SubscribeDeliverUnsubscribe) {
  OfferSlot("price:*", false);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":7,"channels":["price:BTC"]})");
  EXPECT_THAT(client.Take(), IsEmpty());  // the answer waits for the channel's coverage
  hub_.OnInterest("price:BTC", 3, 99, clock_.Now());
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"subscribed","id":7,"channel":"price:BTC","snapshot":false,)"
            R"("position":[{"slot":3,"source":"ticks/0@0","offset":99}]})");
  EdgeBatch batch;
  batch.events = {EventOf("price:BTC", 100, "1.5")};
  batch.progress = {{3, 100, 7}};
  hub_.OnBatch(batch, clock_.Now());
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"event","channel":"price:BTC","event":"tick","slot":3,"offset":100,)"
            R"("time":null,"data":1.5})");
  client.Says(R"({"type":"unsubscribe","id":8,"channels":["price:BTC"]})");
  EXPECT_EQ(client.TakeOne(), R"({"type":"unsubscribed","id":8,"channel":"price:BTC"})");
  EXPECT_THAT(upstream_.removed, ElementsAre("price:BTC"));
  EXPECT_EQ(client.session->Info().subscriptions, 0u);
}

TEST_F(SessionTest, SeveralChannelsAtOnceAndTheirIds) {
  OfferSlot("price:*", false);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":1,"channels":["price:A","price:B"]})");
  client.Says(R"({"type":"subscribe","id":2,"channels":["price:C"]})");
  client.Says(R"({"type":"subscribe","channels":["price:D"]})");
  for (const char* channel : {"price:D", "price:C", "price:B", "price:A"}) {
    hub_.OnInterest(channel, 3, 5, clock_.Now());
  }
  const auto messages = client.Take();
  ASSERT_THAT(messages, SizeIs(4));
  EXPECT_THAT(messages[0], HasSubstr(R"({"type":"subscribed","channel":"price:D")"));
  EXPECT_THAT(messages[1], HasSubstr(R"("id":2,"channel":"price:C")"));
  EXPECT_THAT(messages[2], HasSubstr(R"("id":1,"channel":"price:B")"));
  EXPECT_THAT(messages[3], HasSubstr(R"("id":1,"channel":"price:A")"));
}

TEST_F(SessionTest, GoesOnWhereTheClientWas) {
  OfferSlot("price:*", false);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":1,"channels":["price:A","price:B"],)"
              R"("positions":{"price:B":[{"slot":9,"source":"ticks/0@0","offset":90,"fp":5}]}})");
  for (const char* channel : {"price:A", "price:B"}) {
    hub_.OnInterest(channel, 3, 99, clock_.Now());
  }
  EXPECT_THAT(upstream_.judged, ElementsAre(std::pair(1, 5)));
  EdgeReadResult proven;
  proven.as_of = {{3, 90}};
  proven.verdicts = {Verdict::kProven};
  hub_.OnRead(1, proven, clock_.Now());
  const auto messages = client.Take();
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_THAT(messages[0], HasSubstr(R"("source":"ticks/0@0","offset":99)"));
  EXPECT_THAT(messages[1], HasSubstr(R"("source":"ticks/0@0","offset":90)"));
  EXPECT_THAT(upstream_.reads, ElementsAre(std::pair(2, "price:B")));
  EdgeReadResult missed;
  missed.events = {EventOf("price:B", 95, "1")};
  missed.as_of = {{3, 99, 0}};
  hub_.OnRead(2, missed, clock_.Now());
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("channel":"price:B","event":"tick","slot":3,)"
                                          R"("offset":95)"));
  client.Says(R"({"type":"subscribe","id":2,"channels":["price:C"],"positions":{"price:C":7}})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("id":2,"code":"bad_position")"));
}

TEST_F(SessionTest, AnIdIsForgottenWithItsSubscription) {
  OfferSlot("price:*", false);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":1,"channels":["price:A"]})");
  client.Says(R"({"type":"unsubscribe","channels":["price:A"]})");
  client.Says(R"({"type":"subscribe","channels":["price:A"]})");
  client.Take();
  hub_.OnInterest("price:A", 3, 5, clock_.Now());
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"({"type":"subscribed","channel":"price:A")"));
}

TEST_F(SessionTest, SnapshotFirst) {
  OfferSlot("price:*", true);
  Build(Open(),
        {{.pattern = "price:*", .access = ChannelAccess::kAnyone, .allow = {}, .snapshot = true}});
  Client client = Connect();
  client.Says(R"({"type":"subscribe","channels":["price:A"]})");
  hub_.OnInterest("price:A", 3, 5, clock_.Now());
  EXPECT_EQ(client.TakeOne(), R"({"type":"subscribed","channel":"price:A","snapshot":true,)"
                              R"("position":[{"slot":3,"source":"ticks/0@0","pending":true}]})");
  ASSERT_THAT(upstream_.reads, SizeIs(1));
  EdgeReadResult result;
  result.events = {EventOf("price:A", 4, "1")};
  result.as_of = {{3, 6, 77}};
  hub_.OnRead(upstream_.reads[0].first, result, clock_.Now());
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"snapshot","channel":"price:A","events":[{"event":"tick","slot":3,)"
            R"("offset":4,"time":null,"data":1}],"last":true,)"
            R"("position":[{"slot":3,"source":"ticks/0@0","offset":6,"fp":77}],"complete":true})");
}

TEST_F(SessionTest, SnapshotUnavailable) {
  OfferSlot("price:*", true);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","channels":["price:A"],"snapshot":true})");
  hub_.OnInterest("price:A", 3, 5, clock_.Now());
  client.Take();
  ASSERT_THAT(upstream_.reads, SizeIs(1));
  EdgeReadResult result;
  result.failed = true;
  result.as_of = {{3, 5, 0}};
  hub_.OnRead(upstream_.reads[0].first, result, clock_.Now());
  const auto messages = client.Take();
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_THAT(messages[0], HasSubstr(R"("code":"snapshot_unavailable")"));
  EXPECT_THAT(messages[0], HasSubstr(R"("channel":"price:A")"));
  EXPECT_EQ(messages[1], R"({"type":"checkpoint","channel":"price:A",)"
                         R"("position":[{"slot":3,"source":"ticks/0@0","offset":5}]})");
}

TEST_F(SessionTest, TheClientSaysWhetherItWantsASnapshot) {
  OfferSlot("**", true);
  Build(Open(),
        {{.pattern = "on:*", .access = ChannelAccess::kAnyone, .allow = {}, .snapshot = true}});
  Client client = Connect();
  client.Says(R"({"type":"subscribe","channels":["on:a"],"snapshot":false})");
  client.Says(R"({"type":"subscribe","channels":["off"]})");
  for (const char* channel : {"on:a", "off"}) hub_.OnInterest(channel, 3, 5, clock_.Now());
  EXPECT_THAT(upstream_.reads, IsEmpty());

  // An envelope without snapshots never asks for one.
  UseEnvelope({{"snapshot", ""}});
  Build(Open());
  client = Connect();
  client.Says(R"({"type":"subscribe","channels":["b"],"snapshot":true})");
  hub_.OnInterest("b", 3, 5, clock_.Now());
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("snapshot":false)"));
  EXPECT_THAT(upstream_.reads, IsEmpty());
}

TEST_F(SessionTest, CursorsWaitForTheBacklog) {
  OfferSlot("price:*", true);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","channels":["price:A"],"snapshot":true})");
  hub_.OnInterest("price:A", 3, 5, clock_.Now());
  client.Take();
  client.transport->bytes = context_.limits.low_backlog_bytes + 1;
  EXPECT_FALSE(client.session->CanPull());
  EdgeReadResult result;
  result.as_of = {{3, 5, 0}};
  hub_.OnRead(upstream_.reads.at(0).first, result, clock_.Now());
  EXPECT_THAT(client.Take(), IsEmpty());
  client.transport->bytes = context_.limits.low_backlog_bytes;
  EXPECT_TRUE(client.session->CanPull());
  client.session->OnWritable();
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("type":"snapshot")"));
  client.transport->messages = context_.limits.low_backlog_messages + 1;
  EXPECT_FALSE(client.session->CanPull());
}

// "code" of the only message, or all of them.
std::string CodeOf(const std::string& message) {
  const std::string key = "\"code\":\"";
  const size_t at = message.find(key);
  if (at == std::string::npos) return message;
  return message.substr(at + key.size(), message.find('"', at + key.size()) - at - key.size());
}

TEST_F(SessionTest, EveryCommandError) {
  OfferNoSlots();
  context_.limits.max_subscriptions = 2;
  context_.limits.max_bad_messages = 0;
  Build(Open(),
        {{.pattern = "user:*", .access = ChannelAccess::kAuthenticated, .allow = "user:{sub}"}});
  Client client = Connect();
  const auto answer = [&](std::string_view text) {
    client.Says(text);
    return CodeOf(client.TakeOne());
  };
  EXPECT_EQ(answer("nope"), "bad_json");
  EXPECT_EQ(answer("[]"), "bad_message");
  EXPECT_EQ(answer("{}"), "missing_field");
  EXPECT_EQ(answer(R"({"type":"fly"})"), "unknown_type");
  EXPECT_EQ(answer(R"({"type":"subscribe","channels":["a"],"x":1})"), "unknown_key");
  EXPECT_EQ(answer(std::string(70'000, ' ')), "message_too_large");
  std::string many = R"({"type":"subscribe","channels":["a")";
  for (int i = 0; i < 100; ++i) many += ",\"a\"";
  EXPECT_EQ(answer(many + "]}"), "too_many_channels");
  EXPECT_EQ(answer(R"({"type":"subscribe","channels":["a..b"]})"), "bad_channel");
  EXPECT_EQ(answer(R"({"type":"subscribe","channels":["price:*"]})"), "pattern_not_allowed");
  EXPECT_EQ(answer(R"({"type":"subscribe","channels":["price:***"]})"), "bad_channel");
  EXPECT_EQ(answer(R"({"type":"subscribe","channels":["user:u1"]})"), "not_allowed");
  EXPECT_EQ(answer(R"({"type":"unsubscribe","channels":["a"]})"), "not_subscribed");
  EXPECT_EQ(counters_.bad_messages.Value(), 10u);  // those of a client that is wrong in form
  EXPECT_EQ(counters_.errors_sent.Value(), 12u);

  client.Says(R"({"type":"subscribe","channels":["a","b"]})");
  EXPECT_THAT(client.Take(), SizeIs(2));
  EXPECT_EQ(answer(R"({"type":"subscribe","id":4,"channels":["c"]})"), "too_many_subscriptions");
  EXPECT_EQ(counters_.subscriptions_refused.Value(), 1u);
  client.Says(R"({"type":"unsubscribe","channels":["b"]})");
  client.Take();
  client.Says(R"({"type":"subscribe","id":4,"channels":["a"]})");
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"error","id":4,"code":"already_subscribed",)"
            R"("message":"this connection is subscribed to the channel already","channel":"a"})");
  EXPECT_EQ(client.session->Info().subscriptions, 1u);

  client.session->OnMessage("\x01", false);
  EXPECT_EQ(CodeOf(client.TakeOne()), "bad_message");
  EXPECT_FALSE(client.transport->closed);
}

TEST_F(SessionTest, OneBadChannelDoesNotHarmTheOthers) {
  OfferNoSlots();
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":1,"channels":["a..b","good","good"]})");
  const auto messages = client.Take();
  ASSERT_THAT(messages, SizeIs(3));
  EXPECT_EQ(CodeOf(messages[0]), "bad_channel");
  EXPECT_THAT(messages[0], HasSubstr(R"("channel":"a..b")"));
  EXPECT_THAT(messages[1], HasSubstr(R"("type":"subscribed","id":1,"channel":"good")"));
  EXPECT_EQ(CodeOf(messages[2]), "already_subscribed");
}

TEST_F(SessionTest, CommandsOff) {
  EndpointOptions options = Open();
  options.commands = false;
  Build(options);
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":1,"channels":["a"]})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("id":1,"code":"commands_disabled")"));
  client.Says(R"({"type":"unsubscribe","channels":["a"]})");
  EXPECT_EQ(CodeOf(client.TakeOne()), "commands_disabled");
  client.Says(R"({"type":"ping","id":3})");
  EXPECT_EQ(client.TakeOne(), R"({"type":"pong","id":3,"time":1767225600000})");
  client.Says(R"({"type":"pong"})");
  EXPECT_THAT(client.Take(), IsEmpty());
  EXPECT_THAT(upstream_.added, IsEmpty());
}

TEST_F(SessionTest, TooManyBadMessagesEndTheConnection) {
  Build(Open());
  Client client = Connect();
  for (int i = 0; i < 15; ++i) client.Says("nope");
  EXPECT_FALSE(client.transport->closed);
  clock_.Advance(seconds(61));  // forgiven
  for (int i = 0; i < 15; ++i) client.Says("nope");
  EXPECT_FALSE(client.transport->closed);
  client.Says("nope");
  EXPECT_TRUE(client.transport->closed);
  EXPECT_EQ(client.transport->close_code, 4004);
  EXPECT_EQ(counters_.misuse_closes.Value(), 1u);
  client.Take();
  client.Says(R"({"type":"ping"})");
  EXPECT_THAT(client.Take(), IsEmpty());
}

TEST_F(SessionTest, MessageRate) {
  context_.limits.messages = Rate::Of(10, seconds(1), 3);
  Build(Open());
  Client client = Connect();
  const auto answer = [&] {
    client.Says(R"({"type":"ping"})");
    const std::string message = client.TakeOne();
    return message.find("pong") != std::string::npos ? "pong" : CodeOf(message);
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(answer(), "pong");
  EXPECT_EQ(answer(), "rate_limited");
  clock_.Advance(milliseconds(99));
  EXPECT_EQ(answer(), "rate_limited");
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(answer(), "pong");
  EXPECT_EQ(answer(), "rate_limited");
  clock_.Advance(seconds(10));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(answer(), "pong");
  EXPECT_EQ(answer(), "rate_limited");
  EXPECT_EQ(counters_.rate_limited.Value(), 4u);
}

TEST_F(SessionTest, ASilencedHelloIsNotSent) {
  OfferNoSlots();
  UseEnvelope({{"connected", ""}, {"subscribed", ""}, {"event", R"([{type},{data}])"}});
  EndpointOptions options = Open();
  options.subscribe = {"a"};
  Build(options);
  Client client = Connect(RequestOf({}));
  EXPECT_THAT(client.Take(), IsEmpty());
  const Ref<EdgeEvent> event = EventOf("a", 0, "5", kNoSlot);
  EXPECT_EQ(hub_.DeliverEphemeral(*event), 1u);
  EXPECT_EQ(client.TakeOne(), R"(["tick",5])");
}

TEST_F(SessionTest, AnswersAboutAChannelGoUnderItsTraits) {
  OfferNoSlots();
  Build(Open());
  Client client = Connect();
  const auto traits_of_last = [&] { return client.transport->sent_traits.back(); };
  EXPECT_EQ(traits_of_last(), nullptr);  // connected
  client.Says(R"({"type":"subscribe","channels":["a"]})");
  const ChannelTraits* traits = hub_.TraitsOf("a");
  ASSERT_NE(traits, nullptr);
  EXPECT_EQ(traits_of_last(), traits);
  client.Says(R"({"type":"ping"})");
  EXPECT_EQ(traits_of_last(), nullptr);
  client.Says(R"({"type":"unsubscribe","channels":["a"]})");
  EXPECT_EQ(traits_of_last(), traits);  // alive to the end of the turn
  EXPECT_EQ(hub_.TraitsOf("a"), nullptr);
}

TEST_F(SessionTest, TellsWhatItsClientWasTooSlowFor) {
  OfferSlot("a", false);
  Build(Open());
  Client client = Connect();
  client.Says(R"({"type":"subscribe","channels":["a"]})");
  const ChannelTraits* traits = hub_.TraitsOf("a");
  const auto gap = [&](const LostEvents& lost) {
    return std::string(client.session->EncodeGap(*traits, lost)->payload());
  };
  EXPECT_EQ(gap({.slot = 3, .from = 7, .to = 9, .count = 2}),
            R"({"type":"gap","channel":"a","slot":3,"source":"ticks/0@0","from":7,"to":9,)"
            R"("reason":"slow"})");
  EXPECT_EQ(gap({.slot = kNoSlot, .count = 4}),
            R"({"type":"gap","channel":"a","count":4,"reason":"slow"})");
  // The slot left the catalogue meanwhile.
  EXPECT_EQ(gap({.slot = 8, .from = 7, .to = 9, .count = 2}),
            R"({"type":"gap","channel":"a","slot":8,"from":7,"to":9,"reason":"slow"})");
}

}  // namespace
}  // namespace spillway::edge
