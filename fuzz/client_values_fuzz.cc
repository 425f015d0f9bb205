// What clients bring to templates: in lines, claims, a template, a query, a header, and a path
// parameter. However they are chosen, a value fills one segment of a channel's name, and what is
// shown to operators can be shown.

#include <algorithm>
#include <string>

#include "common/base/json_text.h"
#include "common/channel/channel_name.h"
#include "fuzz/input.h"
#include "services/edge/session/channel_template.h"
#include "services/edge/session/labels.h"
#include "services/edge/session/token_grants.h"

namespace edge = spillway::edge;
using spillway::fuzz::Require;
using Kind = edge::ChannelTemplate::Kind;

namespace {

std::string SeparatorsOf(std::string_view name) {
  std::string separators;
  for (const char c : name) {
    if (spillway::IsChannelSeparator(c)) separators += c;
  }
  return separators;
}

void CheckTemplate(std::string_view text, Kind kind, const edge::ClientValues& client) {
  const auto made = edge::ChannelTemplate::Compile(text, kind);
  if (!made.ok()) return;
  bool unfit = false;
  const std::vector<std::string> names = made->Expand(client, &unfit);
  Require(names.size() <= edge::ChannelTemplate::kMaxNames, "names have their bound");
  if (kind == Kind::kKey) {
    Require(!unfit, "any value fits a key");
    return;
  }
  // Placeholders stand for themselves without the dots in their names.
  std::string shape;
  bool within = false;
  for (const char c : text) {
    within = within ? c != '}' : c == '{';
    if (!within && c != '}') shape += c;
  }
  const bool any = text.find("**}") != std::string_view::npos;
  for (const std::string& name : names) {
    if (name.size() > spillway::kMaxChannelBytes) continue;
    const bool good = kind == Kind::kName ? spillway::ValidateChannelName(name).ok()
                                          : spillway::ChannelPattern::Parse(name).ok();
    Require(good, "what is made is a name");
    if (!any) Require(SeparatorsOf(name) == SeparatorsOf(shape), "a value is one segment");
    const auto stars = [](std::string_view of) { return std::count(of.begin(), of.end(), '*'); };
    Require(stars(name) == stars(shape), "no value is a wildcard");
  }
}

void CheckGrants(const spillway::auth::Claims& claims) {
  for (const char* name : {"channels", "o.channels", "a.b.c"}) {
    const auto granted = edge::GrantedChannels(claims, name);
    if (!granted.ok()) continue;
    Require(granted->subscribe.size() <= edge::kMaxGrantedChannels &&
                granted->publish.size() <= edge::kMaxGrantedChannels,
            "grants have their bound");
    if (!granted->subscribe.empty() || !granted->publish.empty()) {
      Require(claims.Find(name) != nullptr || claims.Find(std::string_view(name, 1)) != nullptr,
              "what is granted was listed");
    }
  }
  for (const char* name : {"roles", "o.roles", "a..b", ""}) {
    Require(edge::RolesOf(claims, name).size() <= edge::kMaxRoles, "roles have their bound");
  }
}

void CheckLabels(const edge::ClientValues& client, std::string_view query, std::string_view header,
                 std::string_view text) {
  static const auto fixed = *edge::LabelRules::Compile({{"app", "{query.app}-{header.X-App}"},
                                                        {"who", "{sub}"},
                                                        {"team", "{claim.team}/{param.p}"}});
  spillway::http::Request request;
  request.query = {{"app", std::string(query)}};
  request.headers = {{"x-app", std::string(header)}};
  auto given = edge::LabelRules::Compile({{"l", std::string(text)}});
  const edge::LabelRules& own = given.ok() ? *given : fixed;
  for (const edge::LabelRules* rules : {&fixed, &own}) {
    for (const auto& [name, value] : rules->Expand(client, rules->InputsOf(request))) {
      Require(!value.empty() && value.size() <= edge::kMaxLabelBytes, "a label has its bound");
      for (std::string_view rest = value; !rest.empty();) {
        const size_t length = spillway::Utf8SequenceLength(rest);
        Require(length > 0, "a label is UTF-8");
        Require(static_cast<unsigned char>(rest[0]) >= 0x20 && rest[0] != 0x7f, "and can be shown");
        rest.remove_prefix(length);
      }
      const auto filter = edge::LabelFilter::Parse(name + "=" + value);
      Require(filter.ok() && filter->Matches({{name, value}}), "what is shown can be asked for");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spillway::fuzz::Input input(data, size);
  const auto claims = spillway::auth::Claims::Parse(input.TakeLine());
  const std::string_view text = input.TakeLine();
  const std::string_view query = input.TakeLine();
  const std::string_view header = input.TakeLine();
  edge::ClientValues client;
  if (claims.ok()) client.claims = &*claims;
  client.params = {{"p", input.TakeRest()}};
  for (const Kind kind : {Kind::kName, Kind::kPattern, Kind::kKey}) {
    CheckTemplate(text, kind, client);
  }
  CheckLabels(client, query, header, text);
  if (claims.ok()) CheckGrants(*claims);
  if (const auto filter = edge::LabelFilter::Parse(query); filter.ok()) {
    Require(edge::IsLabelName(filter->name) && !filter->value.empty(), "a filter is a label");
  }
  return 0;
}
