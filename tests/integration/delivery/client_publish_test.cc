// Clients that publish: edges, ingests and a mock broker in one process, with real sockets and real
// gRPC between them.

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/support/jwt_factory.h"

namespace spillway::test {
namespace {

using testing::HasSubstr;

constexpr char kSecret[] = "a-secret-of-the-tests-32-bytes-long";
constexpr char kRoutes[] =
    "  routes:\n"
    "    - name: chat\n"
    "      topics: [chat]\n"
    "      idempotency_window: 1000\n"
    "      emit:\n"
    "        - channels: ['chat:{header.spillway_rest}']\n"
    "          type: said\n"
    "          key: '{header.spillway_key}'\n";

class ClientPublishTest : public EdgeTest {
 protected:
  ClientPublishTest() {
    ingest::EmbeddedBroker::Options options;
    options.topics = {{"chat", 4}, {"notes", 1}};
    broker_ = *ingest::EmbeddedBroker::Start(options);
    endpoints_ = absl::StrCat("{path: /ws, auth: {required: false, secret: '", kSecret, "'}}");
    channels_ =
        "{pattern: 'chat:*', access: anyone, publish: {access: authenticated, topic: chat,"
        " user_member: from}},"
        "{pattern: 'open:*', access: anyone, publish: {access: anyone, topic: chat,"
        " user_member: from}},"
        "{pattern: 'typing', access: anyone, publish: {access: anyone, event: typing,"
        " user_member: from}},"
        "{pattern: 'user:**', allow: 'user:{sub}:**', publish: {access: authenticated}},"
        "{pattern: 'lost', access: anyone, publish: {access: anyone, topic: not-there}},"
        "{pattern: '**', access: anyone}";
  }

  void StartIngest(const std::string& more = "") {
    ingests_.push_back(std::make_unique<ingest::TestIngest>(*broker_, absl::StrCat(kRoutes, more)));
  }
  void Start(const std::string& more = "") {
    std::string addresses;
    for (const auto& ingest : ingests_) {
      absl::StrAppend(&addresses, addresses.empty() ? "" : ",", ingest->grpc());
    }
    StartEdge(addresses, more);
    ASSERT_TRUE(WaitForLinks(ingests_.size()));
  }
  bool WaitForLinks(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      size_t linked = 0;
      for (const auto& link : edge_->upstream().status().upstream->links) {
        linked += link.interest_in_force ? 1 : 0;
      }
      size_t up = 0;
      for (const auto& ingest : edge_->upstream().status().ingests) up += ingest.up ? 1 : 0;
      if (linked == count && up == count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "no links";
    return false;
  }
  // A client with a token of this user; "": without one.
  void ConnectAs(const std::string& user, BeastClient& client) {
    ConnectWith(user.empty() ? "" : UserToken(kSecret, user, 4'000'000'000), client);
  }
  void ConnectWith(const std::string& token, BeastClient& client) {
    BeastClient::Options options;
    options.path = "/ws";
    if (!token.empty()) options.path += "?token=" + token;
    ASSERT_TRUE(client.Connect(static_cast<uint16_t>(edge_->public_port()), options))
        << client.body();
    ASSERT_THAT(client.Receive().payload, HasSubstr(R"("type":"connected")"));
  }
  static void Publish(BeastClient& client, int id, const std::string& channel,
                      const std::string& data, const std::string& more = "") {
    client.Send(absl::StrCat(R"({"type":"publish","id":)", id, R"(,"channel":")", channel,
                             R"(","data":)", data, more, "}"));
  }
  // Waits until all that the client sent was taken; the event that came meanwhile.
  static std::string Settle(BeastClient& client) {
    std::string event;
    client.Send(R"({"type":"ping"})");
    for (;;) {
      const ClientResult result = client.Receive();
      if (!result.ok || absl::StrContains(result.payload, R"("type":"pong")")) return event;
      if (absl::StrContains(result.payload, R"("type":"event")")) event = result.payload;
    }
  }
  // The next message that is an answer to a publish, or an error.
  static std::string Answer(BeastClient& client) {
    for (;;) {
      const ClientResult result = client.Receive();
      if (!result.ok || absl::StrContains(result.payload, R"("type":"published")") ||
          absl::StrContains(result.payload, R"("type":"error")")) {
        return result.payload;
      }
    }
  }

  std::unique_ptr<ingest::EmbeddedBroker> broker_;
  std::vector<std::unique_ptr<ingest::TestIngest>> ingests_;
};

TEST_F(ClientPublishTest, WhatOneClientPublishesTheOtherReceives) {
  StartIngest();
  Start();
  BeastClient ada;
  BeastClient bob;
  ConnectAs("ada", ada);
  ConnectAs("bob", bob);
  Subscribe(bob, "chat:42");
  Publish(ada, 7, "chat:42", R"({"text":"hi"})", R"(,"key":"k")");
  const std::string answer = Answer(ada);
  EXPECT_THAT(answer, HasSubstr(R"({"type":"published","id":7,"channel":"chat:42","durable":true,)"
                                R"("partition":"chat/)"));
  const std::string event = Event(bob);
  EXPECT_THAT(event, HasSubstr(R"("channel":"chat:42","event":"said")"));
  EXPECT_THAT(event, HasSubstr(R"("key":"k","data":{"text":"hi","from":"ada"})"));
}

TEST_F(ClientPublishTest, EphemeralOnesGoStraightThere) {
  StartIngest();
  Start();
  BeastClient ada;
  BeastClient bob;
  ConnectAs("ada", ada);
  ConnectAs("", bob);
  Subscribe(bob, "typing");
  // Ephemeral events come to those whose interest the ingest has heard of.
  std::string event;
  for (int id = 1; event.empty(); ++id) {
    ASSERT_LT(id, 200);
    Publish(ada, id, "typing", "{}");
    EXPECT_EQ(Answer(ada), absl::StrCat(R"({"type":"published","id":)", id,
                                        R"(,"channel":"typing","durable":false})"));
    event = Settle(bob);
  }
  EXPECT_THAT(event, HasSubstr(R"("event":"typing","ephemeral":true)"));
  EXPECT_THAT(event, HasSubstr(R"("data":{"from":"ada"})"));
  Publish(bob, 1, "typing", "{}");
  EXPECT_THAT(Answer(bob), HasSubstr(R"("type":"published")")) << "anyone may";
}

TEST_F(ClientPublishTest, RulesDecide) {
  StartIngest();
  Start();
  BeastClient ada;
  BeastClient nobody;
  ConnectAs("ada", ada);
  ConnectAs("", nobody);
  int id = 0;
  for (const char* channel : {"user:bob:notes", "news", "user:ada"}) {
    Publish(ada, ++id, channel, "1");
    EXPECT_THAT(Answer(ada),
                HasSubstr(absl::StrCat(R"("id":)", id, R"(,"code":"publish_not_allowed")")))
        << channel;
  }
  Publish(ada, 9, "user:ada:notes", "1");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("type":"published","id":9)"));
  Publish(nobody, 1, "chat:42", "1");
  EXPECT_THAT(Answer(nobody), HasSubstr("publish_not_allowed"));
  const std::string metrics = Get(edge_->ops_port(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_publishes_total{outcome=\"not_allowed\"} 4"));
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_publishes_total{outcome=\"published\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_publishes_in_flight 0"));
}

// The route sends on what the edge has written: who has no name is nobody, and nobody else.
TEST_F(ClientPublishTest, WhoHasNoNameSpeaksForNobody) {
  StartIngest();
  Start();
  BeastClient nobody;
  BeastClient nameless;
  BeastClient bob;
  ConnectAs("", nobody);
  ConnectWith(SignedToken(kSecret, R"({"exp":4000000000})"), nameless);
  ConnectAs("bob", bob);
  Subscribe(bob, "chat:42");
  int id = 0;
  for (BeastClient* client : {&nobody, &nameless}) {
    for (const char* forged :
         {R"({"from":"ada"})", R"({"From":"ada"})", R"({"\u0066rom":"ada"})"}) {
      Publish(*client, ++id, "open:42", forged);
      EXPECT_THAT(Answer(*client),
                  HasSubstr(absl::StrCat(R"("id":)", id, R"(,"code":"publish_bad_data")")))
          << forged;
    }
    Publish(*client, 99, "open:42", R"({"n":1})");
    EXPECT_THAT(Answer(*client), HasSubstr(R"("type":"published","id":99,)"));
    EXPECT_THAT(Event(bob), HasSubstr(R"("data":{"n":1,"from":null})"));
  }
}

// By an order of the client's own, whatever partition they are in.
TEST_F(ClientPublishTest, AClientsEventsOnAChannelKeepTheirOrder) {
  StartIngest();
  StartIngest();
  Start("  publish: {connection_in_flight: 500}\n");
  BeastClient ada;
  BeastClient bob;
  ConnectAs("ada", ada);
  ConnectAs("bob", bob);
  Subscribe(bob, "chat:1");
  constexpr int kEvents = 300;
  for (int n = 0; n < kEvents; ++n) {
    Publish(ada, n, "chat:1", absl::StrCat(R"({"n":)", n, "}"),
            absl::StrCat(R"(,"key":"k)", n % 7, "\""));
  }
  for (int n = 0; n < kEvents; ++n) {
    ASSERT_THAT(Answer(ada), HasSubstr(absl::StrCat(R"("type":"published","id":)", n, ",")));
  }
  for (int n = 0; n < kEvents; ++n) {
    ASSERT_THAT(Event(bob), HasSubstr(absl::StrCat(R"({"n":)", n, ",")));
  }
}

TEST_F(ClientPublishTest, ARepeatIsToldAndSentOnce) {
  StartIngest();
  StartIngest();
  Start();
  BeastClient ada;
  BeastClient again;
  BeastClient other;
  BeastClient bob;
  ConnectAs("ada", ada);
  ConnectAs("ada", again);
  ConnectAs("mallory", other);
  ConnectAs("bob", bob);
  Subscribe(bob, "chat:1");
  constexpr char kKey[] = R"(,"idempotency_key":"order-1")";
  Publish(ada, 1, "chat:1", R"({"n":1})", kKey);
  const std::string first = Answer(ada);
  EXPECT_THAT(first, testing::Not(HasSubstr("duplicate")));
  Publish(again, 1, "chat:1", R"({"n":1})", kKey);
  const std::string second = Answer(again);
  EXPECT_THAT(second, HasSubstr(R"("duplicate":true)"));
  EXPECT_EQ(second.substr(second.find("\"partition\"")), first.substr(first.find("\"partition\"")));
  // Another user's key of the same name is another one: nobody's event is held back by it.
  Publish(other, 1, "chat:1", R"({"n":2})", kKey);
  EXPECT_THAT(Answer(other), testing::Not(HasSubstr("duplicate")));
  EXPECT_THAT(Event(bob), HasSubstr(R"({"n":1,"from":"ada"})"));
  EXPECT_THAT(Event(bob), HasSubstr(R"({"n":2,"from":"mallory"})"));
}

TEST_F(ClientPublishTest, WhatKafkaRefusesIsToldWithoutItsNames) {
  StartIngest();
  broker_->SetTopicError("not-there", 3);  // UNKNOWN_TOPIC_OR_PARTITION
  Start();
  BeastClient ada;
  ConnectAs("ada", ada);
  Publish(ada, 1, "lost", "1");
  const std::string answer = Answer(ada);
  EXPECT_THAT(answer, HasSubstr(R"("type":"error","id":1,"code":"publish_)"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("not-there")));
}

// No word of Kafka within its time: nobody knows.
TEST_F(ClientPublishTest, WhileKafkaIsAwayNothingIsCalledPublished) {
  StartIngest("  publish: {timeout: 300ms}\n");
  Start();
  BeastClient ada;
  ConnectAs("ada", ada);
  broker_->SetDown();
  Publish(ada, 1, "chat:1", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":1,"code":"publish_outcome_unknown")"));
  broker_->SetUp();
}

TEST_F(ClientPublishTest, WithoutAnIngestNothingIsPublished) {
  StartIngest();
  Start();
  BeastClient ada;
  ConnectAs("ada", ada);
  ingests_.clear();
  ASSERT_TRUE(WaitForLinks(0));
  Publish(ada, 1, "chat:1", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":1,"code":"publish_unavailable")"));
}

// One of two ends: what has a key goes by the other.
TEST_F(ClientPublishTest, AnotherIngestTakesOver) {
  StartIngest();
  StartIngest();
  Start();
  BeastClient ada;
  BeastClient bob;
  ConnectAs("ada", ada);
  ConnectAs("bob", bob);
  Subscribe(bob, "chat:1");
  int published = 0;
  for (int n = 0; n < 40; ++n) {
    if (n == 20) ingests_[0].reset();
    Publish(ada, n, "chat:1", absl::StrCat(R"({"n":)", n, "}"),
            absl::StrCat(R"(,"idempotency_key":"k)", n, "\""));
    const std::string answer = Answer(ada);
    if (absl::StrContains(answer, R"("type":"published")")) ++published;
    EXPECT_TRUE(absl::StrContains(answer, R"("type":"published")")) << answer;
  }
  for (int n = 0; n < published; ++n) {
    ASSERT_THAT(Event(bob), HasSubstr(absl::StrCat(R"({"n":)", n, ",")));
  }
}

TEST_F(ClientPublishTest, TheBoundOfAConnectionIsTold) {
  StartIngest("  publish: {timeout: 500ms}\n");
  Start("  publish: {connection_in_flight: 2}\n");
  BeastClient ada;
  ConnectAs("ada", ada);
  broker_->SetDown();
  for (int id = 0; id < 3; ++id) Publish(ada, id, "chat:1", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":2,"code":"too_many_publishes")"));
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":0,"code":"publish_outcome_unknown")"));
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":1,"code":"publish_outcome_unknown")"));
  broker_->SetUp();
}

TEST_F(ClientPublishTest, ClientsThatGoMeanwhileHarmNobody) {
  StartIngest("  publish: {timeout: 300ms}\n");
  Start();
  broker_->SetDown();
  for (int i = 0; i < 20; ++i) {
    BeastClient ada;
    ConnectAs("ada", ada);
    for (int id = 0; id < 5; ++id) Publish(ada, id, absl::StrCat("chat:", id), "{}");
    Settle(ada);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!absl::StrContains(Get(edge_->ops_port(), "/metrics"),
                            "spillway_edge_publishes_in_flight 0")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  broker_->SetUp();
}

TEST_F(ClientPublishTest, AnEdgeThatStopsTellsWhatItDoesNotKnow) {
  StartIngest("  publish: {timeout: 30s}\n");
  Start("  publish: {timeout: 60s}\n  drain: {spread: 0s}\n");
  BeastClient ada;
  ConnectAs("ada", ada);
  broker_->SetDown();
  Publish(ada, 1, "chat:1", "{}");
  Settle(ada);
  edge_->Stop(std::chrono::seconds(1));
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":1,"code":"publish_outcome_unknown")"));
  broker_->SetUp();
}

TEST_F(ClientPublishTest, AnEdgeIsAPublisherLikeOthersToIngests) {
  StartIngest(
      "  publish: {callers: [{name: edges, bearer_token: for-edges, topics: [notes],"
      " channels: [typing]}]}\n");
  Start("  publish: {bearer_token: for-edges}\n");
  BeastClient ada;
  ConnectAs("ada", ada);
  Publish(ada, 1, "typing", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("type":"published","id":1)"));
  Publish(ada, 2, "chat:1", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":2,"code":"publish_failed")"));
  Publish(ada, 3, "user:ada:x", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":3,"code":"publish_failed")"));
}

TEST_F(ClientPublishTest, AnEdgePresentsTheTokenOfItsFile) {
  StartIngest("  publish: {bearer_token: for-publishers}\n");
  Start(absl::StrCat("  publish: {token_file: '", dir_.Write("token", "for-publishers"), "'}\n"));
  BeastClient ada;
  ConnectAs("ada", ada);
  Publish(ada, 1, "typing", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("type":"published","id":1)"));
}

TEST_F(ClientPublishTest, AnEdgeWithoutCredentialsPublishesNothing) {
  StartIngest("  publish: {bearer_token: for-publishers}\n");
  Start();
  BeastClient ada;
  ConnectAs("ada", ada);
  Publish(ada, 1, "typing", "{}");
  EXPECT_THAT(Answer(ada), HasSubstr(R"("id":1,"code":"publish_failed")"));
}

}  // namespace
}  // namespace spillway::test
