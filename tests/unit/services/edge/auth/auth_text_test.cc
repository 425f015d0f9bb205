#include "services/edge/auth/auth_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace spillway::edge {
namespace {

using Kind = AuthVerdict::Kind;

// "" if it is understood.
std::string ErrorOf(std::string_view body, long status = 200) {
  const auto answer = ParseAuthAnswer(status, body);
  return answer.ok() ? "" : std::string(answer.status().message());
}

TEST(AuthTextTest, AsksWithWhatIsKnown) {
  EXPECT_EQ(WholeQuestion(QuestionText({.token = "t",
                                        .user = "u1",
                                        .path = "/ws",
                                        .ip = "10.0.0.1",
                                        .origin = "https://a.example",
                                        .user_agent = "x/1",
                                        .params = {{"room", "42"}, {"none", ""}},
                                        .correlation_id = "c1"}),
                          "c1"),
            R"({"token":"t","user":"u1","path":"/ws","ip":"10.0.0.1","origin":"https://a.example",)"
            R"("user_agent":"x/1","params":{"room":"42"},"correlation_id":"c1"})");
  EXPECT_EQ(WholeQuestion(QuestionText({}), ""), "{}");
  EXPECT_EQ(WholeQuestion(QuestionText({}), "c"), R"({"correlation_id":"c"})");
  EXPECT_EQ(WholeQuestion(QuestionText({.params = {{"a", "b"}}}), ""), R"({"params":{"a":"b"}})");
}

// Whatever a client sends stays a value.
TEST(AuthTextTest, NothingThatAClientSaysIsMoreThanAValue) {
  EXPECT_EQ(
      WholeQuestion(
          QuestionText({.token = "\",\"user\":\"root\"\r\nX-Admin: 1", .origin = "\xff\"}"}), "\n"),
      "{\"token\":\"\\\",\\\"user\\\":\\\"root\\\"\\r\\nX-Admin: "
      "1\",\"origin\":\"\xef\xbf\xbd\\\"}\","
      "\"correlation_id\":\"\\n\"}");
}

TEST(AuthTextTest, TheCorrelationIdTellsNoQuestionsApart) {
  EXPECT_EQ(QuestionText({.token = "t", .correlation_id = "a"}),
            QuestionText({.token = "t", .correlation_id = "b"}));
}

TEST(AuthTextTest, UnderstandsAnAnswerThatAllows) {
  const auto answer = ParseAuthAnswer(
      200,
      R"({"allowed":true,"user":"u1","claims":{"roles":["admin"]},"expires_at":1000,"max_age":1.5,)"
      R"("more":{"allowed":false}})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  const AuthVerdict& verdict = *answer->verdict;
  EXPECT_EQ(verdict.kind, Kind::kAllowed);
  EXPECT_EQ(verdict.user, "u1");
  ASSERT_TRUE(verdict.claims.has_value());
  EXPECT_EQ(verdict.claims->Find("roles")->list, std::vector<std::string>{"admin"});
  EXPECT_EQ(verdict.expires_ms, 1'000'000);
  EXPECT_EQ(answer->keep, std::chrono::milliseconds(1500));
  EXPECT_GT(answer->bytes, sizeof(AuthVerdict));

  const auto least = ParseAuthAnswer(200, R"({"allowed":true,"user":null,"claims":null})");
  ASSERT_TRUE(least.ok()) << least.status();
  EXPECT_EQ(least->verdict->user, std::nullopt);
  EXPECT_EQ(least->verdict->claims, std::nullopt);
  EXPECT_EQ(least->verdict->expires_ms, AuthVerdict::kNever);
  EXPECT_EQ(least->keep, std::nullopt);
}

TEST(AuthTextTest, TheClaimsMayNameUserAndEnd) {
  const auto answer =
      ParseAuthAnswer(200, R"({"allowed":true,"claims":{"sub":"u7","exp":50},"expires_at":70})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->verdict->user, "u7");
  EXPECT_EQ(answer->verdict->expires_ms, 50'000);
  EXPECT_EQ(ErrorOf(R"({"allowed":true,"claims":{"sub":"u7"},"user":"u8"})"),
            "'user' and the claim 'sub' differ");
  EXPECT_EQ(ParseAuthAnswer(200, R"({"allowed":true,"user":7})")->verdict->user, "7");
  EXPECT_EQ(ParseAuthAnswer(200, R"({"allowed":true,"expires_at":1e300})")->verdict->expires_ms,
            AuthVerdict::kNever);
}

TEST(AuthTextTest, UnderstandsARefusal) {
  for (const auto& [status, body, refused, reason] :
       {std::tuple(200L, R"({"allowed":false,"reason":"banned"})", 403, "banned"),
        std::tuple(401L, R"({"reason":"unknown token"})", 401, "unknown token"),
        std::tuple(403L, "<html>no</html>", 403, ""), std::tuple(401L, "", 401, ""),
        // What it says of the user counts for nothing then.
        std::tuple(200L, R"({"allowed":false,"user":{},"reason":3})", 403, "")}) {
    const auto answer = ParseAuthAnswer(status, body);
    ASSERT_TRUE(answer.ok()) << body;
    EXPECT_EQ(answer->verdict->kind, Kind::kRefused) << body;
    EXPECT_EQ(answer->verdict->status, refused) << body;
    EXPECT_EQ(answer->verdict->reason, reason) << body;
  }
  const auto shortened =
      ParseAuthAnswer(200, R"({"allowed":false,"reason":")" + std::string(1000, 'x') + "\"}");
  EXPECT_EQ(shortened->verdict->reason.size(), 200u);
}

TEST(AuthTextTest, WhateverElseComesIsNoAnswer) {
  EXPECT_EQ(ErrorOf("", 204), "answered with HTTP status 204");
  EXPECT_EQ(ErrorOf(R"({"allowed":true})", 302), "answered with HTTP status 302");
  EXPECT_EQ(ErrorOf(R"({"allowed":true})", 500), "answered with HTTP status 500");
  for (const char* body : {"", "true", "[true]", "{\"allowed\":true", "{\"allowed\":true}{}",
                           "{\"allowed\":true,\"x\":\"\xff\"}"}) {
    EXPECT_EQ(ErrorOf(body), "the answer is not a JSON object") << body;
  }
  for (const char* body : {"{}", R"({"allowed":"true"})", R"({"allowed":1})", R"({"allowed":null})",
                           R"({"Allowed":true})"}) {
    EXPECT_EQ(ErrorOf(body), "the answer has no 'allowed' that is true or false") << body;
  }
  EXPECT_EQ(ErrorOf(R"({"allowed":false,"allowed":true})"), "'allowed' is given twice");
  EXPECT_EQ(ErrorOf(R"({"allowed":true,"user":["u1"]})"), "'user' is no text");
  EXPECT_EQ(ErrorOf(R"({"allowed":true,"user":""})"), "'user' is empty");
  EXPECT_EQ(ErrorOf(R"({"allowed":true,"claims":{"sub":""}})"), "the claim 'sub' is empty");
  EXPECT_EQ(ErrorOf(R"({"allowed":true,"claims":"admin"})"), "'claims' is no object");
  EXPECT_THAT(ErrorOf(R"({"allowed":true,"claims":{"a":1,"a":2}})"),
              ::testing::HasSubstr("a claim is given twice"));
  EXPECT_THAT(ErrorOf(R"({"allowed":true,"claims":{"jti":1}})"), ::testing::HasSubstr("jti"));
  for (const char* when : {"\"soon\"", "-1", "true", "[]"}) {
    EXPECT_EQ(ErrorOf(R"({"allowed":true,"expires_at":)" + std::string(when) + "}"),
              "'expires_at' is no number of seconds");
    EXPECT_EQ(ErrorOf(R"({"allowed":true,"max_age":)" + std::string(when) + "}"),
              "'max_age' is no number of seconds");
  }
}

}  // namespace
}  // namespace spillway::edge
