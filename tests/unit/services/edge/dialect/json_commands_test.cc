#include "services/edge/dialect/json_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  bool ok = false;
  Command command;
  ParseFailure failure;
};

Parsed Parse(std::string_view message, JsonCommandLimits limits = {}, bool text = true) {
  Parsed parsed;
  parsed.ok = ParseJsonCommand(message, text, limits, &parsed.command, &parsed.failure);
  return parsed;
}

// "code: message", with the id before it if there is one.
std::string FailureOf(std::string_view message, JsonCommandLimits limits = {}, bool text = true) {
  const Parsed parsed = Parse(message, limits, text);
  if (parsed.ok) return "accepted";
  return absl::StrCat(parsed.failure.id.has_value() ? absl::StrCat(*parsed.failure.id, " ") : "",
                      Abs(parsed.failure.code), ": ", parsed.failure.message);
}

TEST(JsonCommands, Subscribe) {
  const Parsed parsed = Parse(R"({"type":"subscribe","id":1,"channels":["a","b\u00e9"]})");
  ASSERT_TRUE(parsed.ok);
  EXPECT_EQ(parsed.command.type, Command::Type::kSubscribe);
  EXPECT_EQ(parsed.command.id, 1);
  EXPECT_THAT(parsed.command.channels, ElementsAre("a", "b\xC3\xA9"));
  EXPECT_FALSE(parsed.command.snapshot.has_value());

  EXPECT_EQ(Parse(R"({"channels":["a"],"snapshot":true,"type":"subscribe"})").command.snapshot,
            true);
  EXPECT_EQ(Parse(R"({"type":"subscribe","channels":["a"],"snapshot":false})").command.snapshot,
            false);
}

TEST(JsonCommands, UnsubscribePingPong) {
  const Parsed parsed = Parse(R"( {"type":"unsubscribe","channels":["a"],"id":0} )");
  ASSERT_TRUE(parsed.ok);
  EXPECT_EQ(parsed.command.type, Command::Type::kUnsubscribe);
  EXPECT_EQ(parsed.command.id, 0);

  EXPECT_EQ(Parse(R"({"type":"ping","id":3})").command.type, Command::Type::kPing);
  EXPECT_EQ(Parse(R"({"type":"ping","id":9007199254740991})").command.id, 9007199254740991);
  EXPECT_EQ(Parse(R"({"type":"pong"})").command.type, Command::Type::kPong);
  // Heartbeats may carry what they like.
  EXPECT_TRUE(Parse(R"({"type":"pong","timestamp":17,"x":{"y":[]}})").ok);
  EXPECT_TRUE(Parse(R"({"type":"ping","timestamp":17})").ok);
}

TEST(JsonCommands, Frequency) {
  EXPECT_FALSE(Parse(R"({"type":"subscribe","channels":["a"]})").command.frequency.has_value());
  EXPECT_EQ(Parse(R"({"type":"subscribe","frequency":"low","channels":["a"]})").command.frequency,
            Frequency::kLow);
  const Parsed parsed =
      Parse(R"({"type":"update","id":4,"channels":["a","b"],"frequency":"background"})");
  ASSERT_TRUE(parsed.ok);
  EXPECT_EQ(parsed.command.type, Command::Type::kUpdate);
  EXPECT_EQ(parsed.command.id, 4);
  EXPECT_THAT(parsed.command.channels, ElementsAre("a", "b"));
  EXPECT_EQ(parsed.command.frequency, Frequency::kBackground);
  for (std::string_view name : kFrequencyNames) {
    const Parsed one =
        Parse(absl::StrCat(R"({"type":"update","channels":["a"],"frequency":")", Abs(name), "\"}"));
    ASSERT_TRUE(one.ok);
    EXPECT_EQ(NameOf(*one.command.frequency), name);
  }
}

TEST(JsonCommands, BadFrequency) {
  EXPECT_EQ(FailureOf(R"({"type":"update","id":4,"channels":["a"]})"),
            "4 missing_field: 'frequency' is missing");
  EXPECT_EQ(FailureOf(R"({"type":"update","frequency":"low"})"),
            "missing_field: 'channels' is missing");
  EXPECT_EQ(FailureOf(R"({"type":"update","channels":["a"],"frequency":"often"})"),
            "bad_frequency: unknown frequency 'often'; known are high, normal, low, background");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a"],"frequency":""})"),
            "bad_frequency: unknown frequency ''; known are high, normal, low, background");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a"],"frequency":4})"),
            "bad_message: 'frequency' must be a string");
  EXPECT_EQ(FailureOf(R"({"type":"update","channels":["a"],"frequency":"low","frequency":"high"})"),
            "bad_message: 'frequency' is given twice");
  EXPECT_EQ(FailureOf(R"({"type":"update","channels":["a"],"frequency":"low","snapshot":true})"),
            "unknown_key: unknown member 'snapshot'");
  EXPECT_EQ(FailureOf(R"({"type":"unsubscribe","channels":["a"],"frequency":"low"})"),
            "unknown_key: unknown member 'frequency'");
}

TEST(JsonCommands, Positions) {
  const Parsed parsed = Parse(
      R"({"type":"subscribe","positions":{"b":[{"slot":3,"source":"t/0@0","offset":7,"fp":9},)"
      R"({"source":"t/1@0","offset":5,"fp":1,"fp_offset":2},{"source":"t/2@0","pending":true},)"
      R"({"source":"t/3@0","offset":-1}],"a":[]},"channels":["x","a","b"]})");
  ASSERT_TRUE(parsed.ok) << parsed.failure.message;
  EXPECT_THAT(parsed.command.resumed, ElementsAre(2, 1));
  ASSERT_EQ(parsed.command.positions.size(), 4u);
  const auto text = [&](size_t n) {
    const ClaimedPosition& p = parsed.command.positions[n];
    return absl::StrCat(p.channel, " ", Abs(p.source), " ", p.pending ? "pending " : "", p.offset,
                        " ", p.fingerprint, "@", p.fingerprint_at);
  };
  EXPECT_EQ(text(0), "2 t/0@0 7 9@7");
  EXPECT_EQ(text(1), "2 t/1@0 5 1@2");
  EXPECT_EQ(text(2), "2 t/2@0 pending -1 0@-1");
  EXPECT_EQ(text(3), "2 t/3@0 -1 0@-1");
}

TEST(JsonCommands, BadPositions) {
  const auto failure = [](std::string_view positions) {
    return FailureOf(absl::StrCat(R"({"type":"subscribe","id":1,"channels":["a"],"positions":)",
                                  Abs(positions), "}"));
  };
  EXPECT_THAT(failure("[]"), HasSubstr("1 bad_position: 'positions' must be an object"));
  EXPECT_THAT(failure(R"({"b":[]})"), HasSubstr("bad_position: 'positions' has 'b' twice, or"));
  EXPECT_THAT(failure(R"({"a":[],"a":[]})"), HasSubstr("bad_position: 'positions' has 'a' twice"));
  EXPECT_THAT(failure(R"({"a":{}})"), HasSubstr("bad_position: a position is a list of entries"));
  for (std::string_view entry : {R"(7)",
                                 R"({})",
                                 R"({"source":"t/0@0"})",
                                 R"({"offset":7})",
                                 R"({"source":"","offset":7})",
                                 R"({"source":5,"offset":7})",
                                 R"({"source":"t/0@0","offset":-2})",
                                 R"({"source":"t/0@0","offset":1.5})",
                                 R"({"source":"t/0@0","offset":9007199254740992})",
                                 R"({"source":"t/0@0","offset":7,"pending":true})",
                                 R"({"source":"t/0@0","pending":false})",
                                 R"({"source":"t/0@0","pending":1})",
                                 R"({"source":"t/0@0","offset":7,"fp":65536})",
                                 R"({"source":"t/0@0","offset":7,"fp":-1})",
                                 R"({"source":"t/0@0","offset":7,"fp":"1"})",
                                 R"({"source":"t/0@0","offset":7,"fp":1.5})",
                                 R"({"source":"t/0@0","offset":7,"fp":1,"fp_offset":-2})",
                                 R"({"source":"t/0@0","offset":7,"fp":1,"fp_offset":"5"})",
                                 R"({"source":"t/0@0","offset":-9223372036854775808,"fp":1})",
                                 R"({"source":"t/0@0","offset":7,"fp":1,"fp_offset":8})"}) {
    EXPECT_THAT(failure(absl::StrCat(R"({"a":[)", Abs(entry), "]}")),
                HasSubstr("1 bad_position: an entry of a position has 'source'"))
        << entry;
  }
  EXPECT_THAT(failure(R"({"a":[{"source":"t/0@0","offset":7,"x":1}]})"),
              HasSubstr("1 unknown_key: unknown member 'x'"));
  EXPECT_THAT(FailureOf(R"({"type":"unsubscribe","channels":["a"],"positions":{}})"),
              HasSubstr("unknown_key"));
  EXPECT_THAT(FailureOf(R"({"type":"subscribe","channels":["a"],"positions":{},"positions":{}})"),
              HasSubstr("bad_message: 'positions' is given twice"));
}

TEST(JsonCommands, Acknowledgements) {
  Command command;
  ParseFailure failure;
  ASSERT_TRUE(ParseJsonCommand(
      R"({"type":"ack","positions":{"a":[{"slot":3,"offset":9},{"slot":4,"offset":-1}],"b":[]}})",
      true, {}, &command, &failure));
  EXPECT_EQ(command.type, Command::Type::kAck);
  EXPECT_EQ(command.channels.size(), 2u);
  ASSERT_EQ(command.acknowledged.size(), 2u);
  EXPECT_EQ(command.acknowledged[0].channel, "a");
  EXPECT_EQ(command.acknowledged[0].slot, 3u);
  EXPECT_EQ(command.acknowledged[0].offset, 9);
}

TEST(JsonCommands, AcknowledgementsThatAreNone) {
  EXPECT_THAT(FailureOf(R"({"type":"ack","id":1})"), HasSubstr("1 missing_field"));
  EXPECT_THAT(FailureOf(R"({"type":"ack","id":1,"channels":["a"]})"), HasSubstr("1 unknown_key"));
  EXPECT_THAT(FailureOf(R"({"type":"ack","positions":{},"positions":{}})"),
              HasSubstr("bad_message: 'positions' is given twice"));
  EXPECT_THAT(FailureOf(R"({"type":"ack","positions":[]})"), HasSubstr("bad_position"));
  EXPECT_THAT(FailureOf(R"({"type":"ack","positions":{"a":7}})"), HasSubstr("bad_position"));
  EXPECT_THAT(FailureOf(R"({"type":"ack","positions":{"a":[{"slot":3,"offset":9,"x":1}]}})"),
              HasSubstr("unknown_key"));
  for (std::string_view entry : {R"(7)", R"({})", R"({"offset":7})", R"({"slot":-1,"offset":7})",
                                 R"({"slot":"3","offset":7})", R"({"slot":4294967295,"offset":7})",
                                 R"({"slot":99999999999,"offset":7})", R"({"slot":3,"offset":-2})",
                                 R"({"slot":3,"offset":1.5})"}) {
    EXPECT_THAT(FailureOf(absl::StrCat(R"({"type":"ack","positions":{"a":[)", Abs(entry), "]}}")),
                HasSubstr("bad_position: an entry of an acknowledgement has 'slot'"))
        << entry;
  }
}

TEST(JsonCommands, ACommandLeavesNothingToTheNext) {
  Command command;
  ParseFailure failure;
  ASSERT_TRUE(ParseJsonCommand(
      R"({"type":"subscribe","id":1,"channels":["a"],"snapshot":true,"frequency":"low"})", true, {},
      &command, &failure));
  ASSERT_TRUE(ParseJsonCommand(R"({"type":"ping"})", true, {}, &command, &failure));
  EXPECT_FALSE(command.id.has_value());
  EXPECT_TRUE(command.channels.empty());
  EXPECT_FALSE(command.snapshot.has_value());
  EXPECT_FALSE(command.frequency.has_value());
}

TEST(JsonCommands, BadJson) {
  for (const char* text : {"", " ", "{", "hello", "{\"type\":\"ping\"", "{\"type\":\"ping\"}x",
                           "{'type':'ping'}", "{\"type\":\"ping\",}", "\"\\ud800\"", "nul"}) {
    EXPECT_EQ(FailureOf(text).substr(0, 20), "bad_json: not JSON: ") << text;
  }
  const std::string deep = std::string(40, '[') + "1" + std::string(40, ']');
  EXPECT_THAT(FailureOf(R"({"type":"ping","x":)" + deep + "}"), HasSubstr("bad_json"));
  EXPECT_THAT(FailureOf("\xff"), HasSubstr("bad_json"));
}

TEST(JsonCommands, BadMessage) {
  EXPECT_THAT(FailureOf("[]"), HasSubstr("bad_message: a message is a JSON object"));
  EXPECT_THAT(FailureOf("1"), HasSubstr("bad_message"));
  EXPECT_EQ(FailureOf("{}", {}, false), "bad_message: messages are text, not binary");
  EXPECT_EQ(FailureOf(R"({"type":1})"), "bad_message: 'type' must be a string");
  EXPECT_EQ(FailureOf(R"({"type":"ping","type":"ping"})"), "bad_message: 'type' is given twice");
  for (const char* id :
       {"\"1\"", "-1", "1.5", "9007199254740992", "18446744073709551615", "null"}) {
    EXPECT_THAT(FailureOf(absl::StrCat(R"({"type":"ping","id":)", id, "}")),
                HasSubstr("bad_message: 'id' must be a whole number"))
        << id;
  }
  EXPECT_EQ(FailureOf(R"({"type":"ping","id":1,"id":2})"), "1 bad_message: 'id' is given twice");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","id":5,"channels":"a"})"),
            "5 bad_message: 'channels' must be a list of strings");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a",1],"id":5})"),
            "5 bad_message: 'channels' must be a list of strings");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":[]})"), "bad_message: 'channels' is empty");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a"],"channels":["b"]})"),
            "bad_message: 'channels' is given twice");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a"],"snapshot":1})"),
            "bad_message: 'snapshot' must be true or false");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a"],"snapshot":true,"snapshot":true})"),
            "bad_message: 'snapshot' is given twice");
}

TEST(JsonCommands, MissingAndUnknown) {
  EXPECT_EQ(FailureOf(R"({"id":9})"), "9 missing_field: 'type' is missing");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","id":9})"), "9 missing_field: 'channels' is missing");
  EXPECT_EQ(
      FailureOf(R"({"type":"fly","id":2})"),
      "2 unknown_type: unknown type 'fly'; known are connect, subscribe, update, unsubscribe, "
      "publish, ack, refresh, ping, pong");
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channel":"a"})"),
            "unknown_key: unknown member 'channel'");
  EXPECT_EQ(FailureOf(R"({"type":"unsubscribe","channels":["a"],"snapshot":true})"),
            "unknown_key: unknown member 'snapshot'");
}

TEST(JsonCommands, Bounds) {
  const JsonCommandLimits limits = {.max_bytes = 60, .max_channels = 2};
  EXPECT_TRUE(Parse(R"({"type":"subscribe","channels":["a","b"]})", limits).ok);
  EXPECT_EQ(FailureOf(R"({"type":"subscribe","channels":["a","b","c"]})", limits),
            "too_many_channels: more than 2 channels in one message: send several");
  EXPECT_EQ(FailureOf(std::string(61, ' '), limits),
            "message_too_large: a message may have at most 60 bytes");
  // What a client wrote is cut, and between characters.
  std::string type = "x";
  for (int i = 0; i < 100; ++i) type += "\xC3\xA9";
  const std::string failure = FailureOf(absl::StrCat(R"({"type":")", type, "\"}"));
  EXPECT_LT(failure.size(), 200u);
  EXPECT_EQ(JsonString(failure).find("\xEF\xBF\xBD"), std::string::npos);
}

TEST(JsonCommands, LargeMessagesDoNotKeepTheirMemoryNorBreakTheNext) {
  const JsonCommandLimits limits = {.max_bytes = 4 << 20, .max_channels = 1'000'000};
  std::string big = R"({"type":"subscribe","channels":["a")";
  for (int i = 0; i < 100'000; ++i) big += R"(,"abcdefgh")";
  big += "]}";
  EXPECT_EQ(Parse(big, limits).command.channels.size(), 100'001u);
  EXPECT_TRUE(Parse(R"({"type":"ping"})").ok);
}

// Cut, changed and shuffled messages: every answer is a command or a failure with a code.
TEST(JsonCommands, AnyTextHasAnAnswer) {
  std::mt19937 random(7);
  const std::string seeds[] = {
      R"({"type":"subscribe","id":1,"channels":["a","b"],"snapshot":true})",
      R"({"type":"unsubscribe","id":2,"channels":["a.b:c/d"]})",
      R"({"type":"ping","id":3})",
      R"({"type":"pong"})",
  };
  const std::string alphabet = "{}[]\",:0123456789-.eE\\u tfn\x80\xff\x01";
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seeds[random() % 4];
    for (uint32_t i = random() % 4; i > 0; --i) {
      const size_t at = random() % (text.size() + 1);
      switch (random() % 3) {
        case 0:
          text.erase(at, random() % 5);
          break;
        case 1:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default:
          if (at < text.size()) text[at] = alphabet[random() % alphabet.size()];
      }
    }
    const Parsed parsed = Parse(text);
    accepted += parsed.ok ? 1 : 0;
    if (!parsed.ok) {
      ASSERT_FALSE(parsed.failure.code.empty()) << text;
      ASSERT_FALSE(parsed.failure.message.empty()) << text;
    } else if (parsed.command.type == Command::Type::kSubscribe) {
      ASSERT_FALSE(parsed.command.channels.empty()) << text;
    }
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace spillway::edge
