#include "services/edge/dialect/json_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/edge/dialect/json_envelope.h"

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;

constexpr JsonFields kAllowed = {JsonField::kType, JsonField::kData, JsonField::kKey,
                                 JsonField::kEphemeral};

// Renders with type "t" and no key, data or flag.
std::string RenderOf(std::string_view text) {
  const auto compiled = JsonTemplate::Compile(text, kAllowed);
  if (!compiled.ok()) return std::string(compiled.status().message());
  std::string out = ">";
  compiled->Render(&out, [](JsonField field, std::string* to) {
    if (field != JsonField::kType) return false;
    to->append("\"t\"");
    return true;
  });
  return out;
}

TEST(JsonTemplate, PlaceholdersStandForValues) {
  EXPECT_EQ(RenderOf("{type}"), R"(>"t")");
  EXPECT_EQ(RenderOf(R"({"a":{type},"b":[1,{type}],"c":{}})"), R"(>{"a":"t","b":[1,"t"],"c":{}})");
  EXPECT_EQ(RenderOf(R"( { "a" : -1.5e3 , "b" : [ true , null , [] ] } )"),
            R"(>{"a":-1.5e3,"b":[true,null,[]]})");
  EXPECT_EQ(RenderOf(R"({"a\"\u00e9{x}":"{ }{not one}"})"), R"(>{"a\"\u00e9{x}":"{ }{not one}"})");
}

TEST(JsonTemplate, WhatIsAbsentIsNullFalseOrLeftOut) {
  EXPECT_EQ(RenderOf(R"({"a":{key},"b":{ephemeral}})"), R"(>{"a":null,"b":false})");
  EXPECT_EQ(RenderOf(R"({"a":1,"b":{key?},"c":{type?},"d":{ephemeral?}})"), R"(>{"a":1,"c":"t"})");
  EXPECT_EQ(RenderOf(R"({"a":{"b":{type},"c":{key?}},"d":{key?},"e":2})"),
            R"(>{"a":{"b":"t"},"e":2})");
}

TEST(JsonTemplate, EmptyTextIsAnEmptyTemplate) {
  EXPECT_TRUE(JsonTemplate::Compile("", kAllowed)->empty());
  EXPECT_TRUE(JsonTemplate::Compile(" \n", kAllowed)->empty());
  EXPECT_FALSE(JsonTemplate::Compile("0", kAllowed)->empty());
}

TEST(JsonTemplate, ErrorsNameThePlace) {
  EXPECT_EQ(RenderOf(R"({"a":{nope}})"),
            "character 6: unknown placeholder {nope}; known here: {data} {ephemeral} {key} {type}");
  EXPECT_THAT(RenderOf(R"({"a":{channel}})"), HasSubstr("unknown placeholder {channel}"));
  EXPECT_EQ(RenderOf(R"({"a":"{type}"})"),
            "character 7: a placeholder stands for a whole value: take the quotes around it away");
  EXPECT_EQ(RenderOf(R"({"a":"{type?}"})").substr(0, 12), "character 7:");
  EXPECT_EQ(RenderOf(R"({"{key}":1})").substr(0, 12), "character 3:");
  EXPECT_EQ(RenderOf(R"({"a":{key?}})"),
            "character 2: the first member of an object cannot be optional");
  EXPECT_EQ(RenderOf(R"([{key?}])"),
            "character 2: only a member of an object can be left out by '?'");
  EXPECT_EQ(RenderOf("{type"), "character 6: '}' is missing after a placeholder's name");
  EXPECT_EQ(RenderOf(R"({"a":1)"), "character 7: ',' or '}' is expected");
  EXPECT_EQ(RenderOf(R"({"a":})"), "character 6: neither a JSON value nor a placeholder");
  EXPECT_EQ(RenderOf(R"({"a":)"), "character 6: a JSON value or a placeholder is missing");
  EXPECT_EQ(RenderOf(R"({"a" 1})"), "character 6: ':' is expected after a member's name");
  EXPECT_EQ(RenderOf(R"({"a":1,})"), "character 8: a member's name in quotes is expected");
  EXPECT_EQ(RenderOf("[1 2]"), "character 4: ',' or ']' is expected");
  EXPECT_EQ(RenderOf("[1,]"), "character 4: neither a JSON value nor a placeholder");
  EXPECT_EQ(RenderOf("{} {}"), "character 4: nothing may follow the value");
  EXPECT_EQ(RenderOf(R"("abc)"), "character 1: a string does not end");
  EXPECT_EQ(RenderOf("\"a\nb\""), "character 3: a control character within a string");
  EXPECT_EQ(RenderOf(R"("\x")"), "character 2: a bad escape");
  EXPECT_EQ(RenderOf(R"("\u12g4")"), "character 2: a bad escape");
  for (const char* number : {"01", "-", "1.", "1.e3", "1e", "1e+", "-01"}) {
    EXPECT_EQ(RenderOf(number), "character 1: not a JSON number") << number;
  }
  EXPECT_THAT(RenderOf(std::string(100, '[')), HasSubstr("nested too deeply"));
}

std::string ErrorOf(const std::map<std::string, std::string, std::less<>>& overrides) {
  const auto envelope = JsonEnvelope::Compile(overrides);
  return envelope.ok() ? "" : std::string(envelope.status().message());
}

TEST(JsonEnvelope, TheDefaultIsComplete) {
  const auto envelope = JsonEnvelope::Compile({});
  ASSERT_TRUE(envelope.ok()) << envelope.status();
  EXPECT_TRUE(envelope->is_default());
  EXPECT_FALSE(envelope->snapshot_as_events());
  for (size_t i = 0; i < kJsonMessages; ++i) {
    EXPECT_FALSE((*envelope)[static_cast<JsonMessage>(i)].empty()) << i;
  }
}

TEST(JsonEnvelope, ErrorsNameTheTemplate) {
  EXPECT_EQ(ErrorOf({{"event", R"({"t":{position}})"}}).substr(0, 40),
            "envelope template 'event': character 6: ");
  EXPECT_THAT(ErrorOf({{"events", "{}"}}),
              HasSubstr("'events': there is no such message; there are connected"));
  EXPECT_THAT(ErrorOf({{"snapshot_event", "events"}}), HasSubstr("'snapshot_event': character 1"));
}

TEST(JsonEnvelope, OnlySomeMessagesMayBeLeftOut) {
  for (const char* name : {"event", "gap", "ephemeral_gap", "error", "snapshot_event"}) {
    EXPECT_EQ(ErrorOf({{name, ""}}),
              "envelope template '" + std::string(name) + "': this message cannot be left out");
  }
  for (const char* name : {"connected", "subscribed", "updated", "unsubscribed", "snapshot",
                           "joined", "checkpoint", "ping", "pong"}) {
    EXPECT_EQ(ErrorOf({{name, ""}}), "");
  }
}

TEST(JsonEnvelope, SnapshotsMayGoAsEvents) {
  const auto envelope = JsonEnvelope::Compile({{"snapshot", "events"}});
  ASSERT_TRUE(envelope.ok());
  EXPECT_TRUE(envelope->snapshot_as_events());
  EXPECT_FALSE(envelope->is_default());
}

}  // namespace
}  // namespace spillway::edge
