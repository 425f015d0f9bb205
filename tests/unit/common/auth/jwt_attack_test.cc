// Tokens as an attacker would make them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/jwt.h"
#include "tests/support/fake_clock.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/signing_key.h"

namespace spillway::auth {
namespace {

using test::Base64Url;
using test::KeySetOf;
using test::RawToken;
using test::SigningKey;
using Kind = SigningKey::Kind;

// One issuer with an RSA, an EC and an Ed25519 key.
class JwtAttackTest : public testing::Test {
 protected:
  static const SigningKey& Rsa() {
    static const SigningKey key(Kind::kRsa);
    return key;
  }
  static const SigningKey& Ec() {
    static const SigningKey key(Kind::kP256);
    return key;
  }
  static const SigningKey& Ed() {
    static const SigningKey key(Kind::kEd25519);
    return key;
  }

  JwtAttackTest() {
    auto keys = KeySet::FromJwks(KeySetOf({Rsa().Jwk("rsa"), Ec().Jwk("ec"), Ed().Jwk("ed")}),
                                 AlgorithmSet::All(), true);
    EXPECT_TRUE(keys.ok()) << keys.status();
    verifier_ =
        *JwtVerifier::Create({.secrets = {},
                              .issuer = {},
                              .audience = {},
                              .issuers = {{"idp", "us", std::make_shared<KeySource>(*keys)}}},
                             clock_);
  }

  std::string Claims(const std::string& more = "") const {
    return R"({"sub":"u1","iss":"idp","aud":"us","exp":)" +
           std::to_string(ToUnixMillis(clock_.WallNow()) / 1000 + 60) + more + "}";
  }
  JwtError Verify(const std::string& token) {
    const JwtResult result = verifier_->Verify(token);
    // Nothing of a token may come into a log.
    if (token.size() > 16) {
      EXPECT_EQ(result.detail.find(token.substr(0, 16)), std::string::npos);
    }
    EXPECT_TRUE(result.ok() || result.claims.all().empty());
    return result.error;
  }
  JwtError WithHeader(const std::string& header) {
    return Verify(Rsa().RawToken("RS256", header, Claims()));
  }

  test::FakeClock clock_;
  std::unique_ptr<JwtVerifier> verifier_;
};

TEST_F(JwtAttackTest, TheGoodOnesAreAccepted) {
  EXPECT_EQ(Verify(Rsa().Token("RS256", Claims())), JwtError::kNone);
  EXPECT_EQ(Verify(Ec().Token("ES256", Claims(), "ec")), JwtError::kNone);
  EXPECT_EQ(Verify(Ed().Token("EdDSA", Claims(), "ed")), JwtError::kNone);
}

TEST_F(JwtAttackTest, None) {
  for (const char* name : {"none", "None", "NONE", "nOnE", "", "null"}) {
    const std::string header = Base64Url(std::string(R"({"alg":")") + name + "\"}");
    EXPECT_EQ(Verify(header + "." + Base64Url(Claims()) + "."), JwtError::kBadSignature) << name;
  }
  for (const char* header : {R"({})", R"({"alg":null})", R"({"alg":["RS256"]})", R"({"alg":0})",
                             R"({"typ":"JWT"})", R"({"ALG":"RS256"})"}) {
    EXPECT_EQ(WithHeader(header), JwtError::kBadSignature) << header;
  }
}

// What everybody may know, the public key in any form, taken as a secret.
TEST_F(JwtAttackTest, ThePublicKeyIsNoSecret) {
  const std::string pem = Rsa().PublicPem();
  for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1), Rsa().Jwk("rsa"),
                                    Rsa().Jwk(), Ec().PublicPem(), std::string()}) {
    for (const char* header :
         {R"({"alg":"HS256"})", R"({"alg":"HS256","kid":"rsa"})", R"({"alg":"RS256"})",
          R"({"alg":"RS256","kid":"rsa"})", R"({"alg":"ES256","kid":"ec"})"}) {
      EXPECT_NE(Verify(RawToken(secret, header, Claims())), JwtError::kNone) << header;
    }
  }
}

TEST_F(JwtAttackTest, AKeyOfAnotherKind) {
  // A header that says one algorithm, over a signature by another.
  for (const char* said : {"RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256"}) {
    EXPECT_EQ(WithHeader(std::string(R"({"alg":")") + said + "\"}"), JwtError::kBadSignature)
        << said;
    EXPECT_EQ(WithHeader(std::string(R"({"kid":"rsa","alg":")") + said + "\"}"),
              JwtError::kBadSignature)
        << said;
  }
  // ES with a key of another curve, and a name that is another key's.
  const SigningKey p384(Kind::kP384);
  EXPECT_EQ(Verify(p384.Token("ES384", Claims())), JwtError::kBadSignature);
  EXPECT_EQ(Verify(p384.RawToken("ES256", R"({"alg":"ES256"})", Claims())),
            JwtError::kBadSignature);
  EXPECT_EQ(Verify(Ec().Token("ES256", Claims(), "rsa")), JwtError::kBadSignature);
  EXPECT_EQ(Verify(SigningKey(Kind::kRsa).Token("RS256", Claims(), "rsa")),
            JwtError::kBadSignature);
}

// r = s = 0, and other signatures that sloppy checks take.
TEST_F(JwtAttackTest, ForgedSignatures) {
  for (const char* algorithm : {"RS256", "PS256", "ES256", "EdDSA"}) {
    const std::string text =
        Base64Url(std::string(R"({"alg":")") + algorithm + "\"}") + "." + Base64Url(Claims()) + ".";
    for (const size_t size : {0, 1, 63, 64, 65, 96, 256, 257}) {
      for (const char byte : {'\0', '\1', '\xFF'}) {
        EXPECT_EQ(Verify(text + Base64Url(std::string(size, byte))), JwtError::kBadSignature)
            << algorithm << size;
      }
    }
  }
}

TEST_F(JwtAttackTest, EveryBitCounts) {
  for (const std::string& good :
       {Rsa().Token("RS256", Claims(), "rsa"), Ec().Token("ES256", Claims(), "ec"),
        Ed().Token("EdDSA", Claims(), "ed")}) {
    ASSERT_EQ(Verify(good), JwtError::kNone);
    for (size_t i = 0; i < good.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
        ASSERT_NE(Verify(bad), JwtError::kNone) << i << " " << bit;
      }
    }
    for (size_t size = 0; size < good.size(); ++size) {
      ASSERT_NE(Verify(good.substr(0, size)), JwtError::kNone) << size;
      ASSERT_NE(Verify(good.substr(good.size() - size)), JwtError::kNone) << size;
    }
  }
}

TEST_F(JwtAttackTest, SegmentsOfTwoTokens) {
  const auto parts = [](const std::string& token) {
    const size_t first = token.find('.');
    const size_t second = token.find('.', first + 1);
    return std::vector<std::string>{token.substr(0, first),
                                    token.substr(first + 1, second - first - 1),
                                    token.substr(second + 1)};
  };
  const auto one = parts(Rsa().Token("RS256", Claims()));
  const auto two = parts(Rsa().Token("RS256", Claims(R"(,"role":"admin")")));
  EXPECT_EQ(Verify(one[0] + "." + two[1] + "." + one[2]), JwtError::kBadSignature);
  EXPECT_EQ(Verify(one[1] + "." + one[0] + "." + one[2]), JwtError::kBadSignature);
  EXPECT_NE(Verify(one[0] + "." + one[2] + "." + one[1]), JwtError::kNone);
  EXPECT_EQ(Verify(one[0] + "." + one[1]), JwtError::kMalformed);
  EXPECT_EQ(Verify(one[0] + "." + one[1] + "." + one[2] + "." + one[2]), JwtError::kMalformed);
  EXPECT_EQ(Verify(one[0] + ".." + one[2]), JwtError::kBadSignature);
}

TEST_F(JwtAttackTest, Times) {
  const auto with = [&](const std::string& times) {
    return Verify(Rsa().Token("RS256", R"({"iss":"idp","aud":"us",)" + times + "}"));
  };
  const std::string past = std::to_string(ToUnixMillis(clock_.WallNow()) / 1000 - 3600);
  const std::string future = std::to_string(ToUnixMillis(clock_.WallNow()) / 1000 + 3600);
  EXPECT_EQ(with(R"("exp":)" + past), JwtError::kExpired);
  EXPECT_EQ(with(R"("exp":-1e300)"), JwtError::kExpired);
  EXPECT_EQ(with(R"("exp":0)"), JwtError::kExpired);
  EXPECT_EQ(with(R"("nbf":)" + future), JwtError::kNotYetValid);
  EXPECT_EQ(with(R"("nbf":1e300)"), JwtError::kNotYetValid);
  EXPECT_EQ(with(R"("iat":)" + future), JwtError::kNotYetValid);
  EXPECT_EQ(with(R"("exp":")" + future + "\""), JwtError::kMalformed);
  EXPECT_EQ(with(R"("exp":null)"), JwtError::kMalformed);
  EXPECT_EQ(with(R"("exp":[]) "), JwtError::kMalformed);
  EXPECT_EQ(with(R"("exp":1e999)"),
            JwtError::kMalformed);
}

TEST_F(JwtAttackTest, AudienceAndIssuerAreComparedWhole) {
  const auto with = [&](const std::string& claims) { return Verify(Rsa().Token("RS256", claims)); };
  EXPECT_EQ(with(R"({"iss":"idp","aud":"us"})"), JwtError::kNone);
  for (const char* aud : {R"("u")", R"("us ")", R"("US")", R"(["u","s"])", R"([["us"]])", R"("")",
                          R"([{"us":1}])", R"("us\u0000")"}) {
    EXPECT_EQ(with(std::string(R"({"iss":"idp","aud":)") + aud + "}"), JwtError::kWrongAudience)
        << aud;
  }
  EXPECT_EQ(with(R"({"iss":"idp"})"), JwtError::kWrongAudience);
  for (const char* iss : {R"("id")", R"("idp\u0000")", R"("IDP")", R"("")"}) {
    EXPECT_EQ(with(std::string(R"({"aud":"us","iss":)") + iss + "}"), JwtError::kWrongIssuer)
        << iss;
  }
}

TEST_F(JwtAttackTest, HugeOnes) {
  EXPECT_EQ(Verify(std::string(JwtVerifier::kMaxTokenBytes + 1, 'a')), JwtError::kMalformed);
  EXPECT_EQ(Verify(std::string(64 * 1024, '.')), JwtError::kMalformed);
  EXPECT_EQ(Verify(Rsa().Token("RS256", Claims(R"(,"pad":")" + std::string(9000, 'x') + "\""))),
            JwtError::kMalformed);
  // Small, and deep.
  std::string deep = Claims(",\"d\":" + std::string(2000, '['));
  EXPECT_EQ(Verify(Rsa().Token("RS256", deep)), JwtError::kMalformed);
  EXPECT_NE(WithHeader(std::string(1500, '[')), JwtError::kNone);
}

TEST_F(JwtAttackTest, NotBase64NotUtf8NotJson) {
  const std::string good = Rsa().Token("RS256", Claims());
  for (const char* odd : {"+", "/", "=", " ", "\n", "%", "\x80", "."}) {
    for (const size_t at : {size_t{0}, good.find('.') + 1, good.rfind('.') + 1, good.size()}) {
      std::string bad = good;
      bad.insert(at, odd);
      EXPECT_NE(Verify(bad), JwtError::kNone) << odd << at;
    }
  }
  for (const std::string& payload :
       {std::string("{\"sub\":\"\xFF\xFE\"}"), std::string("\xEF\xBB\xBF{"), std::string("{}{}"),
        std::string("{\"sub\":\"u1\",}"), std::string("null"), std::string("\"{}\""),
        std::string("{\"a\":\"\0\"}", 9), std::string("{'sub':'u1'}")}) {
    EXPECT_EQ(Verify(Rsa().Token("RS256", payload)), JwtError::kMalformed) << payload;
  }
  EXPECT_EQ(WithHeader("{\"alg\":\"RS256\",\"x\":\"\xC0\xAF\"}"), JwtError::kMalformed);
}

TEST_F(JwtAttackTest, MembersGivenTwice) {
  EXPECT_EQ(WithHeader(R"({"alg":"RS256","alg":"HS256"})"), JwtError::kMalformed);
  EXPECT_EQ(WithHeader(R"({"alg":"RS256","\u0061lg":"none"})"), JwtError::kMalformed);
  EXPECT_EQ(WithHeader(R"({"alg":"RS256","kid":"rsa","kid":"ec"})"), JwtError::kMalformed);
  EXPECT_EQ(Verify(Rsa().Token("RS256", Claims(R"(,"sub":"admin")"))), JwtError::kMalformed);
  EXPECT_EQ(Verify(Rsa().Token("RS256", Claims(R"(,"\u0073ub":"admin")"))), JwtError::kMalformed);
}

TEST_F(JwtAttackTest, HeadersThatAskForMore) {
  EXPECT_EQ(WithHeader(R"({"alg":"RS256","crit":["exp"]})"), JwtError::kMalformed);
  EXPECT_EQ(WithHeader(R"({"alg":"RS256","crit":[]})"), JwtError::kMalformed);
  EXPECT_EQ(WithHeader(R"({"alg":"RS256","b64":false,"crit":["b64"]})"), JwtError::kMalformed);
  // A key, or where to find one, that comes with the token is passed over.
  const SigningKey own(Kind::kRsa);
  const std::string headers[] = {R"({"alg":"RS256","jwk":)" + own.Jwk() + "}",
                                 R"({"alg":"RS256","kid":"rsa","jwk":)" + own.Jwk("rsa") + "}",
                                 R"({"alg":"RS256","jku":"http://127.0.0.1:1/keys"})",
                                 R"({"alg":"RS256","x5u":"http://127.0.0.1:1/cert"})",
                                 R"({"alg":"RS256","x5c":["AAAA"]})"};
  for (const std::string& header : headers) {
    EXPECT_EQ(Verify(own.RawToken("RS256", header, Claims())), JwtError::kBadSignature) << header;
  }
}

// A name of a key is compared, and nothing else is ever done with it.
TEST_F(JwtAttackTest, NamesOfKeys) {
  for (const char* kid :
       {R"("../../../../dev/null")", R"("/etc/passwd")", R"("rsa' OR '1'='1")", R"("rsa\u0000")",
        R"("rsa|id")", R"("")", R"("\"")", R"("http://127.0.0.1:1/")", R"("RSA")", R"("ec")"}) {
    const JwtError error = Verify(
        SigningKey(Kind::kRsa)
            .RawToken("RS256", std::string(R"({"alg":"RS256","kid":)") + kid + "}", Claims()));
    EXPECT_EQ(error, JwtError::kBadSignature) << kid;
    EXPECT_NE(Verify(RawToken("", std::string(R"({"alg":"HS256","kid":)") + kid + "}", Claims())),
              JwtError::kNone);
  }
  for (const std::string& kid : {std::string("1"), std::string("[\"rsa\"]"), std::string("null"),
                                 "\"" + std::string(KeySet::kMaxKidBytes + 1, 'k') + "\""}) {
    EXPECT_EQ(WithHeader(R"({"alg":"RS256","kid":)" + kid + "}"), JwtError::kMalformed) << kid;
  }
}

}  // namespace
}  // namespace spillway::auth
