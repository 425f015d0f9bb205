// Tokens and key sets changed at random, by a seed: none is let in that was not signed, nothing
// breaks. What a fuzzer would feed, and small enough for every run.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/jwt.h"
#include "tests/support/fake_clock.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/signing_key.h"

namespace spillway::auth {
namespace {

using test::KeySetOf;
using test::SigningKey;
using Kind = SigningKey::Kind;

constexpr char kSecret[] = "0123456789abcdef0123456789abcdef";

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  std::string Mutate(std::string text, const std::string& other) {
    const size_t changes = 1 + Below(4);
    for (size_t i = 0; i < changes; ++i) {
      const size_t at = Below(text.size() + 1);
      switch (Below(6)) {
        case 0:
          if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << Below(8)));
          break;
        case 1:
          if (at < text.size()) text[at] = Interesting();
          break;
        case 2:
          text.insert(at, 1, Interesting());
          break;
        case 3:
          text.erase(at, 1 + Below(8));
          break;
        case 4:
          text.insert(at, text.substr(Below(text.size() + 1), Below(40)));
          break;
        default:
          text.replace(at, Below(40), other.substr(Below(other.size() + 1), Below(40)));
      }
    }
    return text;
  }
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

 private:
  char Interesting() {
    static constexpr std::string_view kBytes(
        "{}[]\",:.\\-_=+/ \0\x7F\x80\xFF"
        "01eEnNaA",
        27);
    return kBytes[Below(kBytes.size())];
  }
  std::mt19937 random_;
};

TEST(TokenFuzz, NoChangedTokenIsLetIn) {
  test::FakeClock clock;
  const SigningKey ec(Kind::kP256);
  const SigningKey ed(Kind::kEd25519);
  auto keys = KeySet::FromJwks(KeySetOf({ec.Jwk("ec"), ed.Jwk("ed")}), AlgorithmSet::All(), true);
  ASSERT_TRUE(keys.ok()) << keys.status();
  const auto verifier =
      *JwtVerifier::Create({.secrets = {kSecret},
                            .issuer = "hs",
                            .audience = {},
                            .issuers = {{"idp", "us", std::make_shared<KeySource>(*keys)}}},
                           clock);
  const std::vector<std::string> good = {
      ec.Token("ES256", R"({"sub":"u1","iss":"idp","aud":"us"})", "ec"),
      ed.Token("EdDSA", R"({"sub":"u1","iss":"idp","aud":["us"]})", "ed"),
      ed.Token("EdDSA", R"({"sub":"u1","iss":"idp","aud":["us"]})"),
      test::SignedToken(kSecret, R"({"sub":"u1","iss":"hs"})")};
  for (const std::string& token : good) ASSERT_TRUE(verifier->Verify(token).ok());
  Mutator mutator(20260101);
  for (int i = 0; i < 20'000; ++i) {
    const std::string& from = good[mutator.Below(good.size())];
    const std::string token = mutator.Mutate(from, good[mutator.Below(good.size())]);
    const bool unchanged = std::find(good.begin(), good.end(), token) != good.end();
    ASSERT_EQ(verifier->Verify(token).ok(), unchanged) << token;
  }
}

// The text within is changed before it is encoded and signed, so that it comes further.
TEST(TokenFuzz, WhatIsSignedMayBeAnything) {
  test::FakeClock clock;
  const auto verifier =
      *JwtVerifier::Create({.secrets = {kSecret}, .issuer = "hs", .audience = "us"}, clock);
  const std::string header = R"({"alg":"HS256","typ":"JWT","kid":"a"})";
  const std::string claims =
      R"({"sub":"u1","iss":"hs","aud":["us"],"exp":1e12,"nbf":0,"jti":"x","o":{"a":[1,null]}})";
  ASSERT_TRUE(verifier->Verify(test::RawToken(kSecret, header, claims)).ok());
  Mutator mutator(20260102);
  for (int i = 0; i < 20'000; ++i) {
    const std::string changed_header = mutator.Mutate(header, claims);
    const std::string changed_claims = mutator.Mutate(claims, header);
    verifier->Verify(test::RawToken(kSecret, changed_header, claims));
    const JwtResult result = verifier->Verify(test::RawToken(kSecret, header, changed_claims));
    if (!result.ok()) continue;
    ASSERT_EQ(result.claims.iss(), "hs") << changed_claims;
    ASSERT_FALSE(result.claims.aud().empty()) << changed_claims;
  }
}

TEST(TokenFuzz, KeySetsMayBeAnything) {
  const std::string text =
      KeySetOf({SigningKey(Kind::kP256).Jwk("a", R"(,"use":"sig","alg":"ES256")"),
                SigningKey(Kind::kEd25519).Jwk("b", R"(,"key_ops":["verify"])"),
                R"({"kty":"oct","k":"c2VjcmV0","kid":"c"})"});
  Mutator mutator(20260103);
  for (int i = 0; i < 5'000; ++i) {
    const std::string changed = mutator.Mutate(text, text);
    for (const bool trusted : {false, true}) {
      const auto made = KeySet::FromJwks(changed, AlgorithmSet::All(), trusted);
      ASSERT_TRUE(!made.ok() || (*made)->size() > 0);
    }
    static_cast<void>(KeySet::FromPem(changed, AlgorithmSet::All()));
  }
}

}  // namespace
}  // namespace spillway::auth
