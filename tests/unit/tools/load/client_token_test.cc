#include "tools/load/client_token.h"

#include <gmock/gmock.h>

#include "common/auth/jwt.h"

namespace spillway::load {
namespace {

TEST(ClientTokenTest, ThereIsNoneWithoutASecret) {
  EXPECT_EQ(*ClientToken({}, 1), "");
  EXPECT_FALSE(IsTokenPerClient({}));
}

TEST(ClientTokenTest, HasTheClientsNumberAndAnEnd) {
  ClientOptions options;
  options.jwt_secret = std::string(32, 's');
  options.jwt_claims = R"({"sub":"user-{i}"})";
  EXPECT_TRUE(IsTokenPerClient(options));
  auth::JwtOptions settings;
  settings.secrets = {options.jwt_secret};
  settings.require_exp = true;
  const auto verifier = auth::JwtVerifier::Create(settings, Clock::Real());
  ASSERT_TRUE(verifier.ok());
  const auth::JwtResult result = (*verifier)->Verify(*ClientToken(options, 7));
  ASSERT_TRUE(result.ok()) << result.detail;
  EXPECT_EQ(result.claims.sub(), "user-7");
}

TEST(ClientTokenTest, TheClaimsMayBeEmptyOrBad) {
  ClientOptions options;
  options.jwt_secret = std::string(32, 's');
  options.jwt_claims = "{}";
  EXPECT_TRUE(ClientToken(options, 0).ok());
  EXPECT_FALSE(IsTokenPerClient(options));
  options.jwt_claims = "sub";
  EXPECT_FALSE(ClientToken(options, 0).ok());
}

}  // namespace
}  // namespace spillway::load
