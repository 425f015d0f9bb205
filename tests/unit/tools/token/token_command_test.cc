#include "tools/token/token_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/auth/jwt.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace spillway::tools {
namespace {

using testing::HasSubstr;

TEST(TokenCommandTest, MakesClaimsThatVerify) {
  test::FakeClock clock;
  const auto command = ParseTokenCommand({"--sub", "u1", "--claim", "assessmentId=a=1",
                                          "--claim-json", "roles=[\"admin\",2]", "--ttl=90m"});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(TokenClaims(*command, clock),
            R"({"sub":"u1","iat":1767225600,"exp":1767231000,"assessmentId":"a=1",)"
            R"("roles":["admin",2]})");
  const auto token = auth::SignHs256("secret", TokenClaims(*command, clock));
  ASSERT_TRUE(token.ok());
  auth::JwtOptions options;
  options.secrets = {"secret"};
  const auto result = (*auth::JwtVerifier::Create(options, clock))->Verify(*token);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.claims.Find("assessmentId")->string_value, "a=1");
}

TEST(TokenCommandTest, NegativeTtlIsInThePast) {
  test::FakeClock clock;
  const auto command = ParseTokenCommand({"--sub=u1", "--ttl=-1h"});
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(TokenClaims(*command, clock), R"({"sub":"u1","iat":1767225600,"exp":1767222000})");
}

TEST(TokenCommandTest, RefusesWhatItCannotRead) {
  const auto error = [](const std::vector<std::string>& args) {
    return std::string(ParseTokenCommand(args).status().message());
  };
  EXPECT_THAT(error({}), HasSubstr("--sub: is missing"));
  EXPECT_THAT(error({"--sub"}), HasSubstr("its value is missing"));
  EXPECT_THAT(error({"--sub=u", "--ttl=soon"}), HasSubstr("--ttl: write it as 1h"));
  EXPECT_THAT(error({"--sub=u", "--ttl=inf"}), HasSubstr("--ttl"));
  EXPECT_THAT(error({"--sub=u", "--claim=novalue"}), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(error({"--sub=u", "--claim=exp=1"}), HasSubstr("come from"));
  EXPECT_THAT(error({"--sub=u", "--color", "x"}), HasSubstr("--color: unknown"));
  EXPECT_TRUE(ParseTokenCommand({"--help"})->help);
}

TEST(TokenCommandTest, FindsTheSecret) {
  const auto environment = [](const std::string& name) {
    return name == "MINE" ? std::optional<std::string>("s1") : std::nullopt;
  };
  TokenCommand command;
  EXPECT_EQ(ReadSecret(command, environment).status().message(),
            "no secret in the environment variable JWT_SECRET");
  command.secret_env = "MINE";
  EXPECT_EQ(*ReadSecret(command, environment), "s1");
  test::TempDir dir;
  command.secret_file = dir.Write("secret", "s2\n");
  EXPECT_EQ(*ReadSecret(command, environment), "s2");
  command.secret_file = dir.path() + "/absent";
  EXPECT_THAT(std::string(ReadSecret(command, environment).status().message()),
              HasSubstr("no secret in the file"));
}

}  // namespace
}  // namespace spillway::tools
