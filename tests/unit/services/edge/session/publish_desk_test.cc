#include "services/edge/session/publish_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/edge/session/publish_data.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/services/edge/session/fake_publisher.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Listener final : public PublishListener {
 public:
  void OnPublished(const PublishReceipt& receipt, const PublishAnswer& answer) override {
    told.push_back(std::to_string(receipt.id.value_or(-1)) + " " +
                   std::string(kPublishOutcomeNames[static_cast<size_t>(answer.outcome)]));
  }
  std::vector<std::string> told;
};

class PublishDeskTest : public ::testing::Test {
 protected:
  // How it was refused; "" if it was taken.
  std::string Take(uint64_t ticket, int64_t id, const std::string& channel,
                   const std::string& data = "1", const std::string& user = "u1") {
    Publication publication;
    publication.target = &target_;
    publication.channel = channel;
    publication.user_id = user;
    publication.data = data;
    const auto refused =
        desk_.Take(ticket, {.id = id, .channel = channel, .durable = true}, std::move(publication));
    return refused.has_value() ? std::string(kPublishOutcomeNames[static_cast<size_t>(*refused)])
                               : "";
  }
  uint64_t CountOf(PublishOutcome outcome) {
    return counters_.publishes[static_cast<size_t>(outcome)].Value();
  }
  // The oldest call comes to its end.
  void Answer(PublishOutcome outcome) {
    publisher_.Answer({.outcome = outcome});
    mailbox_.Run();
  }

  const PublishTarget target_{.topic = "t"};
  test::FakeClock clock_;
  FakePublisher publisher_;
  FakeMailbox mailbox_;
  PublishBounds bounds_{6, 1000};
  SessionCounters counters_;
  PublishDesk desk_{{.connection = 4, .batch_bytes = 60},
                    publisher_,
                    bounds_,
                    clock_,
                    counters_,
                    mailbox_.post()};
  Listener first_;
  Listener second_;
  uint64_t a_ = desk_.Enter(&first_);
  uint64_t b_ = desk_.Enter(&second_);
};

TEST_F(PublishDeskTest, IsAnsweredInAnotherTurn) {
  EXPECT_EQ(Take(a_, 7, "chat"), "");
  ASSERT_EQ(publisher_.calls.size(), 1);
  EXPECT_THAT(publisher_.Asked(), ElementsAre("chat 1"));
  publisher_.Answer({.outcome = PublishOutcome::kPublished});
  EXPECT_THAT(first_.told, IsEmpty());
  mailbox_.Run();
  EXPECT_THAT(first_.told, ElementsAre("7 published"));
  EXPECT_EQ(bounds_.count(), 0);
  EXPECT_EQ(bounds_.bytes(), 0);
  EXPECT_EQ(CountOf(PublishOutcome::kPublished), 1);
}

// One call at a time for a client and channel; what gathers meanwhile goes together, in order.
TEST_F(PublishDeskTest, WhatOneClientPublishesToAChannelKeepsItsOrder) {
  for (int64_t id = 0; id < 4; ++id) EXPECT_EQ(Take(a_, id, "chat", std::to_string(id)), "");
  ASSERT_EQ(publisher_.calls.size(), 1);
  EXPECT_THAT(publisher_.Asked(), ElementsAre("chat 0"));
  Answer(PublishOutcome::kPublished);
  ASSERT_EQ(publisher_.calls.size(), 1);
  EXPECT_THAT(publisher_.Asked(), ElementsAre("chat 1", "chat 2", "chat 3"));
  Answer(PublishOutcome::kBusy);
  EXPECT_THAT(first_.told, ElementsAre("0 published", "1 busy", "2 busy", "3 busy"));
  EXPECT_TRUE(publisher_.calls.empty());
}

TEST_F(PublishDeskTest, ChannelsAndClientsDoNotWaitForEachOther) {
  EXPECT_EQ(Take(a_, 1, "chat"), "");
  EXPECT_EQ(Take(a_, 2, "other"), "");
  EXPECT_EQ(Take(b_, 3, "chat"), "");
  EXPECT_EQ(publisher_.calls.size(), 3);
}

// A retry, on whatever node, comes to the ingest that knows of the first time.
TEST_F(PublishDeskTest, TheSameUserAndChannelHaveTheSamePlace) {
  Take(a_, 1, "chat");
  Take(b_, 2, "chat");
  Take(b_, 3, "chat2");
  EXPECT_EQ(publisher_.calls[0].place, publisher_.calls[1].place);
  EXPECT_NE(publisher_.calls[0].place, publisher_.calls[2].place);
}

TEST_F(PublishDeskTest, ACallHasItsBound) {
  Take(a_, 0, "chat");
  const std::string large(20, 'x');
  for (int64_t id = 1; id < 4; ++id) Take(a_, id, "chat", large);
  Answer(PublishOutcome::kPublished);
  EXPECT_EQ(publisher_.Asked().size(), 2);
  Answer(PublishOutcome::kPublished);
  EXPECT_EQ(publisher_.Asked().size(), 1);
}

// Ingests take so many of a call and no more.
TEST(PublishDeskBatchTest, ACallHasItsBoundOfNumber) {
  const PublishTarget target{.topic = "t"};
  test::FakeClock clock;
  FakePublisher publisher;
  FakeMailbox mailbox;
  PublishBounds bounds(1000, 1'000'000);
  SessionCounters counters;
  PublishDesk desk({.connection = 100}, publisher, bounds, clock, counters, mailbox.post());
  Listener listener;
  const uint64_t ticket = desk.Enter(&listener);
  for (int64_t id = 0; id < 40; ++id) {
    Publication publication;
    publication.target = &target;
    publication.channel = "chat";
    publication.data = std::to_string(id);
    ASSERT_EQ(desk.Take(ticket, {.id = id, .channel = "chat"}, std::move(publication)),
              std::nullopt);
  }
  std::vector<size_t> sizes;
  while (!publisher.calls.empty()) {
    sizes.push_back(publisher.Asked().size());
    publisher.Answer({.outcome = PublishOutcome::kPublished});
    mailbox.Run();
  }
  EXPECT_THAT(sizes, ElementsAre(1, 16, 16, 7));
  ASSERT_EQ(listener.told.size(), 40);
  for (int id = 0; id < 40; ++id) {
    EXPECT_EQ(listener.told[static_cast<size_t>(id)], std::to_string(id) + " published");
  }
}

TEST_F(PublishDeskTest, AConnectionHasItsBound) {
  for (int64_t id = 0; id < 4; ++id) EXPECT_EQ(Take(a_, id, "chat"), "");
  EXPECT_EQ(Take(a_, 4, "other"), "too_many");
  EXPECT_EQ(Take(b_, 5, "chat"), "");
  Answer(PublishOutcome::kPublished);
  EXPECT_EQ(Take(a_, 6, "chat"), "");
  EXPECT_EQ(Take(a_, 7, "chat"), "too_many");
}

TEST_F(PublishDeskTest, TheNodeHasItsBounds) {
  for (int64_t id = 0; id < 3; ++id) EXPECT_EQ(Take(a_, id, "chat"), "");
  for (int64_t id = 3; id < 6; ++id) EXPECT_EQ(Take(b_, id, "chat"), "");
  EXPECT_EQ(Take(b_, 6, "chat"), "too_many_node");
  Answer(PublishOutcome::kUnknown);
  EXPECT_EQ(Take(b_, 7, "chat"), "");
  EXPECT_EQ(Take(b_, 8, "chat", std::string(2000, 'x')), "too_many");
}

TEST_F(PublishDeskTest, BytesOfTheNodeHaveTheirBound) {
  EXPECT_EQ(Take(a_, 0, "chat", std::string(2000, 'x')), "") << "one alone";
  EXPECT_EQ(Take(b_, 1, "chat"), "too_many_node");
  Answer(PublishOutcome::kTooLarge);
  EXPECT_EQ(Take(b_, 2, "chat"), "");
}

// Its answer finds nobody; what was not asked yet is not published.
TEST_F(PublishDeskTest, AClientThatIsGoneIsNotLookedFor) {
  for (int64_t id = 0; id < 3; ++id) Take(a_, id, "chat");
  publisher_.Answer({.outcome = PublishOutcome::kPublished});
  desk_.Leave(a_, /*tell=*/false);
  desk_.Leave(a_, /*tell=*/false);
  mailbox_.Run();
  EXPECT_TRUE(publisher_.calls.empty());
  EXPECT_THAT(first_.told, IsEmpty());
  EXPECT_EQ(bounds_.count(), 0);
  EXPECT_EQ(bounds_.bytes(), 0);
  EXPECT_EQ(CountOf(PublishOutcome::kPublished), 1);
  EXPECT_EQ(CountOf(PublishOutcome::kLeft), 2);
  EXPECT_EQ(desk_.clients(), 1);
  EXPECT_EQ(Take(a_, 9, "chat"), "unavailable");
}

TEST_F(PublishDeskTest, WhoeverIsLetGoOfIsToldOfAllThatIsNotAnswered) {
  for (int64_t id = 0; id < 3; ++id) Take(a_, id, "chat");
  desk_.Leave(a_, /*tell=*/true);
  EXPECT_THAT(first_.told, ElementsAre("0 unknown", "1 unavailable", "2 unavailable"));
  Answer(PublishOutcome::kPublished);
  EXPECT_EQ(first_.told.size(), 3);
  EXPECT_EQ(bounds_.count(), 0);
}

TEST_F(PublishDeskTest, ANodeThatStopsTakesNothing) {
  Take(a_, 0, "chat");
  bounds_.Shut();
  EXPECT_EQ(Take(a_, 1, "chat"), "unavailable");
  Answer(PublishOutcome::kPublished);
  EXPECT_THAT(first_.told, ElementsAre("0 published"));
}

TEST(WithUserTest, SaysWhoPublishedIt) {
  EXPECT_EQ(WithUser(R"({})", "from", "u1"), R"({"from":"u1"})");
  EXPECT_EQ(WithUser(R"({ "text":"hi"})", "from", "u1"), R"({ "text":"hi","from":"u1"})");
  EXPECT_EQ(WithUser(R"({"a":{"b":"}"} })", "from", "u1"), R"({"a":{"b":"}"} ,"from":"u1"})");
  EXPECT_EQ(WithUser(R"({"text":"hi"})", "from", ""), R"({"text":"hi","from":null})");
  EXPECT_EQ(WithUser(R"({})", "from", "a\"b\n"), R"({"from":"a\"b\n"})");
}

TEST(WithUserTest, NobodySpeaksForAnother) {
  EXPECT_EQ(WithUser(R"({"from":"u2"})", "from", "u1"), std::nullopt);
  EXPECT_EQ(WithUser(R"({"text":"hi","\u0066rom":"u2"})", "from", "u1"), std::nullopt);
  // Some readers take these for one, and of several the last.
  EXPECT_EQ(WithUser(R"({"From":"u2"})", "from", "u1"), std::nullopt);
  EXPECT_EQ(WithUser(R"({"text":"hi","FROM":"u2"})", "from", "u1"), std::nullopt);
  EXPECT_EQ(WithUser(R"({"from":"u2"})", "From", "u1"), std::nullopt);
  for (const char* other : {"[]", "7", "null", R"("{}")", "", "{"}) {
    EXPECT_EQ(WithUser(other, "from", "u1"), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace spillway::edge
