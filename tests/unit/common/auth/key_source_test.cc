#include "common/auth/key_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/auth/jwt.h"
#include "common/auth/key_refresher.h"
#include "common/log/log.h"
#include "tests/support/fake_clock.h"
#include "tests/support/signing_key.h"

namespace spillway::auth {
namespace {

using std::chrono::seconds;
using test::KeySetOf;
using test::SigningKey;
using Kind = SigningKey::Kind;

// A source by address whose answer is set by the test, without a thread.
class KeySourceTest : public testing::Test {
 protected:
  KeySourceTest() {
    log::Options options;
    options.sink = [this](std::string_view line) { lines_.emplace_back(line); };
    log::Init(options);
    verifier_ = *JwtVerifier::Create(
        {.secrets = {}, .issuer = {}, .audience = {}, .issuers = {{{}, {}, source_}}}, clock_);
  }
  ~KeySourceTest() override { log::Init({}); }

  JwtError Verify(const SigningKey& key, std::string_view kid) {
    return verifier_->Verify(key.Token("ES256", R"({"sub":"u1"})", kid)).error;
  }

  std::vector<std::string> lines_;
  test::FakeClock clock_;
  absl::StatusOr<std::string> answer_ = absl::UnavailableError("nobody there");
  int fetches_ = 0;
  std::shared_ptr<KeySource> source_ = std::make_shared<KeySource>(
      KeySource::Options{.name = "https://issuer/keys",
                         .remote = true,
                         .refresh = seconds(300),
                         .retry = seconds(10)},
      [this] {
        ++fetches_;
        return answer_;
      },
      clock_);
  KeyRefresher refresher_{{source_.get()}, clock_};
  std::unique_ptr<JwtVerifier> verifier_;
};

TEST_F(KeySourceTest, IsLoadedAtOnceAndAtIntervals) {
  const SigningKey key(Kind::kP256);
  answer_ = KeySetOf({key.Jwk("a")});
  EXPECT_EQ(source_->Current(), nullptr);
  EXPECT_EQ(refresher_.RunDue(), clock_.Now() + seconds(300));
  EXPECT_EQ(Verify(key, "a"), JwtError::kNone);
  const auto before = source_->Current();
  clock_.Advance(seconds(299));
  refresher_.RunDue();
  EXPECT_EQ(fetches_, 1);
  EXPECT_EQ(source_->status().age, seconds(299));
  clock_.Advance(seconds(1));
  refresher_.RunDue();
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(source_->Current(), before);  // the same text: nothing was made anew
  EXPECT_EQ(source_->status().loads, 2u);
  EXPECT_EQ(source_->status().keys, 1u);
  EXPECT_EQ(source_->status().age, seconds(0));
}

TEST_F(KeySourceTest, WithoutKeysATokenIsToTryAgain) {
  const SigningKey key(Kind::kP256);
  EXPECT_EQ(Verify(key, "a"), JwtError::kKeysUnavailable);
  EXPECT_EQ(refresher_.RunDue(), clock_.Now() + seconds(10));
  EXPECT_EQ(Verify(key, "a"), JwtError::kKeysUnavailable);
  EXPECT_EQ(Verify(key, ""), JwtError::kKeysUnavailable);
  EXPECT_EQ(source_->status().error, "nobody there");
  EXPECT_EQ(source_->status().failures, 1u);
  answer_ = KeySetOf({key.Jwk("a")});
  clock_.Advance(seconds(10));
  refresher_.RunDue();
  EXPECT_EQ(Verify(key, "a"), JwtError::kNone);
}

TEST_F(KeySourceTest, OldKeysStayWhileTheAddressIsDown) {
  const SigningKey key(Kind::kP256);
  answer_ = KeySetOf({key.Jwk("a")});
  refresher_.RunDue();
  lines_.clear();
  for (const absl::StatusOr<std::string>& broken :
       {absl::StatusOr<std::string>(absl::UnavailableError("down")),
        absl::StatusOr<std::string>("<html>"), absl::StatusOr<std::string>("<html>"),
        absl::StatusOr<std::string>(R"({"keys":[]})")}) {
    answer_ = broken;
    clock_.Advance(seconds(300));
    refresher_.RunDue();
    EXPECT_EQ(Verify(key, "a"), JwtError::kNone);
    EXPECT_FALSE(source_->status().error.empty());
  }
  EXPECT_EQ(source_->status().failures, 4u);
  EXPECT_EQ(source_->status().age, seconds(1200));
  EXPECT_EQ(lines_.size(), 3u);  // what stays wrong is told once
  answer_ = KeySetOf({key.Jwk("a")});
  clock_.Advance(seconds(10));
  refresher_.RunDue();
  EXPECT_EQ(source_->status().error, "");
}

TEST_F(KeySourceTest, AnUnknownKeyHasThemLoadedAtABoundedRate) {
  const SigningKey old_key(Kind::kP256);
  const SigningKey new_key(Kind::kP256);
  answer_ = KeySetOf({old_key.Jwk("old")});
  refresher_.RunDue();
  // Too early: nobody is told to try again for what will not be asked for.
  EXPECT_EQ(Verify(new_key, "new"), JwtError::kBadSignature);
  EXPECT_GT(source_->due(), clock_.Now());
  clock_.Advance(seconds(10));
  EXPECT_EQ(Verify(new_key, "new"), JwtError::kKeysUnavailable);
  EXPECT_EQ(Verify(new_key, "other"), JwtError::kKeysUnavailable);  // the same load
  EXPECT_LE(source_->due(), clock_.Now());
  EXPECT_EQ(Verify(old_key, "old"), JwtError::kNone);
  answer_ = KeySetOf({old_key.Jwk("old"), new_key.Jwk("new")});
  refresher_.RunDue();
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(Verify(new_key, "new"), JwtError::kNone);
  // A flood of invented names loads no more than one every ten seconds.
  for (int i = 0; i < 100; ++i) {
    Verify(new_key, "x" + std::to_string(i));
    refresher_.RunDue();
    clock_.Advance(seconds(1));
  }
  EXPECT_EQ(fetches_, 2 + 9);
}

TEST_F(KeySourceTest, RetiredKeysGo) {
  const SigningKey old_key(Kind::kP256);
  const SigningKey new_key(Kind::kP256);
  answer_ = KeySetOf({old_key.Jwk("old")});
  refresher_.RunDue();
  answer_ = KeySetOf({new_key.Jwk("new")});
  clock_.Advance(seconds(300));
  refresher_.RunDue();
  EXPECT_EQ(Verify(new_key, "new"), JwtError::kNone);
  EXPECT_EQ(Verify(old_key, "old"), JwtError::kBadSignature);
  EXPECT_EQ(Verify(old_key, ""), JwtError::kBadSignature);
}

TEST_F(KeySourceTest, TheThreadLoadsWhatIsDueAndEnds) {
  const SigningKey key(Kind::kP256);
  answer_ = KeySetOf({key.Jwk("a")});
  refresher_.Start();
  while (source_->Current() == nullptr) std::this_thread::yield();
  clock_.Advance(seconds(10));
  while (source_->status().loads < 2) {
    verifier_->Verify(key.Token("ES256", "{}", "b"));  // wakes it up
    std::this_thread::yield();
  }
  refresher_.Stop();
  EXPECT_EQ(fetches_, 2);
}

TEST(KeySource, FixedKeysAreNeverLoaded) {
  KeySource source(*KeySet::FromSecrets({"secret"}, AlgorithmSet::All()));
  EXPECT_EQ(source.due(), MonoTime::max());
  EXPECT_FALSE(source.Miss());
  EXPECT_EQ(source.fixed(), source.Current().get());
  source.Load();
  EXPECT_EQ(source.status().keys, 1u);
}

TEST(KeySource, AFileDoesNotAnswerToUnknownKeys) {
  test::FakeClock clock;
  std::string secrets = "one";
  KeySource source(
      {.name = "secrets", .format = KeySource::Format::kSecretLines},
      [&]() -> absl::StatusOr<std::string> { return secrets; }, clock);
  source.Load();
  EXPECT_FALSE(source.Miss());
  EXPECT_EQ(source.due(), clock.Now() + seconds(60));
  secrets = "two\nthree";
  source.Load();
  EXPECT_EQ(source.status().keys, 2u);
}

}  // namespace
}  // namespace spillway::auth
