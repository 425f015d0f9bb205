#include "common/http/path_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace spillway::http {
namespace {

using ::testing::HasSubstr;

// "name=value ..." in order; "no" if the path is another one.
std::string Match(std::string_view text, std::string_view path) {
  const auto parsed = PathTemplate::Parse(text);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  if (!parsed.ok()) return "";
  const auto values = parsed->Match(path);
  if (!values.has_value()) return "no";
  std::string all;
  for (const auto& [name, value] : *values) {
    all += std::string(name) + "=" + std::string(value) + " ";
  }
  return all;
}

TEST(PathTemplate, WithoutPlaceholders) {
  EXPECT_EQ(Match("/ws", "/ws"), "");
  EXPECT_EQ(Match("/ws", "/ws/"), "no");
  EXPECT_EQ(Match("/ws/", "/ws/"), "");
  EXPECT_EQ(Match("/", "/"), "");
  EXPECT_EQ(Match("/ws", ""), "no");
}

TEST(PathTemplate, Placeholders) {
  EXPECT_EQ(Match("/ws/{id}", "/ws/u1"), "id=u1 ");
  EXPECT_EQ(Match("/{a}/x/{b}", "/1/x/2"), "a=1 b=2 ");
  EXPECT_EQ(Match("/ws/{id}", "/ws/a b"), "id=a b ");
  EXPECT_EQ(Match("/ws/{id}", "/ws/{id}"), "id={id} ");
  for (const char* other :
       {"/ws", "/ws/", "/ws//", "/ws/a/", "/ws/a/b", "/wsx/a", "//a", "ws/a", "", "/ws/a//"}) {
    EXPECT_EQ(Match("/ws/{id}", other), "no") << other;
  }
  EXPECT_EQ(Match("/ws/{id}/", "/ws/a/"), "id=a ");
  EXPECT_EQ(Match("/ws/{id}/", "/ws/a"), "no");
}

TEST(PathTemplate, Shapes) {
  EXPECT_EQ(PathTemplate::Parse("/ws/{a}/x")->Shape(), PathTemplate::Parse("/ws/{b}/x")->Shape());
  EXPECT_NE(PathTemplate::Parse("/ws/{a}")->Shape(), PathTemplate::Parse("/ws/a")->Shape());
  EXPECT_EQ(PathTemplate::Parse("/ws")->Shape(), "/ws");
}

TEST(PathTemplate, Mistakes) {
  const auto error = [](std::string_view text) {
    return std::string(PathTemplate::Parse(text).status().message());
  };
  EXPECT_EQ(error("ws"), "the path must begin with '/'");
  EXPECT_EQ(error(""), "the path must begin with '/'");
  EXPECT_EQ(error("/{a}/{a}"), "placeholder 'a' is given twice");
  for (const char* wrong : {"/a{b}", "/{b}c", "/{}", "/{a", "/a}", "/{{a}}", "/{a}{b}"}) {
    EXPECT_THAT(error(wrong), HasSubstr("a whole segment with a name")) << wrong;
  }
}

}  // namespace
}  // namespace spillway::http
