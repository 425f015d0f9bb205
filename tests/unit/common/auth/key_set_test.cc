#include "common/auth/key_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/certificates.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/signing_key.h"
#include "tests/support/temp_dir.h"

namespace spillway::auth {
namespace {

using test::KeySetOf;
using test::SigningKey;
using testing::HasSubstr;
using Kind = SigningKey::Kind;
using Verdict = KeySet::Verdict;

const AlgorithmSet kAll = AlgorithmSet::All();

std::string ErrorOf(const KeySet::Made& made) {
  return made.ok() ? "" : std::string(made.status().message());
}

// A token in parts.
struct Token {
  explicit Token(const std::string& token)
      : text(token.substr(0, token.rfind('.'))), encoded(token.substr(token.rfind('.') + 1)) {
    static constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int count = 0;
    for (const char c : encoded) {
      bits = bits << 6 | static_cast<uint32_t>(kAlphabet.find(c));
      if ((count += 6) < 8) continue;
      count -= 8;
      signature.push_back(static_cast<char>(bits >> count));
    }
  }
  std::string text;
  std::string encoded;
  std::string signature;
};

Verdict CheckOn(const KeySet& keys, Algorithm algorithm, const std::string& token,
                std::string_view kid = {}) {
  const Token parts(token);
  return keys.Check(algorithm, kid, parts.text, parts.signature);
}

// Every algorithm with a key of its kind, by PEM and by JWK.
TEST(KeySetTest, EveryAlgorithm) {
  const SigningKey rsa(Kind::kRsa);
  const SigningKey p256(Kind::kP256);
  const SigningKey p384(Kind::kP384);
  const SigningKey p521(Kind::kP521);
  const SigningKey ed(Kind::kEd25519);
  const std::vector<std::pair<const SigningKey*, std::vector<Algorithm>>> keys = {
      {&rsa,
       {Algorithm::kRs256, Algorithm::kRs384, Algorithm::kRs512, Algorithm::kPs256,
        Algorithm::kPs384, Algorithm::kPs512}},
      {&p256, {Algorithm::kEs256}},
      {&p384, {Algorithm::kEs384}},
      {&p521, {Algorithm::kEs512}},
      {&ed, {Algorithm::kEdDsa}}};
  for (const auto& [key, algorithms] : keys) {
    const auto by_pem = KeySet::FromPem(key->PublicPem(), kAll);
    const auto by_jwk = KeySet::FromJwks(KeySetOf({key->Jwk("k1")}), kAll, false);
    ASSERT_TRUE(by_pem.ok()) << by_pem.status();
    ASSERT_TRUE(by_jwk.ok()) << by_jwk.status();
    for (const auto& set : {*by_pem, *by_jwk}) {
      for (size_t i = 0; i < kAlgorithms; ++i) {
        const auto algorithm = static_cast<Algorithm>(i);
        const bool fits =
            std::find(algorithms.begin(), algorithms.end(), algorithm) != algorithms.end();
        const Algorithm signed_by = fits ? algorithm : algorithms.front();
        const std::string token = key->Token(NameOf(signed_by), R"({"sub":"u1"})");
        EXPECT_EQ(CheckOn(*set, algorithm, token), fits ? Verdict::kMatches : Verdict::kNoMatch)
            << NameOf(algorithm);
        if (!fits) continue;
        std::string other = token;
        other[other.size() - 10] = other[other.size() - 10] == 'A' ? 'B' : 'A';
        EXPECT_EQ(CheckOn(*set, algorithm, other), Verdict::kNoMatch) << NameOf(algorithm);
        EXPECT_EQ(CheckOn(*set, algorithm, token.substr(0, token.size() - 4)), Verdict::kNoMatch);
      }
    }
  }
}

TEST(KeySetTest, SecretsWithEveryHash) {
  const auto set = KeySet::FromSecretLines("one\r\n\ntwo\n", kAll);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->size(), 2u);
  EXPECT_TRUE((*set)->has_short_secret());
  EXPECT_EQ(CheckOn(**set, Algorithm::kHs256, test::SignedToken("two", "{}")), Verdict::kMatches);
  EXPECT_EQ(CheckOn(**set, Algorithm::kHs256, test::SignedToken("two\r", "{}")), Verdict::kNoMatch);
  EXPECT_EQ(CheckOn(**set, Algorithm::kHs512, test::SignedToken("two", "{}")), Verdict::kNoMatch);
  EXPECT_EQ(ErrorOf(KeySet::FromSecretLines("\n\n", kAll)),
            "there is no secret: give at least one");
}

// RFC 4231, test case 2, which none of our code made.
TEST(KeySetTest, SecretsAgainstTheRfc) {
  const auto set = KeySet::FromSecrets({"Jefe"}, kAll);
  const std::string text = "what do ya want for nothing?";
  const auto bytes = [](std::string_view hex) {
    std::string out;
    for (size_t i = 0; i < hex.size(); i += 2) {
      out.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    }
    return out;
  };
  EXPECT_EQ((*set)->Check(Algorithm::kHs384, "", text,
                          bytes("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                                "8e2240ca5e69e2c78b3239ecfab21649")),
            Verdict::kMatches);
  EXPECT_EQ(
      (*set)->Check(Algorithm::kHs512, "", text,
                    bytes("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                          "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737")),
      Verdict::kMatches);
}

// RFC 8037, appendix A.4, and RFC 7515, appendix A.3.
TEST(KeySetTest, PublicKeysAgainstTheRfcs) {
  const auto ed = KeySet::FromJwks(
      R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})",
      kAll, true);
  ASSERT_TRUE(ed.ok()) << ed.status();
  EXPECT_EQ(
      CheckOn(**ed, Algorithm::kEdDsa,
              "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
              "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
              "MuM0KAg"),
      Verdict::kMatches);
  const auto ec = KeySet::FromJwks(
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
      kAll, true);
  ASSERT_TRUE(ec.ok()) << ec.status();
  EXPECT_EQ(CheckOn(**ec, Algorithm::kEs256,
                    "eyJhbGciOiJFUzI1NiJ9."
                    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc1"
                    "9yb290Ijp0cnVlfQ."
                    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3"
                    "-Kg6NU1Q"),
            Verdict::kMatches);
}

TEST(KeySetTest, WeakAndForeignKeysAreRefused) {
  const auto pem = [](const SigningKey& key) {
    return ErrorOf(KeySet::FromPem(key.PublicPem(), kAll));
  };
  EXPECT_THAT(pem(SigningKey(Kind::kRsa, 1024)), HasSubstr("1024 bits is too weak"));
  EXPECT_THAT(pem(SigningKey(Kind::kSecp256k1)), HasSubstr("another curve"));
  EXPECT_THAT(ErrorOf(KeySet::FromPem(SigningKey(Kind::kP256).PrivatePem(), kAll)),
              HasSubstr("a private key, which does not belong here"));
  EXPECT_THAT(ErrorOf(KeySet::FromPem("nonsense", kAll)), HasSubstr("no public key"));
  EXPECT_THAT(ErrorOf(KeySet::FromPem("", kAll)), HasSubstr("no public key"));
  EXPECT_THAT(ErrorOf(KeySet::FromPem(
                  "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", kAll)),
              HasSubstr("no key that can be read"));
  EXPECT_THAT(ErrorOf(KeySet::FromPem(SigningKey(Kind::kP256).PublicPem(), {Algorithm::kRs256})),
              HasSubstr("none of the allowed algorithms fits the key, which is for ES256"));
  EXPECT_FALSE(KeySet::FromPem(std::string(KeySet::kMaxBytes + 1, 'x'), kAll).ok());
}

TEST(KeySetTest, PemMayHoldSeveralKeysAndACertificate) {
  const SigningKey one(Kind::kP256);
  const SigningKey two(Kind::kRsa);
  const auto both = KeySet::FromPem(one.PublicPem() + "\n" + two.PublicPem(), kAll);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(CheckOn(**both, Algorithm::kEs256, one.Token("ES256", "{}")), Verdict::kMatches);
  EXPECT_EQ(CheckOn(**both, Algorithm::kRs256, two.Token("RS256", "{}")), Verdict::kMatches);

  test::TempDir folder;
  const test::Certificates certificates(folder.path());
  const auto read = [](const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  // Of a chain the first: an authority's key signs no tokens.
  const auto chain =
      KeySet::FromPem(read(certificates.server_cert()) + read(certificates.ca()), kAll);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ((*chain)->size(), 1u);
}

TEST(KeySetTest, KeySetsThatAreNone) {
  const std::string key = SigningKey(Kind::kP256).Jwk("a");
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"keys":{}})"),
        std::string(R"({"keys":[]})"), std::string(R"({"keys":[1]})"),
        "{\"keys\":[" + key + "],\"keys\":[]}", KeySetOf({key}) + "x",
        KeySetOf({R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"}), KeySetOf({R"({"kty":"RSA"})"}),
        KeySetOf({R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"}),
        // A point that is not on the curve.
        KeySetOf({R"({"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",)"
                  R"("y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"})"}),
        KeySetOf({R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})"}),
        KeySetOf({R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"}),
        KeySetOf({R"({"kty":"OKP","crv":"X25519","x":"AA"})"}), KeySetOf({R"({"kty":"quantum"})"}),
        KeySetOf({R"({"kty":"oct","k":""})"}), KeySetOf({R"({"kid":"a"})"}),
        KeySetOf({"{\"kty\":\"RSA\"," + key.substr(1)}),
        KeySetOf(std::vector<std::string>(KeySet::kMaxKeys + 1, key)),
        KeySetOf({SigningKey(Kind::kP256).Jwk(std::string(KeySet::kMaxKidBytes + 1, 'k'))})}) {
    const auto made = KeySet::FromJwks(text, kAll, true);
    EXPECT_FALSE(made.ok()) << text.substr(0, 200);
    EXPECT_FALSE(KeySet::FromJwks(text, kAll, false).ok()) << text.substr(0, 200);
  }
  EXPECT_THAT(ErrorOf(KeySet::FromJwks(KeySetOf({key, SigningKey(Kind::kRsa, 1024).Jwk()}), kAll,
                                       /*trusted=*/true)),
              HasSubstr("keys[1]: an RSA key of 1024 bits is too weak"));
}

TEST(KeySetTest, WhatIsLeftOutOfASet) {
  const std::string good = SigningKey(Kind::kP256).Jwk("a", R"(,"use":"sig","key_ops":["verify"])");
  const SigningKey other(Kind::kP256);
  const auto set = KeySet::FromJwks(
      KeySetOf({other.Jwk("b", R"(,"use":"enc")"), other.Jwk("c", R"(,"key_ops":["sign"])"),
                other.Jwk("d", R"(,"alg":"ES256K")"), R"({"kty":"oct","k":"c2VjcmV0","kid":"e"})",
                SigningKey(Kind::kRsa, 1024).Jwk("f"), other.Jwk("g", R"(,"alg":"HS256")"), good}),
      kAll, /*trusted=*/false);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->size(), 1u);
  EXPECT_THAT((*set)->left_out(), testing::SizeIs(6));
  EXPECT_THAT((*set)->left_out()[3], HasSubstr("keys[3]: a secret that everybody may read"));
}

TEST(KeySetTest, TheKidSelects) {
  const SigningKey a(Kind::kP256);
  const SigningKey b(Kind::kP256);
  const auto set = KeySet::FromJwks(KeySetOf({a.Jwk("a"), b.Jwk("b")}), kAll, false);
  ASSERT_TRUE(set.ok());
  const std::string by_a = a.Token("ES256", "{}");
  EXPECT_EQ(CheckOn(**set, Algorithm::kEs256, by_a, "a"), Verdict::kMatches);
  EXPECT_EQ(CheckOn(**set, Algorithm::kEs256, by_a), Verdict::kMatches);
  EXPECT_EQ(CheckOn(**set, Algorithm::kEs256, by_a, "b"), Verdict::kNoMatch);
  EXPECT_EQ(CheckOn(**set, Algorithm::kEs256, by_a, "c"), Verdict::kUnknownKey);
  // A key without a name is for any.
  const auto nameless = KeySet::FromJwks(KeySetOf({a.Jwk(), b.Jwk("b")}), kAll, false);
  EXPECT_EQ(CheckOn(**nameless, Algorithm::kEs256, by_a, "c"), Verdict::kMatches);
  EXPECT_EQ(CheckOn(**nameless, Algorithm::kEs256, b.Token("ES256", "{}"), "c"), Verdict::kNoMatch);
}

TEST(KeySetTest, WithoutAKidTheTriesAreBounded) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < KeySet::kMaxTries; ++i) keys.push_back(SigningKey(Kind::kP256).Jwk());
  const SigningKey last(Kind::kP256);
  const std::string token = last.Token("ES256", "{}");
  auto without = keys;
  without.back() = last.Jwk("last");
  EXPECT_EQ(CheckOn(**KeySet::FromJwks(KeySetOf(without), kAll, false), Algorithm::kEs256, token),
            Verdict::kMatches);
  keys.push_back(last.Jwk("last"));
  const auto set = KeySet::FromJwks(KeySetOf(keys), kAll, false);
  EXPECT_EQ(CheckOn(**set, Algorithm::kEs256, token), Verdict::kNoMatch);
  EXPECT_EQ(CheckOn(**set, Algorithm::kEs256, token, "last"), Verdict::kMatches);
}

}  // namespace
}  // namespace spillway::auth
