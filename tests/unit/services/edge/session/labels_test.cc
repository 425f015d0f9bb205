// Labels of connections: from configuration, bounded, and shared.

#include "services/edge/session/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

using Templates = std::map<std::string, std::string, std::less<>>;

std::string Mistake(const Templates& templates) {
  return std::string(LabelRules::Compile(templates).status().message());
}

TEST(LabelRules, SayWhatIsWrong) {
  EXPECT_EQ(Mistake({{"device", "{header.x-device}"}, {"tier", "gold"}}), "");
  EXPECT_THAT(Mistake({{"Device", "x"}}), HasSubstr("a name has 1 to 32"));
  EXPECT_THAT(Mistake({{std::string(33, 'a'), "x"}}), HasSubstr("a name has 1 to 32"));
  EXPECT_THAT(Mistake({{"a", ""}}), HasSubstr("it has no value"));
  EXPECT_THAT(Mistake({{"a", "{"}}), HasSubstr("in pairs"));
  EXPECT_THAT(Mistake({{"a", "}"}}), HasSubstr("in pairs"));
  EXPECT_THAT(Mistake({{"a", "{subject}"}}), HasSubstr("known are {sub}"));
  EXPECT_THAT(Mistake({{"a", "{claim.}"}}), HasSubstr("known are {sub}"));
  EXPECT_THAT(Mistake({{"a", std::string(65, 'x')}}), HasSubstr("too long"));
  Templates many;
  for (int i = 0; i < 9; ++i) many[std::to_string(i)] = "x";
  EXPECT_THAT(Mistake(many), HasSubstr("at most 8"));
}

TEST(LabelRules, TakeValuesFromTheRequestTheTokenAndTheParameters) {
  const auto rules = *LabelRules::Compile({{"a", "{header.X-Device}/{query.v}"},
                                           {"b", "{sub}"},
                                           {"c", "{claim.plan}"},
                                           {"d", "{param.room}"},
                                           {"e", "gold"},
                                           {"f", "{claim.absent}"},
                                           {"g", "{query.v}"}});
  http::Request request;
  request.headers = {{"x-device", "phone"}};
  request.query = {{"v", "7"}};
  const auto claims = *auth::Claims::Parse(R"({"sub":"u1","plan":"pro"})");
  const ClientValues client{.claims = &claims, .params = {{"room", "r1"}}};
  EXPECT_THAT(rules.Expand(client, rules.InputsOf(request)),
              ElementsAre(Pair("a", "phone/7"), Pair("b", "u1"), Pair("c", "pro"), Pair("d", "r1"),
                          Pair("e", "gold"), Pair("g", "7")));
  EXPECT_THAT(rules.Expand(ClientValues(), rules.InputsOf(http::Request())),
              ElementsAre(Pair("e", "gold")))
      << "what is absent is left out";
}

TEST(LabelRules, ShowNothingThatIsNoText) {
  const auto rules = *LabelRules::Compile({{"a", "{query.v}"}, {"b", "{query.v}{query.v}"}});
  const auto of = [&](std::string value) {
    http::Request request;
    request.query = {{"v", std::move(value)}};
    const LabelList labels = rules.Expand(ClientValues(), rules.InputsOf(request));
    return labels.empty() ? "" : labels[0].second;
  };
  EXPECT_EQ(of("ok"), "ok");
  EXPECT_EQ(of("a\nb"), "");
  EXPECT_EQ(of("\xff"), "");
  EXPECT_EQ(of("\x7f"), "");
  EXPECT_EQ(of(std::string(100, 'x')), std::string(64, 'x'));
  EXPECT_EQ(of(std::string(63, 'x') + "\u00e9"), std::string(63, 'x')) << "not half a character";
  http::Request request;
  request.query = {{"v", std::string(64, 'x')}};
  EXPECT_EQ(rules.Expand(ClientValues(), rules.InputsOf(request))[1].second.size(), 64u);
}

TEST(LabelFilterTest, IsANameAndAValue) {
  const LabelList labels = {{"device", "phone"}, {"plan", "a=b"}};
  EXPECT_TRUE(LabelFilter::Parse("device=phone")->Matches(labels));
  EXPECT_TRUE(LabelFilter::Parse("plan=a=b")->Matches(labels));
  EXPECT_FALSE(LabelFilter::Parse("device=pad")->Matches(labels));
  EXPECT_FALSE(LabelFilter::Parse("other=phone")->Matches(labels));
  for (const char* bad : {"", "device", "device=", "=phone", "De=x"}) {
    EXPECT_FALSE(LabelFilter::Parse(bad).ok()) << bad;
  }
}

TEST(LabelSetsTest, KeepEachSetOnce) {
  LabelSets sets;
  {
    const LabelSets::Share a = sets.Of({{"device", "phone"}});
    LabelSets::Share b = sets.Of({{"device", "phone"}});
    const LabelSets::Share c = sets.Of({{"device", "pad"}});
    const LabelSets::Share none = sets.Of({});
    EXPECT_EQ(sets.size(), 2u);
    EXPECT_EQ(&a.labels(), &b.labels());
    EXPECT_THAT(none.labels(), IsEmpty());
    b = sets.Of({{"device", "pad"}});
    EXPECT_THAT(b.labels(), ElementsAre(Pair("device", "pad")));
    EXPECT_THAT(a.labels(), ElementsAre(Pair("device", "phone")));
  }
  EXPECT_EQ(sets.size(), 0u);
}

class LabelledSession : public SessionTest {};

TEST_F(LabelledSession, HasTheLabelsOfItsEndpoint) {
  EndpointOptions options = Open();
  options.labels = {{"device", "{header.x-device}"}, {"user", "{sub}"}};
  Build(options);
  http::Request request = RequestOf({{"token", Token("u1")}});
  request.headers.emplace_back("x-device", "phone");
  {
    Client client = Connect(request);
    EXPECT_THAT(client.session->labels(), ElementsAre(Pair("device", "phone"), Pair("user", "u1")));
    EXPECT_EQ(context_.labels.size(), 1u);
  }
  EXPECT_EQ(context_.labels.size(), 0u);
}

TEST_F(LabelledSession, NeverShowsAToken) {
  for (const char* text : {"{query.token}", "{header.Authorization}", "{header.cookie}",
                           "{header.sec-websocket-protocol}"}) {
    EndpointOptions options = Open();
    options.labels = {{"a", text}};
    EXPECT_THAT(std::string(Endpoint::Create(options, {.verifier = nullptr}).status().message()),
                HasSubstr("not shown to operators"))
        << text;
  }
}

}  // namespace
}  // namespace spillway::edge
