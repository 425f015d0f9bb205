#include "services/ingest/normalise/text_template.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace spillway::ingest {
namespace {

class TextTemplateTest : public testing::Test {
 protected:
  TextTemplateTest() {
    topic_ = {"market.btc.ticks", {"market", "btc", "ticks"}, {"market.btc.ticks", "btc", ""}};
    EXPECT_TRUE(json_.Parse(
        R"({"a":{"b":"deep"},"n":1.50,"t":true,"null":null,"empty":"","o":{},"x|y":1,"arr":["z"]})"));
    record_.key = "the-key";
    record_.headers = headers_;
  }

  std::string Render(const std::string& text) {
    const auto parsed = TextTemplate::Parse(text, limits_);
    if (!parsed.ok()) return "error: " + std::string(parsed.status().message());
    const TextTemplate bound = parsed->ForTopic(topic_);
    std::string out = "<";
    std::string_view missing;  // of `bound`
    if (!bound.Render({record_, json_}, out, &missing)) {
      EXPECT_EQ(out, "<");
      return "missing: " + std::string(missing);
    }
    return out.substr(1);
  }
  std::string Pattern(const std::string& text) {
    return TextTemplate::Parse(text, limits_)->ForTopic(topic_).Pattern();
  }

  Source::Limits limits_{true, 2};
  TopicParts topic_;
  JsonDocument json_;
  HeaderView headers_[2] = {{"user", "u1"}, {"user", "u2"}};
  RecordInput record_;
};

TEST_F(TextTemplateTest, Renders) {
  EXPECT_EQ(Render(""), "");
  EXPECT_EQ(Render("plain"), "plain");
  EXPECT_EQ(Render("a:{key}"), "a:the-key");
  EXPECT_EQ(Render("{topic}/{topic.2}"), "market.btc.ticks/btc");
  EXPECT_EQ(Render("{topic.match.1}"), "btc");
  EXPECT_EQ(Render("{topic.match.2|key}"), "the-key");
  EXPECT_EQ(Render("{header.user}"), "u1");
  EXPECT_EQ(Render("{/a/b}"), "deep");
  EXPECT_EQ(Render("{json./a/b}"), "deep");
  EXPECT_EQ(Render("{/n}"), "1.50");
  EXPECT_EQ(Render("{/t}"), "true");
  EXPECT_EQ(Render("{/arr/0}"), "z");
  EXPECT_EQ(Render("{{{key}}}"), "{the-key}");
  EXPECT_EQ(Render("{/none|header.none|key}"), "the-key");
  EXPECT_EQ(Render("{/null|key}"), "the-key");
  EXPECT_EQ(Render("{/empty|key}"), "the-key");
  EXPECT_EQ(Render("{/o|key}"), "the-key");
  EXPECT_EQ(Render("{topic.9|key}"), "the-key");
}

TEST_F(TextTemplateTest, Missing) {
  EXPECT_EQ(Render("x{/none}"), "missing: /none");
  EXPECT_EQ(Render("{/none|/null}"), "missing: /none|/null");
  EXPECT_EQ(Render("{header.none}"), "missing: header.none");
  EXPECT_EQ(Render("{topic.9}"), "missing: topic.9");
  record_.key = "";
  EXPECT_EQ(Render("{key}"), "missing: key");
  record_.key.reset();
  EXPECT_EQ(Render("{key}"), "missing: key");
}

TEST_F(TextTemplateTest, Errors) {
  EXPECT_EQ(Render("a{key"), "error: a { without its }; write {{ for a brace");
  EXPECT_EQ(Render("a}"), "error: a } without its {; write }} for a brace");
  EXPECT_EQ(Render("{}").substr(0, 16), "error: \"\" is not");
  EXPECT_EQ(Render("{symbol}"),
            "error: \"symbol\" is not key, header.NAME, topic, topic.N, topic.match.N or a JSON "
            "pointer such as /a/b");
  EXPECT_EQ(Render("{topic.0}"),
            "error: \"topic.0\" does not name a part of the topic; they count from 1");
  EXPECT_EQ(Render("{topic.match.3}"),
            "error: \"topic.match.3\" names a group, but topics_regex has 2");
  EXPECT_EQ(Render("{/a~x}"), "error: \"/a~x\" is not a JSON pointer: ~ stands only before 0 or 1");
  limits_.pointers = false;
  EXPECT_EQ(Render("{/a}"), "error: \"/a\" is a JSON pointer, but raw values are not looked into");
}

TEST_F(TextTemplateTest, Patterns) {
  EXPECT_EQ(Pattern("price:{/s}"), "price:**");
  EXPECT_EQ(Pattern("{topic.2}:{/s|key}{key}.x"), "btc:**.x");
  EXPECT_EQ(Pattern("{topic.2}"), "btc");
}

// Random templates against a model that knows what each piece gives.
TEST_F(TextTemplateTest, RandomTemplates) {
  const std::pair<const char*, const char*> pieces[] = {{"x", "x"},
                                                        {"{{", "{"},
                                                        {"}}", "}"},
                                                        {"{key}", "the-key"},
                                                        {"{/a/b}", "deep"},
                                                        {"{/n}", "1.50"},
                                                        {":", ":"},
                                                        {"{topic.1}", "market"},
                                                        {"{/none|/t}", "true"},
                                                        {"{header.user}", "u1"},
                                                        {"\xc3\xbc", "\xc3\xbc"}};
  std::mt19937 random(99);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    std::string expected;
    for (size_t count = random() % 8; count > 0; --count) {
      const auto& [piece, gives] = pieces[random() % std::size(pieces)];
      text += piece;
      expected += gives;
    }
    // "{" + "{{" reads as "{{" + "{": only unambiguous neighbours are a fair test.
    if (text.find("{{{") != std::string::npos || text.find("}}}") != std::string::npos) continue;
    ASSERT_EQ(Render(text), expected) << text;
  }
}

// Whatever the bytes, parsing ends with a template or an error.
TEST_F(TextTemplateTest, RandomBytes) {
  const std::string letters = "{}|/~.keytopicmatchhader019\xff";
  std::mt19937 random(5);
  for (int i = 0; i < 50000; ++i) {
    std::string text;
    for (size_t count = random() % 24; count > 0; --count)
      text += letters[random() % letters.size()];
    Render(text);
  }
}

}  // namespace
}  // namespace spillway::ingest
