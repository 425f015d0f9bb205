#include "common/auth/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/jwt_factory.h"

namespace spillway::auth {
namespace {

using std::chrono::seconds;
using test::Base64Url;
using test::RawToken;
using test::SignedToken;
using test::UserToken;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kSecret[] = "0123456789abcdef0123456789abcdef";
constexpr char kHeader[] = R"({"alg":"HS256","typ":"JWT"})";

class JwtTest : public testing::Test {
 protected:
  JwtTest() { options_.secrets = {kSecret}; }

  JwtResult Verify(const std::string& token) {
    auto verifier = JwtVerifier::Create(options_, clock_);
    EXPECT_TRUE(verifier.ok()) << verifier.status();
    return (*verifier)->Verify(token);
  }
  int64_t Now() const { return ToUnixMillis(clock_.WallNow()) / 1000; }

  test::FakeClock clock_;
  JwtOptions options_;
};

TEST_F(JwtTest, AcceptsAGoodToken) {
  const JwtResult result = Verify(UserToken(kSecret, "u1", Now() + 60, {{"jti", "\"t1\""}}));
  ASSERT_TRUE(result.ok()) << result.detail;
  EXPECT_EQ(result.claims.sub(), "u1");
  EXPECT_EQ(result.claims.jti(), "t1");
  EXPECT_EQ(result.claims.exp(), static_cast<double>(Now() + 60));
}

// The example of RFC 7515, appendix A.1: made by neither this code nor its library.
TEST_F(JwtTest, AcceptsTheTokenOfTheRfc) {
  // A.1.1's key, base64url decoded.
  static constexpr unsigned char kKey[] = {
      3,   35,  53, 75,  43,  15, 165, 188, 131, 126, 6,   101, 119, 123, 166, 143,
      90,  179, 40, 230, 240, 84, 201, 40,  169, 15,  132, 178, 210, 80,  46,  191,
      211, 251, 90, 146, 210, 6,  71,  239, 150, 138, 180, 195, 119, 98,  61,  34,
      61,  46,  33, 114, 5,   46, 79,  8,   192, 205, 154, 245, 103, 208, 128, 163};
  options_.secrets = {std::string(reinterpret_cast<const char*>(kKey), sizeof(kKey))};
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  // Its date is 2011: signed rightly, and expired.
  EXPECT_EQ(Verify(token).error, JwtError::kExpired);
  clock_.ShiftWall(seconds(1'300'819'000 - Now()));
  const JwtResult result = Verify(token);
  ASSERT_TRUE(result.ok()) << result.detail;
  EXPECT_EQ(result.claims.iss(), "joe");
  EXPECT_TRUE(result.claims.Find("http://example.com/is_root")->bool_value);
}

TEST_F(JwtTest, RefusesMissingAndMalformedTokens) {
  const std::string good = UserToken(kSecret, "u1", Now() + 60);
  EXPECT_EQ(Verify("").error, JwtError::kMissing);
  for (const std::string& bad :
       {std::string("x"), std::string("a.b"), std::string("..."), std::string("a.b.c"), good + "=",
        good + ".x", " " + good, good + std::string(1, '\0'), good.substr(0, good.find('.')),
        RawToken(kSecret, kHeader, "[1]"), RawToken(kSecret, kHeader, ""),
        RawToken(kSecret, kHeader, "{\"sub\":\"a\",\"sub\":\"b\"}"),
        RawToken(kSecret, kHeader, "{\"exp\":\"soon\"}"),
        RawToken(kSecret, kHeader, "{\"sub\":[]}"), RawToken(kSecret, kHeader, "{\"jti\":1}"),
        RawToken(kSecret, kHeader, "{\"aud\":1}"), RawToken(kSecret, "{}", "{}x"),
        RawToken(kSecret, R"({"alg":"HS256","crit":["b64"],"b64":false})", "{}")}) {
    const JwtResult result = Verify(bad);
    EXPECT_TRUE(result.error == JwtError::kMalformed || result.error == JwtError::kBadSignature)
        << bad << ": " << JwtErrorCode(result.error);
    EXPECT_FALSE(result.ok());
  }
  EXPECT_EQ(Verify(RawToken(kSecret, kHeader, "[1]")).error, JwtError::kMalformed);
  EXPECT_EQ(Verify(good + "=").error, JwtError::kMalformed);
}

TEST_F(JwtTest, RefusesOtherAlgorithms) {
  const std::string payload = R"({"sub":"u1"})";
  const std::string unsigned_token =
      Base64Url(R"({"alg":"none"})") + "." + Base64Url(payload) + ".";
  EXPECT_FALSE(Verify(unsigned_token).ok());
  for (const char* algorithm : {"none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", ""}) {
    const std::string header = std::string(R"({"alg":")") + algorithm + "\"}";
    const JwtResult result = Verify(RawToken(kSecret, header, payload));
    EXPECT_FALSE(result.ok()) << algorithm;
  }
  EXPECT_EQ(Verify(RawToken(kSecret, R"({"alg":"HS512"})", payload)).error,
            JwtError::kBadSignature);
}

TEST_F(JwtTest, RefusesEveryChangedByte) {
  const std::string good = UserToken(kSecret, "u1", Now() + 60);
  ASSERT_TRUE(Verify(good).ok());
  // Also where the last character of a part carries spare bits, which base64 decoders may ignore.
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. ";
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char c : kAlphabet) {
      if (good[i] == c) continue;
      std::string bad = good;
      bad[i] = c;
      ASSERT_FALSE(Verify(bad).ok()) << i << c;
    }
  }
  EXPECT_EQ(Verify(UserToken("another secret", "u1", Now() + 60)).error, JwtError::kBadSignature);
}

TEST_F(JwtTest, ManyThreadsMayVerifyAtOnce) {
  const auto verifier = JwtVerifier::Create(options_, clock_);
  ASSERT_TRUE(verifier.ok());
  const std::string good = UserToken(kSecret, "u1", Now() + 60);
  const std::string other = UserToken("another secret", "u1", Now() + 60);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        wrong += (*verifier)->Verify(good).ok() ? 0 : 1;
        wrong += (*verifier)->Verify(other).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(JwtTest, AnyFormOfTheHeaderWillDo) {
  const std::string payload = R"({"sub":"u1"})";
  for (const char* header : {R"({"alg":"HS256","typ":"JWT"})", R"({"typ":"JWT","alg":"HS256"})",
                             R"({"alg":"HS256"})", R"({ "kid" : "1", "alg" : "HS256" })"}) {
    EXPECT_TRUE(Verify(RawToken(kSecret, header, payload)).ok()) << header;
  }
  EXPECT_EQ(Verify(RawToken(kSecret, R"({"alg":"HS256","alg":"none"})", payload)).error,
            JwtError::kMalformed);
  EXPECT_EQ(Verify(RawToken(kSecret, "nonsense", payload)).error, JwtError::kMalformed);
  EXPECT_EQ(Verify(RawToken(kSecret, R"({"alg":256})", payload)).error, JwtError::kBadSignature);
}

TEST_F(JwtTest, AnySecretOfTheListIsEnough) {
  options_.secrets = {"new secret", kSecret};
  EXPECT_TRUE(Verify(UserToken(kSecret, "u1", Now() + 60)).ok());
  EXPECT_TRUE(Verify(UserToken("new secret", "u1", Now() + 60)).ok());
  EXPECT_FALSE(Verify(UserToken("", "u1", Now() + 60)).ok());
}

TEST_F(JwtTest, ChecksTimesWithLeeway) {
  options_.leeway = seconds(30);
  const std::string token = UserToken(kSecret, "u1", Now() + 60);
  clock_.Advance(seconds(89));
  EXPECT_TRUE(Verify(token).ok());
  clock_.Advance(seconds(1));
  EXPECT_EQ(Verify(token).error, JwtError::kExpired);

  const auto with = [this](const char* name, int64_t offset) {
    return Verify(SignedToken(
        kSecret, test::JsonObject({{"sub", "\"u\""}, {name, std::to_string(Now() + offset)}})));
  };
  EXPECT_TRUE(with("nbf", 30).ok());
  EXPECT_EQ(with("nbf", 31).error, JwtError::kNotYetValid);
  EXPECT_TRUE(with("iat", 30).ok());
  EXPECT_EQ(with("iat", 31).error, JwtError::kNotYetValid);
  EXPECT_EQ(Verify(SignedToken(kSecret, R"({"exp":1.5})")).error, JwtError::kExpired);
}

TEST_F(JwtTest, ExpMayBeRequired) {
  const std::string token = SignedToken(kSecret, R"({"sub":"u1"})");
  EXPECT_TRUE(Verify(token).ok());
  options_.require_exp = true;
  EXPECT_EQ(Verify(token).error, JwtError::kMalformed);
}

TEST_F(JwtTest, ChecksIssuerAndAudience) {
  options_.issuer = "idp";
  EXPECT_EQ(Verify(SignedToken(kSecret, R"({"iss":"other"})")).error, JwtError::kWrongIssuer);
  EXPECT_EQ(Verify(SignedToken(kSecret, "{}")).error, JwtError::kWrongIssuer);
  EXPECT_TRUE(Verify(SignedToken(kSecret, R"({"iss":"idp"})")).ok());
  options_.audience = "ws";
  EXPECT_EQ(Verify(SignedToken(kSecret, R"({"iss":"idp"})")).error, JwtError::kWrongAudience);
  EXPECT_EQ(Verify(SignedToken(kSecret, R"({"iss":"idp","aud":["api"]})")).error,
            JwtError::kWrongAudience);
  EXPECT_TRUE(Verify(SignedToken(kSecret, R"({"iss":"idp","aud":"ws"})")).ok());
  EXPECT_TRUE(Verify(SignedToken(kSecret, R"({"iss":"idp","aud":["api","ws"]})")).ok());
}

TEST_F(JwtTest, BoundsTheSize) {
  const auto sized = [&](size_t padding) {
    return UserToken(kSecret, "u1", Now() + 60, {{"pad", "\"" + std::string(padding, 'x') + "\""}});
  };
  EXPECT_TRUE(Verify(sized(6000)).ok());
  const std::string big = sized(6200);
  ASSERT_GT(big.size(), JwtVerifier::kMaxTokenBytes);
  EXPECT_EQ(Verify(big).error, JwtError::kMalformed);
}

TEST_F(JwtTest, RefusesUnusableOptions) {
  options_.secrets = {};
  EXPECT_THAT(std::string(JwtVerifier::Create(options_, clock_).status().message()),
              HasSubstr("no JWT secret is set"));
  options_.secrets = {kSecret, ""};
  EXPECT_FALSE(JwtVerifier::Create(options_, clock_).ok());
  options_.secrets = {kSecret, "short"};
  EXPECT_TRUE((*JwtVerifier::Create(options_, clock_))->has_short_secret());
  options_.secrets = {kSecret};
  EXPECT_FALSE((*JwtVerifier::Create(options_, clock_))->has_short_secret());
}

TEST_F(JwtTest, SignerAndVerifierAgree) {
  auto token = SignHs256(kSecret, R"({"sub":"u1","n":1})");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(Verify(*token).claims.sub(), "u1");
  EXPECT_FALSE(SignHs256("", "{}").ok());
  EXPECT_FALSE(SignHs256(kSecret, "not json").ok());
}

TEST_F(JwtTest, CodesAndMessagesAreStable) {
  EXPECT_EQ(JwtErrorCode(JwtError::kMissing), "token_missing");
  EXPECT_EQ(JwtErrorCode(JwtError::kMalformed), "token_malformed");
  EXPECT_EQ(JwtErrorCode(JwtError::kBadSignature), "token_bad_signature");
  EXPECT_EQ(JwtErrorCode(JwtError::kExpired), "token_expired");
  EXPECT_EQ(JwtErrorCode(JwtError::kNotYetValid), "token_not_yet_valid");
  EXPECT_EQ(JwtErrorCode(JwtError::kWrongIssuer), "token_wrong_issuer");
  EXPECT_EQ(JwtErrorCode(JwtError::kWrongAudience), "token_wrong_audience");
  EXPECT_THAT(std::string(JwtErrorMessage(JwtError::kExpired)), HasSubstr("get a new one"));
}

TEST(ClaimsTest, ReadsEveryType) {
  auto claims = Claims::Parse(
      R"({"s":"x","i":-3,"d":1.5,"b":true,"n":null,"l":["a",1,true,{"x":1},"b"],"o":{"k":[1]},"sub":7})");
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_EQ(claims->Find("s")->AsText(), "x");
  EXPECT_EQ(claims->Find("i")->AsText(), "-3");
  EXPECT_EQ(claims->Find("i")->int_value, -3);
  EXPECT_EQ(claims->Find("d")->double_value, 1.5);
  EXPECT_EQ(claims->Find("b")->AsText(), "true");
  EXPECT_EQ(claims->Find("n")->AsText(), std::nullopt);
  EXPECT_THAT(claims->Find("l")->AsList(), ElementsAre("a", "1", "true", "b"));
  EXPECT_THAT(claims->Find("s")->AsList(), ElementsAre("x"));
  EXPECT_EQ(claims->Find("o")->json, R"({"k":[1]})");
  EXPECT_EQ(claims->Find("absent"), nullptr);
  EXPECT_EQ(claims->sub(), "7");
  EXPECT_EQ(claims->all().size(), 8u);
}

}  // namespace
}  // namespace spillway::auth
