#include "tools/load/dialect.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"

namespace spillway::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Dialect::Kind;

std::unique_ptr<Dialect> Get(std::string_view name) { return *MakeDialect(name); }

TEST(DialectTest, AnUnknownNameIsAnsweredWithTheOthers) {
  const auto dialect = MakeDialect("xml");
  ASSERT_FALSE(dialect.ok());
  EXPECT_THAT(std::string(dialect.status().message()), HasSubstr("assessment"));
}

TEST(DialectTest, JsonSubscribesToAHundredChannelsAtATime) {
  std::vector<std::string> channels;
  for (int i = 0; i < 201; ++i) channels.push_back(absl::StrCat("c\"", i));
  const std::vector<std::string> messages = Get("json")->Hello(channels);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[2], R"({"type":"subscribe","channels":["c\"200"]})");
  EXPECT_THAT(Get("json")->Hello({}), ElementsAre());
  EXPECT_EQ(Get("json")->answers(201), 201u);
}

TEST(DialectTest, JsonKnowsMessagesByTheirType) {
  const auto json = Get("json");
  EXPECT_EQ(json->Classify(R"({"type":"connected","connection":"a"})"), Kind::kConnected);
  EXPECT_EQ(json->Classify(R"({"type":"subscribed","channel":"c"})"), Kind::kSubscribed);
  EXPECT_EQ(json->Classify(R"({"type":"gap","channel":"c"})"), Kind::kGap);
  EXPECT_EQ(json->Classify(R"({"type":"ping","time":1})"), Kind::kPing);
  EXPECT_EQ(json->Classify(R"({"type":"error","code":"bad"})"), Kind::kError);
  EXPECT_EQ(json->Classify(R"({"type":"checkpoint"})"), Kind::kPosition);
  EXPECT_EQ(json->Classify(""), Kind::kOther);
  // A snapshot's events are not events of their own.
  EXPECT_FALSE(std::string_view(R"({"type":"snapshot","ch)").starts_with(json->event_prefix()));
}

TEST(DialectTest, JsonPublishesAndReadsTheAnswer) {
  const auto json = Get("json");
  EXPECT_EQ(json->Publish("c\"", "{}", 7),
            R"({"type":"publish","id":7,"channel":"c\"","data":{}})");
  EXPECT_TRUE(json->answers_publications());
  const auto published = json->ReadPublishAnswer(R"({"type":"published","id":12,"channel":"c"})");
  ASSERT_TRUE(published.has_value());
  EXPECT_EQ(published->id, 12u);
  EXPECT_TRUE(published->published);
  const auto refused = json->ReadPublishAnswer(R"({"type":"error","id":13,"code":"publish_busy"})");
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->id, 13u);
  EXPECT_FALSE(refused->published);
  EXPECT_FALSE(json->ReadPublishAnswer(R"({"type":"error","code":"bad_json"})").has_value());
  EXPECT_FALSE(json->ReadPublishAnswer(R"({"type":"event","id":13})").has_value());
}

TEST(DialectTest, AssessmentSaysNothingAndWaitsForTheGreeting) {
  const auto assessment = Get("assessment");
  EXPECT_THAT(assessment->Hello({"a"}), ElementsAre());
  EXPECT_EQ(assessment->answers(1), 0u);
  EXPECT_TRUE(assessment->greets());
  EXPECT_EQ(assessment->event_prefix(), "");
  EXPECT_EQ(assessment->Publish("a", "{}", 7), "");
}

TEST(DialectTest, CentrifugoSpeaksInLines) {
  const auto centrifugo = Get("centrifugo");
  EXPECT_TRUE(centrifugo->lines());
  EXPECT_THAT(centrifugo->Hello({"a"}),
              ElementsAre("{\"id\":1,\"connect\":{}}\n"
                          "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}"));
  EXPECT_EQ(centrifugo->Classify(R"({"id":1,"connect":{"client":"x"}})"), Kind::kConnected);
  EXPECT_EQ(centrifugo->Classify(R"({"id":2,"subscribe":{}})"), Kind::kSubscribed);
  EXPECT_EQ(centrifugo->Classify(R"({"id":2,"error":{"code":1}})"), Kind::kError);
  EXPECT_EQ(centrifugo->Classify("{}"), Kind::kPing);
  EXPECT_EQ(centrifugo->pong(), "{}");
  EXPECT_EQ(centrifugo->Publish("a", "[1]", 7), R"({"id":1,"publish":{"channel":"a","data":[1]}})");
}

TEST(DialectTest, RawIsNothingButPayloads) {
  const auto raw = Get("raw");
  EXPECT_THAT(raw->Hello({"a", "b"}), ElementsAre("sub a", "sub b"));
  EXPECT_EQ(raw->Classify("subscribed"), Kind::kSubscribed);
  EXPECT_EQ(raw->Publish("a", "{}", 7), "pub a\n{}");
}

}  // namespace
}  // namespace spillway::load
