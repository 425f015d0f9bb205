// A node that stops lets its clients go one after the other.

#include "services/edge/session/hand_over.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "services/edge/session/session.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

class HandOverTest : public SessionTest {
 protected:
  void SetUp() override {
    Build(SessionTest::Open());
    hand_over_ = std::make_unique<HandOver>(registry_, wheel_, clock_);
  }
  void Join(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      clients_.push_back(Connect(RequestOf({})));
      clients_.back().Take();
    }
  }
  size_t Closed() const {
    return static_cast<size_t>(std::count_if(clients_.begin(), clients_.end(),
                                             [](const Client& c) { return c.transport->closed; }));
  }

  std::vector<Client> clients_;
  std::unique_ptr<HandOver> hand_over_;
};

TEST_F(HandOverTest, ClosesEvenlyAndTellsBefore) {
  Join(10);
  hand_over_->Begin({.spread = seconds(1), .addresses = {"edge-2:8080", "edge-3:8080"}});
  std::vector<std::string> told;
  for (Client& client : clients_) told.push_back(client.TakeOne());
  EXPECT_THAT(told, Each(AllOf(HasSubstr(R"("type":"moving")"), HasSubstr(R"("address":"edge-)"))));
  EXPECT_THAT(told, testing::Contains(HasSubstr(R"("within_ms":100,)")));
  EXPECT_THAT(told, testing::Contains(HasSubstr(R"("within_ms":1000,)")));
  EXPECT_THAT(told, testing::Contains(HasSubstr("edge-3")));
  EXPECT_EQ(Closed(), 0u);
  Pass(milliseconds(520));
  EXPECT_EQ(Closed(), 5u);
  EXPECT_FALSE(hand_over_->done());
  Pass(milliseconds(520));
  EXPECT_EQ(Closed(), 10u);
  EXPECT_TRUE(hand_over_->done());
  for (const Client& client : clients_) EXPECT_EQ(client.transport->close_code, 1001);
}

TEST_F(HandOverTest, WhereNobodyElseIsKnownItTellsNoAddress) {
  Join(1);
  hand_over_->Begin({.spread = seconds(1), .addresses = {}});
  EXPECT_EQ(clients_[0].TakeOne(), R"({"type":"moving","within_ms":1000})");
}

TEST_F(HandOverTest, WhoGoesByHimselfIsNotWaitedFor) {
  Join(3);
  hand_over_->Begin({.spread = seconds(1), .addresses = {}});
  for (Client& client : clients_) client.session->OnClosed(1000, "bye");
  Pass(seconds(2));
  EXPECT_TRUE(hand_over_->done());
}

TEST_F(HandOverTest, WithoutSessionsItIsDoneAtOnce) {
  hand_over_->Begin({.spread = seconds(1), .addresses = {}});
  EXPECT_TRUE(hand_over_->done());
}

// It was let in before, and said only now who it is.
TEST_F(HandOverTest, WhoComesLaterGoesToo) {
  Join(1);
  hand_over_->Begin({.spread = seconds(1), .addresses = {"edge-2:8080"}});
  Pass(seconds(2));
  Join(1);
  Pass(seconds(1));
  EXPECT_EQ(clients_[1].TakeOne(), R"({"type":"moving","within_ms":0,"address":"edge-2:8080"})");
  EXPECT_EQ(Closed(), 2u);
}

TEST_F(HandOverTest, TakenBackThoseWhoAreThereStayAndAreTold) {
  Join(4);
  hand_over_->Begin({.spread = seconds(1), .addresses = {}});
  for (Client& client : clients_) client.Take();
  Pass(milliseconds(520));
  ASSERT_EQ(Closed(), 2u);
  hand_over_->Cancel();
  EXPECT_FALSE(hand_over_->done());
  size_t told = 0;
  for (Client& client : clients_) {
    if (client.transport->closed) continue;
    EXPECT_EQ(client.TakeOne(), R"({"type":"staying"})");
    ++told;
  }
  EXPECT_EQ(told, 2u);
  Pass(seconds(10));
  EXPECT_EQ(Closed(), 2u);
  hand_over_->Begin({.spread = seconds(1), .addresses = {}});
  Pass(seconds(2));
  EXPECT_EQ(Closed(), 4u) << "and once more";
}

TEST_F(HandOverTest, TakenBackWhileItIsTakenBackItGoesOn) {
  Join(800);
  hand_over_->Begin({.spread = seconds(100), .addresses = {}});
  Pass(milliseconds(100));
  for (Client& client : clients_) client.Take();
  hand_over_->Cancel();
  hand_over_->Cancel();
  Pass(milliseconds(100));
  size_t told = 0;
  for (Client& client : clients_) {
    if (client.transport->closed) continue;
    EXPECT_EQ(client.Take(), std::vector<std::string>{R"({"type":"staying"})"});
    ++told;
  }
  EXPECT_GT(told, 700u);
}

TEST_F(HandOverTest, TakenBackAfterItWasBegunAnewAllAreTold) {
  Join(800);
  hand_over_->Begin({.spread = seconds(100), .addresses = {}});
  Pass(milliseconds(100));
  for (Client& client : clients_) client.Take();
  hand_over_->Begin({.spread = seconds(200), .addresses = {}});
  hand_over_->Cancel();
  Pass(milliseconds(200));
  for (Client& client : clients_) {
    if (client.transport->closed) continue;
    const std::vector<std::string> told = client.Take();
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), R"({"type":"staying"})");
  }
}

TEST_F(HandOverTest, TakenBackWhenAllHaveGoneItLooksForNobody) {
  hand_over_->Begin({.spread = seconds(1), .addresses = {}});
  hand_over_->Cancel();
  Join(1);
  Pass(seconds(5));
  EXPECT_EQ(Closed(), 0u);
}

TEST_F(HandOverTest, BegunAnewItGoesByTheNewTime) {
  Join(10);
  hand_over_->Begin({.spread = seconds(100), .addresses = {}});
  Pass(seconds(1));
  hand_over_->Begin({.spread = seconds(1), .addresses = {}, .reason = "soon"});
  Pass(seconds(2));
  EXPECT_EQ(Closed(), 10u);
  EXPECT_TRUE(hand_over_->done());
}

}  // namespace
}  // namespace spillway::edge
