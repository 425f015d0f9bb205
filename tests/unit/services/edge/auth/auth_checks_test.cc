#include "services/edge/auth/auth_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = AuthVerdict::Kind;

class AuthChecksTest : public ::testing::Test {
 protected:
  AuthChecksTest() {
    options_.max_calls = 2;
    options_.max_waiting = 5;
    options_.breaker = {.failures = 2, .pause = seconds(10)};
  }

  void Build() {
    auto checks = AuthChecks::Create(
        options_, "a key", clock_,
        [this](uint64_t number, std::string body, milliseconds timeout) {
          EXPECT_EQ(timeout, options_.timeout);
          calls_.emplace_back(number, std::move(body));
        },
        // As a worker would, at once.
        [](size_t, const AuthWaitRef& wait, const AuthVerdictRef& verdict) {
          wait->Tell(*verdict);
        });
    ASSERT_TRUE(checks.ok()) << checks.status();
    checks_ = *std::move(checks);
  }

  static const char* NameOf(Kind kind) {
    switch (kind) {
      case Kind::kAllowed:
        return "allowed";
      case Kind::kRefused:
        return "refused";
      case Kind::kUnavailable:
        return "unavailable";
      case Kind::kBusy:
        return "busy";
    }
    return "";
  }
  // The verdict where there is one at once; later ones are in told_.
  std::string Ask(const std::string& token, const std::string& correlation_id = "") {
    waits_.push_back(std::make_shared<AuthWait>([this, token](const AuthVerdict& verdict) {
      told_.push_back(token + " " + NameOf(verdict.kind));
      retry_after_ = verdict.retry_after;
    }));
    const AuthVerdictRef known =
        checks_->Ask({.token = token, .correlation_id = correlation_id}, 0, waits_.back());
    if (known != nullptr) retry_after_ = known->retry_after;
    return known == nullptr ? "" : NameOf(known->kind);
  }
  // Of the oldest call.
  void Answer(const std::string& body, long status = 200) {
    ASSERT_FALSE(calls_.empty());
    const uint64_t number = calls_.front().first;
    calls_.erase(calls_.begin());
    checks_->OnAnswer(number, ParseAuthAnswer(status, body));
  }
  void Allow() { Answer(R"({"allowed":true})"); }
  void Refuse() { Answer(R"({"allowed":false})"); }
  void Fail() { Answer("", 500); }
  std::vector<std::string> Told() { return std::exchange(told_, {}); }
  uint64_t Outcomes(AuthOutcome outcome) {
    return checks_->status().outcomes[static_cast<size_t>(outcome)];
  }

  test::FakeClock clock_;
  AuthChecks::Options options_;
  std::unique_ptr<AuthChecks> checks_;
  std::vector<std::pair<uint64_t, std::string>> calls_;
  std::vector<AuthWaitRef> waits_;
  std::vector<std::string> told_;
  milliseconds retry_after_{0};
};

TEST_F(AuthChecksTest, AsksAndRemembersForATime) {
  Build();
  EXPECT_EQ(Ask("good", "c1"), "");
  ASSERT_EQ(calls_.size(), 1u);
  EXPECT_EQ(calls_[0].second, R"({"token":"good","correlation_id":"c1"})");
  clock_.Advance(milliseconds(100));
  Allow();
  EXPECT_THAT(Told(), ElementsAre("good allowed"));
  EXPECT_EQ(Ask("good", "c2"), "allowed");
  EXPECT_EQ(Ask("other"), "");
  Refuse();
  EXPECT_THAT(Told(), ElementsAre("other refused"));
  EXPECT_EQ(Ask("other"), "refused");
  clock_.Advance(seconds(5));
  EXPECT_EQ(Ask("other"), "");  // refusals are remembered for less long
  EXPECT_EQ(Ask("good"), "allowed");
  Allow();
  clock_.Advance(seconds(25));
  EXPECT_EQ(Ask("good"), "");
  EXPECT_EQ(Outcomes(AuthOutcome::kAllowed), 2u);
  EXPECT_EQ(Outcomes(AuthOutcome::kRefused), 1u);
  EXPECT_EQ(Outcomes(AuthOutcome::kCached), 3u);
  EXPECT_EQ(checks_->latency().sum(), 0.1);
}

TEST_F(AuthChecksTest, AnAnswerMayCountForLess) {
  Build();
  const int64_t now = ToUnixMillis(clock_.WallNow()) / 1000;
  Ask("a");
  Answer(R"({"allowed":true,"expires_at":)" + std::to_string(now + 3) + "}");
  EXPECT_EQ(Ask("a"), "allowed");
  clock_.Advance(seconds(3));
  EXPECT_EQ(Ask("a"), "");
  Answer(R"({"allowed":true,"max_age":0})");
  EXPECT_EQ(Ask("a"), "");
  Answer(R"({"allowed":true,"max_age":2})");
  EXPECT_EQ(Ask("a"), "allowed");
  clock_.Advance(seconds(2));
  EXPECT_EQ(Ask("a"), "");
  Answer(R"({"allowed":true,"expires_at":1})");  // it has ended
  EXPECT_EQ(checks_->status().cached, 0u);
}

TEST_F(AuthChecksTest, WithoutATimeNothingIsRemembered) {
  options_.cache_ttl = options_.refusal_ttl = milliseconds(0);
  Build();
  Ask("a");
  Allow();
  EXPECT_EQ(Ask("a"), "");
  Refuse();
  EXPECT_EQ(Ask("a"), "");
  EXPECT_EQ(checks_->status().cached, 0u);
}

TEST_F(AuthChecksTest, TheSameQuestionIsPutOnce) {
  Build();
  EXPECT_EQ(Ask("a", "c1"), "");
  EXPECT_EQ(Ask("a", "c2"), "");
  EXPECT_EQ(Ask("b"), "");
  EXPECT_EQ(calls_.size(), 2u);
  EXPECT_EQ(checks_->status().waiting, 3u);
  Allow();
  EXPECT_THAT(Told(), ElementsAre("a allowed", "a allowed"));
  EXPECT_EQ(checks_->status().waiting, 1u);
  Fail();
  EXPECT_THAT(Told(), ElementsAre("b unavailable"));
  EXPECT_EQ(Ask("b"), "");  // a failure is no answer
  EXPECT_EQ(Outcomes(AuthOutcome::kJoined), 1u);
}

TEST_F(AuthChecksTest, FurtherQuestionsWaitInOrderUpToABound) {
  Build();
  for (const char* token : {"a", "b", "c", "d", "e"}) EXPECT_EQ(Ask(token), "");
  EXPECT_EQ(calls_.size(), 2u);
  EXPECT_EQ(Ask("f"), "busy");
  EXPECT_EQ(Ask("a"), "busy");  // to join is to wait, too
  EXPECT_EQ(checks_->status().calls, 2u);
  EXPECT_EQ(checks_->status().waiting, 5u);
  Allow();
  EXPECT_EQ(Ask("a"), "allowed");  // what is known is for everyone
  ASSERT_EQ(calls_.size(), 2u);
  EXPECT_THAT(calls_[1].second, HasSubstr("\"c\""));
  Allow();
  Allow();
  Allow();
  Allow();
  EXPECT_THAT(Told(), ElementsAre("a allowed", "b allowed", "c allowed", "d allowed", "e allowed"));
  EXPECT_EQ(checks_->status().waiting, 0u);
  EXPECT_EQ(checks_->status().calls, 0u);
  EXPECT_EQ(Outcomes(AuthOutcome::kBusy), 2u);
}

TEST_F(AuthChecksTest, NobodyWaitsForLongerThanACall) {
  Build();
  for (const char* token : {"a", "b", "late"}) Ask(token);
  clock_.Advance(options_.timeout - milliseconds(1));
  Ask("later");
  clock_.Advance(milliseconds(1));
  Allow();
  EXPECT_THAT(Told(), ElementsAre("a allowed", "late busy"));
  EXPECT_THAT(calls_.back().second, HasSubstr("\"later\""));
  EXPECT_EQ(Outcomes(AuthOutcome::kLate), 1u);
  EXPECT_EQ(checks_->status().breaker, Breaker::State::kClosed);
}

TEST_F(AuthChecksTest, WhoHasGoneIsNotAskedAboutAndNotTold) {
  Build();
  for (const char* token : {"a", "b", "gone", "one", "one"}) Ask(token);
  waits_[2]->Cancel();
  waits_[3]->Cancel();  // the other one of them still waits
  waits_[0]->Cancel();  // its call is under way
  Allow();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_THAT(calls_.back().second, HasSubstr("\"one\""));
  EXPECT_EQ(Ask("a"), "allowed");  // and what it brought is known
  Allow();
  Allow();
  EXPECT_THAT(Told(), ElementsAre("b allowed", "one allowed"));
  EXPECT_EQ(Outcomes(AuthOutcome::kAbandoned), 1u);
  EXPECT_EQ(checks_->status().waiting, 0u);
}

TEST_F(AuthChecksTest, WhoHasGoneKeepsNobodyOut) {
  Build();
  for (int i = 0; i < 5; ++i) {
    Ask("slow");
    waits_.back()->Cancel();
  }
  EXPECT_EQ(Ask("other"), "");
  EXPECT_EQ(checks_->status().waiting, 1u);
  Allow();
  Allow();
  EXPECT_THAT(Told(), ElementsAre("other allowed"));
  EXPECT_EQ(checks_->status().waiting, 0u);
}

TEST_F(AuthChecksTest, WhoHasLeftIsToldOfARefusalAlone) {
  Build();
  for (const bool allowed : {true, false}) {
    Ask(allowed ? "good" : "bad");
    waits_.back()->Leave([this](const AuthVerdict& verdict) {
      told_.push_back(std::string("left ") + NameOf(verdict.kind));
    });
    allowed ? Allow() : Refuse();
  }
  EXPECT_THAT(Told(), ElementsAre("left refused"));
}

TEST_F(AuthChecksTest, RefusalsPushOutNothingThatAllows) {
  options_.cache.entries = 8;
  Build();
  Ask("good");
  Allow();
  for (int i = 0; i < 20; ++i) {
    Ask("bad" + std::to_string(i));
    Refuse();
  }
  EXPECT_EQ(Ask("good"), "allowed");
  EXPECT_EQ(Ask("bad19"), "refused");
  EXPECT_EQ(checks_->status().evictions, 19u);
}

TEST_F(AuthChecksTest, ARefusalMaySayForHowLongItCounts) {
  Build();
  Ask("a");
  Answer(R"({"allowed":false,"max_age":0})");
  EXPECT_EQ(Ask("a"), "");
  Answer(R"({"max_age":1})", 403);
  EXPECT_EQ(Ask("a"), "refused");
  clock_.Advance(seconds(1));
  EXPECT_EQ(Ask("a"), "");
}

TEST_F(AuthChecksTest, AServiceThatFailsIsLeftAloneForAWhile) {
  Build();
  Ask("known");
  Allow();
  for (const char* token : {"a", "b", "begun", "queued"}) Ask(token);
  Fail();
  EXPECT_THAT(Told(), ElementsAre("known allowed", "a unavailable"));
  Fail();
  // What had yet to be asked has its answer with it.
  EXPECT_THAT(Told(), ElementsAre("b unavailable", "queued unavailable"));
  EXPECT_EQ(retry_after_, seconds(10));
  EXPECT_EQ(checks_->status().calls, 1u);  // had begun before
  clock_.Advance(seconds(4));
  EXPECT_EQ(Ask("c"), "unavailable");
  EXPECT_EQ(retry_after_, seconds(6));
  EXPECT_EQ(Ask("known"), "allowed");
  EXPECT_EQ(checks_->status().breaker, Breaker::State::kOpen);
  EXPECT_EQ(checks_->status().breaker_openings, 1u);

  // One question decides.
  clock_.Advance(seconds(6));
  calls_.clear();
  EXPECT_EQ(Ask("d"), "");
  EXPECT_EQ(checks_->status().breaker, Breaker::State::kProbing);
  EXPECT_EQ(Ask("e"), "unavailable");
  EXPECT_EQ(Ask("d"), "");
  Fail();
  EXPECT_THAT(Told(), ElementsAre("d unavailable", "d unavailable"));
  EXPECT_EQ(checks_->status().breaker_openings, 2u);
  EXPECT_EQ(Ask("d"), "unavailable");
  clock_.Advance(seconds(10));
  EXPECT_EQ(Ask("d"), "");
  Allow();
  EXPECT_EQ(Ask("e"), "");
  EXPECT_EQ(checks_->status().breaker, Breaker::State::kClosed);
  EXPECT_EQ(Outcomes(AuthOutcome::kLeftAlone), 3u);
}

TEST_F(AuthChecksTest, OneThatIsBusyIsNotTakenForAProbe) {
  options_.max_waiting = 1;
  options_.max_calls = 1;
  options_.breaker.failures = 1;
  Build();
  Ask("a");
  Fail();
  clock_.Advance(seconds(10));
  EXPECT_EQ(Ask("b"), "");
  EXPECT_EQ(Ask("c"), "busy");
  Fail();
  clock_.Advance(seconds(10));
  EXPECT_EQ(Ask("b"), "");
  Allow();
  EXPECT_EQ(checks_->status().breaker, Breaker::State::kClosed);
}

TEST_F(AuthChecksTest, AnAnswerThatNobodyAskedForCountsForNothing) {
  Build();
  checks_->OnAnswer(7, ParseAuthAnswer(200, R"({"allowed":true})"));
  EXPECT_EQ(checks_->status().calls, 0u);
  EXPECT_EQ(Outcomes(AuthOutcome::kAllowed), 0u);
}

}  // namespace
}  // namespace spillway::edge
