#include "services/edge/app/token_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "services/edge/app/app_endpoints.h"
#include "services/edge/app/app_readiness.h"
#include "tests/support/fake_clock.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/signing_key.h"
#include "tests/support/temp_dir.h"

namespace spillway::edge {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using Kind = test::SigningKey::Kind;

class TokenKeysTest : public ::testing::Test {
 protected:
  // Of one endpoint whose auth is this.
  absl::StatusOr<std::unique_ptr<EndpointSet>> Make(const std::string& auth) {
    config::Sources sources;
    sources.files = {
        dir_.Write("edge.yaml", absl::StrCat("edge:\n  default_access: authenticated\n  ingests: "
                                             "{addresses: ['i:1']}\n  endpoints:\n"
                                             "    - path: /ws\n      auth: {",
                                             auth, "}\n"))};
    auto loaded = config::Load(sources, config::Environment::Real());
    if (!loaded.ok()) return loaded.status();
    auto set = EndpointSet::Create(loaded->config.edge(), clock_);
    if (!set.ok()) {
      return absl::InvalidArgumentError(
          loaded->locations.Locate(std::string(set.status().message())));
    }
    return set;
  }
  std::string ErrorOf(const std::string& auth) {
    const auto set = Make(auth);
    return set.ok() ? "ok" : std::string(set.status().message());
  }
  static auth::JwtError Verify(const EndpointSet& set, const std::string& token) {
    return set.endpoints()[0]->verifier()->Verify(token).error;
  }

  test::TempDir dir_;
  test::FakeClock clock_;
  const test::SigningKey ec_{Kind::kP256};
};

TEST_F(TokenKeysTest, EveryPlaceOfKeys) {
  const std::string pem = dir_.Write("key.pem", ec_.PublicPem());
  const std::string jwks = dir_.Write("keys.json", test::KeySetOf({ec_.Jwk("a")}));
  const std::string secrets = dir_.Write("secrets", "one secret\nanother secret\n");
  const auto set = Make(absl::StrCat(
      "secret: the short form, issuer: short, issuers: [{issuer: pem, public_key_file: '", pem,
      "'}, {issuer: jwks, jwks_file: '", jwks, "', algorithms: [ES256, RS256]}, {issuer: lines, ",
      "secret_file: '", secrets, "'}, {issuer: plain, audience: us, secret: a plain secret}]"));
  ASSERT_TRUE(set.ok()) << set.status();
  const auto claims = [](const char* iss) { return absl::StrCat(R"({"iss":")", iss, "\"}"); };
  using auth::JwtError;
  EXPECT_EQ(Verify(**set, test::SignedToken("the short form", claims("short"))), JwtError::kNone);
  EXPECT_EQ(Verify(**set, ec_.Token("ES256", claims("pem"))), JwtError::kNone);
  EXPECT_EQ(Verify(**set, ec_.Token("ES256", claims("jwks"), "a")), JwtError::kNone);
  EXPECT_EQ(Verify(**set, test::SignedToken("one secret", claims("lines"))), JwtError::kNone);
  EXPECT_EQ(Verify(**set, test::SignedToken("another secret", claims("lines"))), JwtError::kNone);
  EXPECT_EQ(Verify(**set, test::SignedToken("another secret", claims("short"))),
            JwtError::kBadSignature);
  EXPECT_EQ(Verify(**set, test::SignedToken("a plain secret", claims("plain"))),
            JwtError::kWrongAudience);
  EXPECT_EQ((*set)->warnings().size(), 1u);
  EXPECT_EQ((*set)->keys().sources().size(), 3u);
  EXPECT_EQ(ErrorOf("required: true, require_exp: true, issuers: [{secret: x}]"), "ok");
}

TEST_F(TokenKeysTest, ErrorsNameThePlace) {
  const std::string weak = dir_.Write("weak.pem", test::SigningKey(Kind::kRsa, 1024).PublicPem());
  const std::string ec = dir_.Write("ec.pem", ec_.PublicPem());
  const std::string text = dir_.Write("text", "nothing");
  const auto of = [&](const std::string& issuer) {
    const std::string error = ErrorOf(absl::StrCat("issuers: [{", issuer, "}]"));
    EXPECT_THAT(error, HasSubstr("edge.yaml:6: edge.endpoints[0].auth.issuers[0]"));
    return error;
  };
  constexpr char kOneOf[] =
      "issuers[0]: needs one of secret, secret_file, public_key_file, jwks_file and jwks_url";
  EXPECT_THAT(of("issuer: a"), EndsWith(kOneOf));
  EXPECT_THAT(of("secret: a, jwks_url: 'https://a/'"), EndsWith(kOneOf));
  EXPECT_THAT(of("secret: a, algorithms: [none]"), HasSubstr(".algorithms[0]: expected HS256"));
  EXPECT_THAT(of("secret: a, algorithms: [RS256]"),
              HasSubstr(".secret: none of the allowed algorithms fits the key"));
  EXPECT_THAT(of(absl::StrCat("public_key_file: '", weak, "'")),
              EndsWith(".public_key_file: an RSA key of 1024 bits is too weak: 2048 is the least"));
  EXPECT_THAT(of(absl::StrCat("public_key_file: '", ec, "', algorithms: [HS256]")),
              HasSubstr(".public_key_file: none of the allowed algorithms fits the key"));
  EXPECT_THAT(of(absl::StrCat("public_key_file: '", text, "'")), HasSubstr("no public key"));
  EXPECT_THAT(of("public_key_file: /nowhere"),
              EndsWith(".public_key_file: the file /nowhere cannot be read"));
  EXPECT_THAT(of(absl::StrCat("jwks_file: '", text, "'")), EndsWith(".jwks_file: no JSON object"));
  EXPECT_THAT(of("jwks_url: 'file:///etc/passwd'"), HasSubstr(".jwks_url: expected an address"));
  EXPECT_THAT(of("jwks_url: 'https://a/', algorithms: [HS256]"), HasSubstr(".algorithms: "));
  EXPECT_THAT(of("jwks_url: 'https://a/', ca_file: /nowhere"),
              EndsWith(".ca_file: the file /nowhere cannot be read"));
  EXPECT_THAT(ErrorOf("required: true"), HasSubstr("auth.secret: tokens are required"));
}

TEST_F(TokenKeysTest, OnePlaceIsLoadedOnce) {
  const std::string pem = dir_.Write("key.pem", ec_.PublicPem());
  const auto set =
      Make(absl::StrCat("issuers: [{issuer: a, jwks_url: 'https://u:p@keys.example/jwks?k=v'}, "
                        "{issuer: b, jwks_url: ",
                        "'https://u:p@keys.example/jwks?k=v'}, {issuer: c, public_key_file: '", pem,
                        "'}, {issuer: d, public_key_file: '", pem, "'}]"));
  ASSERT_TRUE(set.ok()) << set.status();
  const auto sources = (*set)->keys().sources();
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].name, "https://keys.example/jwks");  // without what must not be shown
  EXPECT_TRUE(sources[0].remote);
  EXPECT_EQ(sources[0].status.keys, 0u);
  EXPECT_EQ(sources[1].status.keys, 1u);
  EXPECT_EQ(Verify(**set, ec_.Token("ES256", R"({"iss":"a"})")), auth::JwtError::kKeysUnavailable);
}

TEST_F(TokenKeysTest, ReadinessTellsOfKeys) {
  lifecycle::Readiness readiness(clock_, {});
  EdgeReadiness edge(readiness, std::chrono::seconds(1));
  const auto state = [&](std::vector<TokenKeys::Source> sources) {
    edge.UpdateKeys(sources);
    const std::string json = readiness.Render().json;
    const size_t at = json.find("\"keys\":\"");
    return at == std::string::npos ? "" : json.substr(at + 8, json.find('"', at + 8) - at - 8);
  };
  EXPECT_EQ(state({}), "");
  EXPECT_EQ(state({{.name = "u", .remote = true, .status = {.error = {}}}}), "1 missing");
  EXPECT_EQ(state({{.name = "u", .remote = true, .status = {.keys = 2, .error = {}}}}), "loaded");
  EXPECT_EQ(state({{.name = "u", .remote = true, .status = {.keys = 2, .error = "down"}}}),
            "stale");
  EXPECT_THAT(readiness.Render().json, HasSubstr("u: down"));
}

}  // namespace
}  // namespace spillway::edge
