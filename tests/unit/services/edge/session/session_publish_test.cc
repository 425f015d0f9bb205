// What a client publishes: commands, answers, and what ends them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/services/edge/session/denials.h"
#include "tests/unit/services/edge/session/fake_publisher.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SessionPublishTest : public SessionTest {
 protected:
  SessionPublishTest() {
    context_.publishes = &desk_;
    context_.events = &denials_;
  }
  static PublishRule By(ChannelAccess access) { return {.access = access}; }
  void BuildRules(std::vector<ChannelRule> rules, EndpointOptions options = Open()) {
    Build(std::move(options), std::move(rules));
  }
  // Anybody may publish to chat, durably, and to typing, ephemerally.
  void BuildOpen() {
    BuildRules({{.pattern = "chat*",
                 .access = ChannelAccess::kAnyone,
                 .publish = PublishRule{.access = ChannelAccess::kAnyone,
                                        .target = {.topic = "messages"}}},
                {.pattern = "typing",
                 .access = ChannelAccess::kServer,
                 .publish = By(ChannelAccess::kAnyone)}});
  }
  Client As(const std::string& user) {
    Client client = Connect(RequestOf({{"token", Token(user)}}));
    client.Take();
    return client;
  }
  void Answer(const PublishAnswer& answer) {
    publisher_.Answer(answer);
    mailbox_.Run();
  }

  FakePublisher publisher_;
  FakeMailbox mailbox_;
  PublishBounds bounds_{100, 1 << 20};
  PublishDesk desk_{{.connection = 2}, publisher_, bounds_, clock_, counters_, mailbox_.post()};
  Denials denials_;
};

TEST_F(SessionPublishTest, GoesOutAsItCameAndIsAnswered) {
  BuildOpen();
  Client client = As("u1");
  client.Says(R"({"type":"publish","id":7,"channel":"chat42","key":"k","idempotency_key":"i",)"
              R"("data": {"price":1.10, "list":[ 1 ]} })");
  EXPECT_THAT(client.Take(), IsEmpty());
  ASSERT_EQ(publisher_.calls.size(), 1);
  const Publication& asked = publisher_.calls[0].batch->front();
  EXPECT_EQ(asked.channel, "chat42");
  EXPECT_EQ(asked.rest, "42");
  EXPECT_EQ(asked.user_id, "u1");
  EXPECT_EQ(asked.connection, client.session->id());
  EXPECT_EQ(asked.key, "k");
  EXPECT_EQ(asked.idempotency_key, "i");
  EXPECT_EQ(asked.data, R"({"price":1.10, "list":[ 1 ]})");
  EXPECT_EQ(asked.target->topic, "messages");
  Answer({.outcome = PublishOutcome::kPublished, .topic = "messages", .partition = 3, .offset = 9});
  EXPECT_EQ(client.TakeOne(), R"({"type":"published","id":7,"channel":"chat42","durable":true,)"
                              R"("partition":"messages/3","offset":9})");
}

TEST_F(SessionPublishTest, ADuplicateIsToldAsOne) {
  BuildOpen();
  Client client = Connect();
  client.Says(R"({"type":"publish","channel":"chat1","data":1})");
  Answer({.outcome = PublishOutcome::kPublished, .duplicate = true, .topic = "messages"});
  EXPECT_EQ(client.TakeOne(),
            R"({"type":"published","channel":"chat1","durable":true,"duplicate":true,)"
            R"("partition":"messages/0","offset":0})");
  EXPECT_EQ(counters_.publish_duplicates.Value(), 1);
}

// Where it stands is told to those who may read there.
TEST_F(SessionPublishTest, WhereItIsIsForReaders) {
  BuildRules({{.pattern = "inbox",
               .access = ChannelAccess::kServer,
               .publish = PublishRule{.access = ChannelAccess::kAnyone,
                                      .target = {.topic = "secret-topic"}}}});
  Client client = Connect();
  client.Says(R"({"type":"publish","id":1,"channel":"inbox","data":1})");
  Answer({.outcome = PublishOutcome::kPublished, .topic = "secret-topic", .offset = 9});
  EXPECT_EQ(client.TakeOne(), R"({"type":"published","id":1,"channel":"inbox","durable":true})");
}

TEST_F(SessionPublishTest, EphemeralOnesHaveNoPlace) {
  BuildOpen();
  Client client = Connect();
  client.Says(R"({"type":"publish","id":1,"channel":"typing","data":null})");
  Answer({.outcome = PublishOutcome::kPublished});
  EXPECT_EQ(client.TakeOne(), R"({"type":"published","id":1,"channel":"typing","durable":false})");
}

TEST_F(SessionPublishTest, WhatNoRuleAllowsIsRefusedAndTold) {
  BuildRules({{.pattern = "user:**",
               .allow = "user:{sub}:**",
               .publish = By(ChannelAccess::kAuthenticated)},
              {.pattern = "news", .access = ChannelAccess::kAnyone}},
             [] {
               EndpointOptions options = Open();
               return options;
             }());
  Client client = As("u1");
  for (const char* channel : {"user:u2:notes", "news", "other", "user:u1x:notes"}) {
    client.Says(std::string(R"({"type":"publish","id":3,"data":1,"channel":")") + channel + "\"}");
    EXPECT_THAT(client.TakeOne(), HasSubstr(R"("id":3,"code":"publish_not_allowed")")) << channel;
  }
  EXPECT_TRUE(publisher_.calls.empty());
  EXPECT_EQ(denials_.all.size(), 4);
  EXPECT_EQ(denials_.all[0], "u1 publish_refused publish_not_allowed user:u2:notes");
  EXPECT_EQ(counters_.publishes[static_cast<size_t>(PublishOutcome::kNotAllowed)].Value(), 4);
  Client nobody = Connect();
  nobody.Says(R"({"type":"publish","channel":"user:u1:notes","data":1})");
  EXPECT_THAT(nobody.TakeOne(), HasSubstr("publish_not_allowed"));
  client.Says(R"({"type":"publish","channel":"user:u1:notes","data":1})");
  EXPECT_EQ(publisher_.calls.size(), 1);
}

TEST_F(SessionPublishTest, APatternIsNoChannel) {
  BuildRules({{.pattern = "**",
               .access = ChannelAccess::kAnyone,
               .patterns = true,
               .publish = By(ChannelAccess::kAnyone)}});
  Client client = Connect();
  for (const char* name : {"chat*", "**", "", "a..b"}) {
    client.Says(std::string(R"({"type":"publish","data":1,"channel":")") + name + "\"}");
    EXPECT_THAT(client.TakeOne(), HasSubstr("bad_channel")) << name;
  }
  client.Says(R"({"type":"publish","data":1,"channel":"a\u0000b"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("bad_channel"));
  EXPECT_TRUE(publisher_.calls.empty());
}

TEST_F(SessionPublishTest, AnEndpointWithoutCommandsTakesNothing) {
  EndpointOptions options = Open();
  options.commands = false;
  BuildRules({{.pattern = "**", .publish = By(ChannelAccess::kAnyone)}}, std::move(options));
  Client client = Connect();
  client.Says(R"({"type":"publish","id":1,"channel":"chat1","data":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("commands_disabled"));
}

TEST_F(SessionPublishTest, ErrorsHaveCodes) {
  BuildOpen();
  Client client = Connect();
  const std::vector<std::pair<PublishOutcome, std::string>> codes = {
      {PublishOutcome::kBusy, "publish_busy"},
      {PublishOutcome::kUnavailable, "publish_unavailable"},
      {PublishOutcome::kFailed, "publish_failed"},
      {PublishOutcome::kTooLarge, "publish_too_large"},
      {PublishOutcome::kUnknown, "publish_outcome_unknown"}};
  for (const auto& [outcome, code] : codes) {
    client.Says(R"({"type":"publish","id":1,"channel":"chat1","data":1})");
    Answer({.outcome = outcome});
    EXPECT_THAT(client.TakeOne(), HasSubstr(R"({"type":"error","id":1,"code":")" + code + "\""));
  }
}

TEST_F(SessionPublishTest, TheConnectionsBoundIsTold) {
  BuildOpen();
  Client client = Connect();
  for (int i = 0; i < 3; ++i)
    client.Says(R"({"type":"publish","id":1,"channel":"chat1","data":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("too_many_publishes"));
  EXPECT_EQ(counters_.publishes[static_cast<size_t>(PublishOutcome::kTooMany)].Value(), 1);
}

TEST_F(SessionPublishTest, RatesOfTheRuleAndOfTheUser) {
  const Rate once = Rate::Of(1, std::chrono::minutes(1), 0);
  ConnectionLimits::Options limits;
  limits.users.publishes = Rate::Of(2, std::chrono::minutes(1), 0);
  limits.users.channel_rates = 1;
  limits_ = std::make_unique<ConnectionLimits>(limits, clock_);
  BuildRules({{.pattern = "slow",
               .publish = PublishRule{.access = ChannelAccess::kAuthenticated, .rate = once}},
              {.pattern = "fast", .publish = By(ChannelAccess::kAuthenticated)}});
  Client client = As("u1");
  Client again = As("u1");
  client.Says(R"({"type":"publish","channel":"slow","data":1})");
  EXPECT_THAT(client.Take(), IsEmpty());
  again.Says(R"({"type":"publish","id":5,"channel":"slow","data":1})");
  EXPECT_THAT(again.TakeOne(), HasSubstr(R"("id":5,"code":"publish_rate_limited")"));
  again.Says(R"({"type":"publish","channel":"fast","data":1})");
  EXPECT_THAT(again.Take(), IsEmpty());
  client.Says(R"({"type":"publish","channel":"fast","data":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("publish_rate_limited"));
}

TEST_F(SessionPublishTest, TheEdgeSaysWhoItWas) {
  BuildRules({{.pattern = "chat1",
               .publish = PublishRule{.access = ChannelAccess::kAuthenticated,
                                      .target = {.user_member = "from"}}}});
  Client client = As("u1");
  client.Says(R"({"type":"publish","channel":"chat1","data":{"from":"u2"}})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("publish_bad_data"));
  client.Says(R"({"type":"publish","channel":"chat1","data":"text"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("publish_bad_data"));
  client.Says(R"({"type":"publish","channel":"chat1","data":{"text":"hi"}})");
  ASSERT_EQ(publisher_.calls.size(), 1);
  EXPECT_EQ(publisher_.calls[0].batch->front().data, R"({"text":"hi","from":"u1"})");
}

TEST_F(SessionPublishTest, AClientThatGoesMeanwhileIsForgotten) {
  BuildOpen();
  {
    Client client = Connect();
    client.Says(R"({"type":"publish","id":1,"channel":"chat1","data":1})");
    client.session->OnClosed(1006, "");
  }
  Answer({.outcome = PublishOutcome::kPublished});
  EXPECT_EQ(bounds_.count(), 0);
  EXPECT_EQ(desk_.clients(), 0);
}

TEST_F(SessionPublishTest, WhoIsSentAwayIsToldBeforeTheEnd) {
  BuildOpen();
  Client client = Connect();
  client.Says(R"({"type":"publish","id":1,"channel":"chat1","data":1})");
  client.Says(R"({"type":"publish","id":2,"channel":"chat1","data":1})");
  client.session->Close(1001, "bye");
  EXPECT_THAT(client.Take(), ElementsAre(HasSubstr(R"("id":1,"code":"publish_outcome_unknown")"),
                                         HasSubstr(R"("id":2,"code":"publish_unavailable")")));
  EXPECT_TRUE(client.transport->closed);
  Answer({.outcome = PublishOutcome::kPublished});
  EXPECT_TRUE(publisher_.calls.empty());
}

// Without any rule for it a node has no desk.
TEST_F(SessionPublishTest, ANodeWithoutADeskRefuses) {
  context_.publishes = nullptr;
  BuildOpen();
  Client client = Connect();
  client.Says(R"({"type":"publish","id":1,"channel":"chat1","data":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("publish_not_allowed"));
}

}  // namespace
}  // namespace spillway::edge
