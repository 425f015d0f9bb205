#include "common/audit/audit_line.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

namespace spillway::audit {
namespace {

Record Example() {
  return {.category = Category::kAdmin,
          .action = "BlockUser",
          .actor = "alice",
          .source = "10.0.0.1",
          .correlation_id = "c1",
          .target = "user_id: \"u1\"",
          .outcome = "ok"};
}

std::string Members(const Record& record) {
  std::string text;
  AppendMembers(&text, record);
  return text;
}

// What a reader of the line sees as the value.
std::string Read(const std::string& members, std::string_view key) {
  simdjson::dom::parser parser;
  const simdjson::padded_string json("{\"first\":1" + members + "}");
  std::string_view value;
  EXPECT_EQ(parser.parse(json)[key].get_string().get(value), simdjson::SUCCESS) << members;
  return std::string(value);
}

TEST(AuditLine, HasItsMembersInOneOrder) {
  EXPECT_EQ(Members(Example()),
            ",\"category\":\"admin\",\"action\":\"BlockUser\",\"actor\":\"alice\",\"source\":"
            "\"10.0.0.1\",\"correlation_id\":\"c1\",\"target\":\"user_id: \\\"u1\\\"\",\"outcome\":"
            "\"ok\"");
}

TEST(AuditLine, SaysTheRestWhereThereIsSome) {
  Record record = Example();
  record.reason = "why";
  record.connection = "abc";
  record.close_code = 4009;
  record.count = 7;
  EXPECT_TRUE(Members(record).ends_with(
      ",\"reason\":\"why\",\"connection\":\"abc\",\"close_code\":4009,\"count\":7"));
}

// Whatever a peer has us write, it stays one line, one value, and valid JSON.
TEST(AuditLine, HostileValuesStayWithinTheirValue) {
  const std::string hostile[] = {
      "a\nb\r\nc",
      "\"},{\"type\":\"audit\",\"outcome\":\"ok\"",
      std::string("nul\0in", 6),
      "\x1b[2J\x07 bell \x7f",
      "back\\slash\\",
      "\xe2\x80\xa8 line separator",
      "not utf-8: \xff\xfe \xc3( \xed\xa0\x80",
      "half a character \xe2\x82",
  };
  for (const std::string& value : hostile) {
    Record record = Example();
    record.actor = value;
    record.target = value;
    record.reason = value;
    const std::string members = Members(record);
    for (const char c : members) {
      EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7F) << members;
    }
    EXPECT_EQ(Read(members, "outcome"), "ok");
    EXPECT_EQ(Read(members, "category"), "admin");
    EXPECT_FALSE(Read(members, "actor").empty());
  }
}

TEST(AuditLine, LongValuesAreCutBetweenCharacters) {
  for (size_t shift = 0; shift < 4; ++shift) {
    std::string value(shift, 'a');
    while (value.size() < 100'000) value += "\xf0\x9f\x98\x80";
    Record record = Example();
    record.target = value;
    const std::string shown = Read(Members(record), "target");
    EXPECT_LE(shown.size(), kMaxValueBytes);
    EXPECT_TRUE(shown.ends_with("\xf0\x9f\x98\x80...")) << shown.substr(shown.size() - 10);
  }
  Record record = Example();
  const std::string longest(kMaxValueBytes, 'x');
  record.target = longest;
  EXPECT_EQ(Read(Members(record), "target"), longest);
}

}  // namespace
}  // namespace spillway::audit
