// How often a subscription is sent to: by the channel's setting, by the client's word, and changed
// while subscribed.

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SessionFrequency : public SessionTest {
 protected:
  void Batch(int64_t offset, std::string_view payload, std::string_view channel = "price:BTC") {
    wire::EventView view;
    view.channels.push_back(channel);
    view.offset = offset;
    view.type = "tick";
    view.key = "BTC";
    view.payload = payload;
    view.encoding = 1;
    EdgeBatch batch;
    batch.events.push_back(EdgeEvent::Make(view, 3));
    batch.progress.push_back({3, offset, 0});
    hub_.OnBatch(batch, clock_.Now());
  }
  void Tick(std::chrono::milliseconds time) {
    clock_.Advance(time);
    hub_.Tick(clock_.Now());
  }
  // Where events are of interest: payloads only.
  void BuildWithShortEvents(std::vector<ChannelRule> rules = {}) {
    UseEnvelope({{"event", "{data}"}, {"checkpoint", ""}});
    Build(Open(), std::move(rules));
    OfferSlot("**", false);
  }
  Client Subscribed(std::string_view command) {
    Client client = Connect();
    client.Says(command);
    hub_.OnInterest("price:BTC", 3, -1, clock_.Now());
    return client;
  }
};

TEST_F(SessionFrequency, TheClientSaysHowOften) {
  BuildWithShortEvents();
  Client client =
      Subscribed(R"({"type":"subscribe","id":1,"channels":["price:BTC"],"frequency":"low"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("snapshot":false,"frequency":"low","position":)"));
  Tick(std::chrono::milliseconds(0));
  Batch(1, "1");
  Batch(2, "2");
  EXPECT_THAT(client.Take(), IsEmpty());
  Tick(std::chrono::milliseconds(1'000));
  EXPECT_THAT(client.Take(), ElementsAre("2"));
}

TEST_F(SessionFrequency, TheChannelsSettingCountsOtherwise) {
  BuildWithShortEvents({{.pattern = "price:*",
                         .access = ChannelAccess::kAnyone,
                         .allow = "",
                         .frequency = Frequency::kBackground}});
  Client quiet = Subscribed(R"({"type":"subscribe","channels":["price:BTC"]})");
  EXPECT_THAT(quiet.TakeOne(), HasSubstr(R"("frequency":"background")"));
  Client loud = Subscribed(R"({"type":"subscribe","channels":["price:BTC"],"frequency":"high"})");
  EXPECT_THAT(loud.TakeOne(), ::testing::Not(HasSubstr("frequency")));
  Tick(std::chrono::milliseconds(0));
  Batch(1, "1");
  EXPECT_THAT(quiet.Take(), IsEmpty());
  EXPECT_THAT(loud.Take(), ElementsAre("1"));
  Tick(std::chrono::milliseconds(5'000));
  EXPECT_THAT(quiet.Take(), ElementsAre("1"));
}

TEST_F(SessionFrequency, TheEndpointsOwnChannelsHaveTheSetting) {
  EndpointOptions options = Open();
  options.subscribe = {"price:BTC"};
  Build(options, {{.pattern = "price:*",
                   .access = ChannelAccess::kServer,
                   .allow = "",
                   .frequency = Frequency::kNormal,
                   .fixed_frequency = true}});
  OfferNoSlots();
  Client client = Connect(RequestOf({}));
  EXPECT_THAT(client.Take(), ElementsAre(HasSubstr("connected"), HasSubstr("\"normal\"")));
}

TEST_F(SessionFrequency, ChangesWhileSubscribed) {
  BuildWithShortEvents();
  Client client = Subscribed(R"({"type":"subscribe","channels":["price:BTC"]})");
  client.Take();
  Tick(std::chrono::milliseconds(0));
  Batch(1, "1");
  EXPECT_THAT(client.Take(), ElementsAre("1"));
  client.Says(R"({"type":"update","id":5,"channels":["price:BTC"],"frequency":"normal"})");
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"updated","id":5,"channel":"price:BTC","frequency":"normal"})");
  Batch(2, "2");
  Batch(3, "3");
  EXPECT_THAT(client.Take(), IsEmpty());
  // What was held comes before the answer, and everything after it at once.
  client.Says(R"({"type":"update","channels":["price:BTC"],"frequency":"high"})");
  EXPECT_THAT(client.Take(),
              ElementsAre("3", R"({"type":"updated","channel":"price:BTC","frequency":"high"})"));
  Batch(4, "4");
  EXPECT_THAT(client.Take(), ElementsAre("4"));
  Tick(std::chrono::milliseconds(1'000));
  EXPECT_THAT(client.Take(), IsEmpty());
}

TEST_F(SessionFrequency, AChannelMayHaveOneForAll) {
  BuildWithShortEvents({{.pattern = "fill:*",
                         .access = ChannelAccess::kAnyone,
                         .allow = "",
                         .fixed_frequency = true}});
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":1,"channels":["fill:a"],"frequency":"low"})");
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"error","id":1,"code":"frequency_fixed",)"
            R"("message":"the channel's frequency is high for everyone: leave 'frequency' out",)"
            R"("channel":"fill:a"})");
  EXPECT_EQ(hub_.subscription_count(), 0u);
  client.Says(R"({"type":"subscribe","id":1,"channels":["fill:a"],"frequency":"high"})");
  hub_.OnInterest("fill:a", 3, -1, clock_.Now());
  EXPECT_THAT(client.TakeOne(), HasSubstr("subscribed"));
  client.Says(R"({"type":"update","id":2,"channels":["fill:a"],"frequency":"background"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("id":2,"code":"frequency_fixed")"));
}

TEST_F(SessionFrequency, OneBadChannelDoesNotHarmTheOthers) {
  BuildWithShortEvents();
  Client client = Subscribed(R"({"type":"subscribe","channels":["price:BTC"]})");
  client.Take();
  client.Says(R"({"type":"update","id":3,"channels":["a","price:BTC"],"frequency":"low"})");
  EXPECT_THAT(client.Take(),
              ElementsAre(HasSubstr(R"("id":3,"code":"not_subscribed")"),
                          R"({"type":"updated","id":3,"channel":"price:BTC","frequency":"low"})"));
  client.Says(R"({"type":"update","id":4,"channels":["price:BTC"],"frequency":"never"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("id":4,"code":"bad_frequency")"));
}

TEST_F(SessionFrequency, NotWhereCommandsAreOff) {
  EndpointOptions options = Open();
  options.commands = false;
  options.subscribe = {"price:BTC"};
  Build(options);
  OfferNoSlots();
  Client client = Connect();
  client.Says(R"({"type":"update","channels":["price:BTC"],"frequency":"low"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("commands_disabled"));
}

}  // namespace
}  // namespace spillway::edge
