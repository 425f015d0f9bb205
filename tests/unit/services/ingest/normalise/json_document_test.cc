#include "services/ingest/normalise/json_document.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::ingest {
namespace {

// Every case with every implementation that this machine has: what is valid must not depend on the
// processor.
template <typename Body>
void ForEachImplementation(Body body) {
  auto& active = simdjson::get_active_implementation();
  const simdjson::implementation* before = active;
  for (const simdjson::implementation* one : simdjson::get_available_implementations()) {
    if (!one->supported_by_runtime_system()) continue;
    active = one;
    SCOPED_TRACE(one->name());
    body();
  }
  active = before;
}

const char* const kGood[] = {"{}",
                             "[]",
                             "null",
                             "true",
                             "0",
                             "-0",
                             "1.10",
                             "1e5",
                             "-12.5E+3",
                             "\"text\"",
                             " {\n} ",
                             "[ ]",
                             R"({"a":1,"b":[1,2,{"c":null}],"d":"\u00fc\n"})",
                             "123456789012345678901234567890",
                             "0.12345678901234567890123",
                             "1e999",
                             "\"\\ud83d\\ude00\"",
                             "[[[[]]],{}]",
                             "{\"\":1}",
                             "\"a,b]\"",
                             "{\"a\\\"b\":1}"};

const char* const kBad[] = {"",
                            " ",
                            "{",
                            "}",
                            "[",
                            "{]",
                            "[1,]",
                            "{\"a\":1,}",
                            "{\"a\"}",
                            "{\"a\" 1}",
                            "{a:1}",
                            "[1 2]",
                            "NaN",
                            "Infinity",
                            "[NaN]",
                            "[-]",
                            "[01]",
                            "[1.]",
                            "[.5]",
                            "[+1]",
                            "[1e]",
                            "[0x1]",
                            "tru",
                            "[truefalse]",
                            "[nul]",
                            "{} x",
                            "{}{}",
                            "[1][",
                            "1 2",
                            "1,2",
                            "1],[2",
                            "\"a",
                            "[\"a]",
                            "'a'",
                            "[\"\\x\"]",
                            "[\"\\ud800\"]",
                            "[\"\n\"]",
                            "[\"a\tb\"]",
                            "[\"\\u12\"]",
                            "{\"a\":1,\"a\":2}",
                            "{\"a\":1,\"\\u0061\":2}",
                            "[\"\xff\"]",
                            "[\"\xc0\x80\"]",
                            "{\"b\":{\"a\":1,\"a\":2}}",
                            "[,1]",
                            "{,}",
                            "{\"a\":}",
                            "// x\n1",
                            "\xef\xbb\xbf{}",
                            "[1}",
                            "{\"a\":[}",
                            "true false"};

TEST(JsonDocumentTest, Good) {
  ForEachImplementation([] {
    JsonDocument document;
    for (const char* text : kGood) EXPECT_TRUE(document.Parse(text)) << text << document.error();
  });
}

TEST(JsonDocumentTest, Bad) {
  ForEachImplementation([] {
    JsonDocument document;
    for (const char* text : kBad) {
      EXPECT_FALSE(document.Parse(text)) << text;
      EXPECT_TRUE(document.empty());
      EXPECT_FALSE(document.error().empty());
    }
  });
}

TEST(JsonDocumentTest, FindsValuesAndKeepsThemAsWritten) {
  JsonDocument document;
  ASSERT_TRUE(document.Parse(
      R"( {"price" : 1.10 , "big":123456789012345678901234567890,"s":"\u00fc","list":[1,{"x":[true]} ],)"
      R"("a/b":{"~":null}, "e":{ } } )"));
  const auto raw = [&](const char* pointer) {
    const JsonNode* node = document.Find(*ParseJsonPointer(pointer));
    return node == nullptr ? std::string("absent") : std::string(node->raw);
  };
  EXPECT_EQ(raw("/price"), "1.10");
  EXPECT_EQ(raw("/big"), "123456789012345678901234567890");
  EXPECT_EQ(raw("/s"), "\"\\u00fc\"");
  EXPECT_EQ(document.Find({"s"})->text, "\u00fc");
  EXPECT_EQ(raw("/list"), "[1,{\"x\":[true]} ]");
  EXPECT_EQ(raw("/list/0"), "1");
  EXPECT_EQ(raw("/list/1/x/0"), "true");
  EXPECT_EQ(raw("/list/2"), "absent");
  EXPECT_EQ(raw("/list/01"), "absent");
  EXPECT_EQ(raw("/list/-"), "absent");
  EXPECT_EQ(raw("/a~1b/~0"), "null");
  EXPECT_EQ(raw("/e"), "{ }");
  EXPECT_EQ(raw("/e/x"), "absent");
  EXPECT_EQ(raw("/price/x"), "absent");
  EXPECT_EQ(raw("").front(), '{');
  EXPECT_EQ(raw("").back(), '}');
}

TEST(JsonDocumentTest, ManyNames) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i)
    text += "\"n" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  const std::string whole = text + "\"last\":0}";
  JsonDocument document;
  EXPECT_TRUE(document.Parse(whole));
  EXPECT_EQ(document.Find({"n999"})->raw, "999");
  EXPECT_FALSE(document.Parse(text + "\"n500\":0}"));
  EXPECT_EQ(document.error(), "a name occurs twice in an object");
}

TEST(JsonDocumentTest, UnescapesWhatIsEscaped) {
  JsonDocument document;
  const std::string text =
      R"({"\u0061\n":"\"\\\/\b\f\n\r\t", "plain":"x", "u":"\u00e9\u20AC\ud83d\uDE00\u0000!"})";
  ASSERT_TRUE(document.Parse(text)) << document.error();
  ASSERT_NE(document.Find({"a\n"}), nullptr);
  EXPECT_EQ(document.Find({"a\n"})->text, "\"\\/\b\f\n\r\t");
  EXPECT_EQ(document.Find({"plain"})->text, "x");
  EXPECT_EQ(document.Find({"u"})->text, std::string("\u00e9\u20AC\U0001F600\0!", 11));
  for (const char* bad : {R"("\udc00")", R"("\ud800\u0041")", R"("\ud800x")", R"("\ud83d\ude0")",
                          R"("\u00g0")", R"("\)", R"("\u)"}) {
    EXPECT_FALSE(document.Parse(bad)) << bad;
  }
}

// Strings are looked at in words: what ends one is found wherever it stands in them.
TEST(JsonDocumentTest, FindsTheEndOfAStringWhereverItStands) {
  JsonDocument document;
  for (size_t before = 0; before < 20; ++before) {
    const std::string plain(before, '!');  // next to the quote, whose borrow must not be seen
    for (int value = 0; value < 256; ++value) {
      const char c = static_cast<char>(value);
      const std::string text = "[\"" + plain + c + "\", \"" + plain + "\"]";
      const bool good = value >= 0x20 && value < 0x80 && c != '"' && c != '\\';
      EXPECT_EQ(document.Parse(text), good) << value << " at " << before;
      if (good) {
        EXPECT_EQ(document.Find({"0"})->text, plain + c);
        EXPECT_EQ(document.Find({"1"})->text, plain);
      }
    }
  }
}

// What lies behind the text is never read: it ends with the allocation.
TEST(JsonDocumentTest, ReadsNothingBehindTheText) {
  JsonDocument document;
  const std::string_view text = R"({"name":"a \u00e9 string","list":[1.5e3,true,null]})";
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::vector<char> exact(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(document.Parse({exact.data(), exact.size()}), size == text.size()) << size;
  }
}

TEST(JsonDocumentTest, DepthIsBounded) {
  JsonDocument document;
  EXPECT_TRUE(document.Parse(std::string(128, '[') + std::string(128, ']')));
  EXPECT_FALSE(document.Parse(std::string(200, '[') + std::string(200, ']')));
  EXPECT_FALSE(document.Parse(std::string(100000, '[')));
  EXPECT_TRUE(document.Parse("{}"));
}

// Mutated texts: what is accepted must be accepted by simdjson's other parser, too, and the other
// way round, except for what we refuse (duplicate names) or take (long numbers) on purpose.
TEST(JsonDocumentTest, AgreesWithTheDomParser) {
  std::mt19937 random(42);
  const std::string base = R"({"a":[1,2.5,-3e4,"x\n\u00e9"],"b":{"c":true,"d":null},"e":"f"})";
  const std::string letters = "{}[],:\"\\0123.eE+-truefalsn \x01\xc3\xa9";
  simdjson::dom::parser dom;
  JsonDocument document;
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string text = base;
    for (size_t edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % text.size();
      const char letter = letters[random() % letters.size()];
      switch (random() % 3) {
        case 0:
          text[at] = letter;
          break;
        case 1:
          text.insert(at, 1, letter);
          break;
        default:
          text.erase(at, 1);
      }
    }
    const auto error = dom.parse(text).error();
    const bool ours = document.Parse(text);
    accepted += ours ? 1 : 0;
    if (ours && error == simdjson::NUMBER_ERROR) continue;  // out of a double's range
    if (!ours && document.error() == "a name occurs twice in an object") continue;
    ASSERT_EQ(ours, error == simdjson::SUCCESS) << text << "\n" << document.error();
  }
  EXPECT_GT(accepted, 5000);
}

TEST(JsonPointerTest, Parses) {
  EXPECT_EQ(*ParseJsonPointer(""), JsonPointer{});
  EXPECT_EQ(*ParseJsonPointer("/"), JsonPointer{""});
  EXPECT_EQ(*ParseJsonPointer("/a~01/b"), (JsonPointer{"a~1", "b"}));
  EXPECT_FALSE(ParseJsonPointer("a"));
  EXPECT_FALSE(ParseJsonPointer("/a~"));
  EXPECT_FALSE(ParseJsonPointer("/a~2"));
}

}  // namespace
}  // namespace spillway::ingest
