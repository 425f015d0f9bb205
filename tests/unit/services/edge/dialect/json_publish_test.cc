#include "services/edge/dialect/json_publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/edge/dialect/json_commands.h"

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;

std::string FailureOf(std::string_view message) {
  Command command;
  ParseFailure failure;
  if (ParseJsonCommand(message, true, {}, &command, &failure)) return "";
  return std::string(failure.code) + ": " + failure.message;
}

// What it holds as data; the reason, if it is refused.
std::string DataOf(std::string_view message) {
  Command command;
  ParseFailure failure;
  if (!ParseJsonCommand(message, true, {}, &command, &failure)) return failure.message;
  EXPECT_EQ(command.type, Command::Type::kPublish);
  return std::string(command.data);
}

TEST(JsonPublishTest, AllMembers) {
  Command command;
  ParseFailure failure;
  ASSERT_TRUE(ParseJsonCommand(R"({"type":"publish","id":4,"channel":"a:b","data":{"x":1},)"
                               R"("key":"k","idempotency_key":"i"})",
                               true, {}, &command, &failure))
      << failure.message;
  EXPECT_EQ(command.type, Command::Type::kPublish);
  EXPECT_EQ(command.id, 4);
  EXPECT_THAT(command.channels, ::testing::ElementsAre("a:b"));
  EXPECT_EQ(command.data, R"({"x":1})");
  EXPECT_EQ(command.key, "k");
  EXPECT_EQ(command.idempotency_key, "i");
  // Nothing of it is left for the next one.
  ASSERT_TRUE(ParseJsonCommand(R"({"type":"publish","channel":"c","data":2})", true, {}, &command,
                               &failure));
  EXPECT_EQ(command.key, "");
  EXPECT_EQ(command.idempotency_key, "");
  EXPECT_EQ(command.data, "2");
}

TEST(JsonPublishTest, IntegersAreOf64Bits) {
  const auto of = [](const std::string& number) {
    return FailureOf(R"({"type":"publish","channel":"c","data":{"n":)" + number + "}}");
  };
  for (const char* number : {"-9223372036854775808", "18446744073709551615", "1e300"}) {
    EXPECT_EQ(of(number), "") << number;
  }
  for (const char* number : {"-9223372036854775809", "18446744073709551616"}) {
    EXPECT_THAT(of(number), HasSubstr("bad_json")) << number;
  }
}

// As the client wrote it: a number keeps its digits.
TEST(JsonPublishTest, DataIsTheClientsOwnText) {
  const auto data = [](const std::string& value) {
    return DataOf(" {\"type\" : \"publish\", \"data\" :  " + value + " , \"channel\":\"c\"}");
  };
  for (const char* value :
       {"null", "true", "-1.50e3", "67000.10000", R"("a \" } ] , \\")", "[]", "{}",
        R"([1, {"a":"]}"} , [ ]])", R"({ "\u0064ata" : "\\" , "b":{"c":[]} })", R"("\\\"")"}) {
    EXPECT_EQ(data(value), value);
    EXPECT_EQ(DataOf(std::string(R"({"channel":"c","type":"publish","data":)") + value + "}"),
              value);
  }
  EXPECT_EQ(DataOf(R"({"type":"publish","key":"x\"}","channel":"c","d\u0061ta":7})"), "7");
}

TEST(JsonPublishTest, WhatIsMissingOrMalformedIsNamed) {
  EXPECT_EQ(FailureOf(R"({"type":"publish","data":1})"), "missing_field: 'channel' is missing");
  EXPECT_EQ(FailureOf(R"({"type":"publish","channel":"c"})"), "missing_field: 'data' is missing");
  EXPECT_EQ(FailureOf(R"({"type":"publish","channel":["c"],"data":1})"),
            "bad_message: 'channel' must be a string");
  EXPECT_EQ(FailureOf(R"({"type":"publish","channel":"c","data":1,"topic":"t"})"),
            "unknown_key: unknown member 'topic'");
  EXPECT_EQ(FailureOf(R"({"type":"publish","channel":"c","data":1,"headers":{}})"),
            "unknown_key: unknown member 'headers'");
  for (const char* key : {"key", "idempotency_key"}) {
    for (const std::string& value : {std::string("7"), std::string("\"\""),
                                     "\"" + std::string(257, 'x') + "\"", std::string("null")}) {
      EXPECT_THAT(FailureOf(std::string(R"({"type":"publish","channel":"c","data":1,")") + key +
                            "\":" + value + "}"),
                  HasSubstr("must be a string of 1 to 256 bytes"));
    }
  }
}

TEST(JsonPublishTest, NothingIsGivenTwice) {
  for (const char* member : {R"("channel":"d")", R"("data":2)", R"("key":"l")",
                             R"("idempotency_key":"j")", R"("d\u0061ta":2)"}) {
    EXPECT_THAT(FailureOf(std::string(R"({"type":"publish","channel":"c","data":1,"key":"k",)") +
                          R"("idempotency_key":"i",)" + member + "}"),
                HasSubstr("is given twice"))
        << member;
  }
}

// Consumers would not agree on what it says.
TEST(JsonPublishTest, NorIsAnythingInTheData) {
  for (const char* data :
       {R"({"a":1,"a":2})", R"({"a":1,"\u0061":2})", R"([0,{"b":{"a":1,"a":1}}])"}) {
    EXPECT_EQ(FailureOf(std::string(R"({"type":"publish","channel":"c","data":)") + data + "}"),
              "bad_message: an object in 'data' has a name twice")
        << data;
  }
  EXPECT_EQ(FailureOf(R"({"type":"publish","channel":"c","data":[{"a":1},{"a":{"a":1}}]})"), "");
}

TEST(JsonPublishTest, DataIsNotTooDeep) {
  const auto nested = [](size_t levels) {
    return FailureOf(R"({"type":"publish","channel":"c","data":)" + std::string(levels, '[') +
                     std::string(levels, ']') + "}");
  };
  EXPECT_EQ(nested(30), "");
  EXPECT_THAT(nested(40), HasSubstr("bad_json"));
}

}  // namespace
}  // namespace spillway::edge
