// Several issuers, each with keys of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/auth/jwt.h"
#include "tests/support/fake_clock.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/signing_key.h"

namespace spillway::auth {
namespace {

using test::SigningKey;
using Kind = SigningKey::Kind;

const AlgorithmSet kAll = AlgorithmSet::All();

std::shared_ptr<KeySource> Fixed(const KeySet::Made& keys) {
  EXPECT_TRUE(keys.ok()) << keys.status();
  return std::make_shared<KeySource>(*keys);
}

class IssuersTest : public testing::Test {
 protected:
  JwtError Verify(const std::string& token) {
    const auto verifier = JwtVerifier::Create(options_, clock_);
    EXPECT_TRUE(verifier.ok()) << verifier.status();
    return (*verifier)->Verify(token).error;
  }
  static std::string Claims(const std::string& iss, const std::string& aud = "us") {
    return R"({"sub":"u1","iss":")" + iss + R"(","aud":")" + aud + R"("})";
  }

  test::FakeClock clock_;
  const SigningKey rsa_{Kind::kRsa};
  const SigningKey ec_{Kind::kP256};
  JwtOptions options_ = {.secrets = {},
                         .issuer = {},
                         .audience = {},
                         .issuers = {{"rsa", "", Fixed(KeySet::FromPem(rsa_.PublicPem(), kAll))},
                                     {"ec", "us", Fixed(KeySet::FromPem(ec_.PublicPem(), kAll))}}};
};

TEST_F(IssuersTest, TheIssuerSelectsTheKeys) {
  EXPECT_EQ(Verify(rsa_.Token("RS256", Claims("rsa"))), JwtError::kNone);
  EXPECT_EQ(Verify(rsa_.Token("PS512", Claims("rsa"))), JwtError::kNone);
  EXPECT_EQ(Verify(ec_.Token("ES256", Claims("ec"))), JwtError::kNone);
  // One issuer cannot speak for another.
  EXPECT_EQ(Verify(rsa_.Token("RS256", Claims("ec"))), JwtError::kBadSignature);
  EXPECT_EQ(Verify(ec_.Token("ES256", Claims("rsa"))), JwtError::kBadSignature);
  EXPECT_EQ(Verify(ec_.Token("ES256", Claims("nobody"))), JwtError::kWrongIssuer);
  EXPECT_EQ(Verify(ec_.Token("ES256", "{}")), JwtError::kWrongIssuer);
  EXPECT_EQ(Verify(ec_.Token("ES256", Claims("ec", "them"))), JwtError::kWrongAudience);
  EXPECT_EQ(Verify(ec_.Token("ES256", "{")), JwtError::kMalformed);
}

TEST_F(IssuersTest, TheShortFormIsOneAmongThem) {
  options_.secrets = {"a secret of at least thirty-two bytes"};
  options_.issuer = "own";
  const auto with = [&](const std::string& iss) {
    return Verify(test::SignedToken(options_.secrets[0], Claims(iss)));
  };
  EXPECT_EQ(with("own"), JwtError::kNone);
  EXPECT_EQ(with("rsa"), JwtError::kBadSignature);
  EXPECT_EQ(Verify(rsa_.Token("RS256", Claims("rsa"))), JwtError::kNone);
}

TEST_F(IssuersTest, OneWithoutANameIsForTheRest) {
  options_.issuers.push_back({"", "", Fixed(KeySet::FromSecrets({"secret"}, kAll))});
  EXPECT_EQ(Verify(test::SignedToken("secret", Claims("anybody"))), JwtError::kNone);
  EXPECT_EQ(Verify(test::SignedToken("secret", "{}")), JwtError::kNone);
  EXPECT_EQ(Verify(test::SignedToken("secret", Claims("rsa"))), JwtError::kBadSignature);
}

TEST_F(IssuersTest, SeveralMayHaveOneName) {
  options_.issuers.push_back({"ec", "us", Fixed(KeySet::FromSecrets({"secret"}, kAll))});
  EXPECT_EQ(Verify(ec_.Token("ES256", Claims("ec"))), JwtError::kNone);
  EXPECT_EQ(Verify(test::SignedToken("secret", Claims("ec"))), JwtError::kNone);
  EXPECT_EQ(Verify(test::SignedToken("other", Claims("ec"))), JwtError::kBadSignature);
}

TEST_F(IssuersTest, AlgorithmsMayBeNarrowed) {
  options_.issuers = {
      {"", "", Fixed(KeySet::FromPem(rsa_.PublicPem(), {Algorithm::kPs256, Algorithm::kEs256}))}};
  EXPECT_EQ(Verify(rsa_.Token("PS256", "{}")), JwtError::kNone);
  EXPECT_EQ(Verify(rsa_.Token("RS256", "{}")), JwtError::kBadSignature);
  EXPECT_EQ(Verify(rsa_.Token("PS384", "{}")), JwtError::kBadSignature);
}

}  // namespace
}  // namespace spillway::auth
