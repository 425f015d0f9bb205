#include "services/edge/session/token_grants.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::edge {
namespace {

using simdjson::dom::element;

constexpr std::string_view kSubscribe = "subscribe";
constexpr std::string_view kPublish = "publish";

// The parser's buffers live on; a token's size bounds them.
simdjson::dom::parser& Parser() {
  thread_local simdjson::dom::parser parser;
  return parser;
}

// Strings, of a list or one alone.
std::vector<std::string> StringsOf(element value) {
  std::vector<std::string> strings;
  std::string_view text;
  simdjson::dom::array items;
  if (value.get(text) == simdjson::SUCCESS) {
    strings.emplace_back(text);
  } else if (value.get(items) == simdjson::SUCCESS) {
    for (const element item : items) {
      if (strings.size() == kMaxRoles) break;
      if (item.get(text) == simdjson::SUCCESS) strings.emplace_back(text);
    }
  }
  return strings;
}

// The value that a claim, or a way into one, leads to; nothing if there is none. Valid until the
// next call on this thread. Never of a claim that is a string: it has no text of its own.
std::optional<element> ValueOf(const auth::Claims& claims, std::string_view name) {
  const auth::Claim* claim = claims.Find(name);
  std::string_view way;
  if (claim == nullptr) {
    const size_t dot = name.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    claim = claims.Find(name.substr(0, dot));
    if (claim == nullptr || claim->type != auth::Claim::Type::kObject) return std::nullopt;
    way = name.substr(dot + 1);
  }
  element value;
  if (Parser().parse(claim->json).get(value) != simdjson::SUCCESS) return std::nullopt;
  while (!way.empty()) {
    const std::string_view step = way.substr(0, way.find('.'));
    way.remove_prefix(std::min(way.size(), step.size() + 1));
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS ||
        object.at_key(step).get(value) != simdjson::SUCCESS) {
      return std::nullopt;
    }
  }
  return value;
}

// What an entry allows.
struct Operations {
  bool subscribe = false;
  bool publish = false;
};

absl::StatusOr<Operations> OperationsOf(simdjson::dom::object entry) {
  element allow;
  if (entry.at_key("allow").get(allow) != simdjson::SUCCESS) return Operations{.subscribe = true};
  simdjson::dom::array names;
  if (allow.get(names) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("'allow' must be a list of operations");
  }
  Operations operations;
  for (const element operation : names) {
    std::string_view name;
    if (operation.get(name) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError("'allow' must be a list of operations");
    }
    operations.subscribe = operations.subscribe || name == kSubscribe;
    operations.publish = operations.publish || name == kPublish;
  }
  return operations;
}

}  // namespace

std::vector<std::string> RolesOf(const auth::Claims& claims, std::string_view name) {
  if (name.empty()) return {};
  const auth::Claim* claim = claims.Find(name);
  if (claim != nullptr && claim->type == auth::Claim::Type::kString) return {claim->string_value};
  const std::optional<element> value = ValueOf(claims, name);
  return value.has_value() ? StringsOf(*value) : std::vector<std::string>();
}

absl::StatusOr<TokenChannels> GrantedChannels(const auth::Claims& claims, std::string_view name) {
  TokenChannels granted;
  const auth::Claim* claim = claims.Find(name);
  if (claim != nullptr && claim->type == auth::Claim::Type::kString) {
    return absl::InvalidArgumentError("it must be a list");
  }
  const std::optional<element> value = ValueOf(claims, name);
  if (!value.has_value() || value->is_null()) return granted;
  simdjson::dom::array entries;
  if (value->get(entries) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("it must be a list");
  }
  if (entries.size() > kMaxGrantedChannels) {
    return absl::InvalidArgumentError(
        absl::StrCat("it may have ", kMaxGrantedChannels, " entries"));
  }
  for (const element entry : entries) {
    std::string_view channel;
    Operations allowed{.subscribe = true};
    if (entry.get(channel) != simdjson::SUCCESS) {
      simdjson::dom::object object;
      if (entry.get(object) != simdjson::SUCCESS ||
          object.at_key("channel").get(channel) != simdjson::SUCCESS) {
        return absl::InvalidArgumentError(
            "its entries must be channel patterns, or objects with a 'channel'");
      }
      const absl::StatusOr<Operations> operations = OperationsOf(object);
      if (!operations.ok()) return operations.status();
      allowed = *operations;
      if (!allowed.subscribe && !allowed.publish) continue;
    }
    auto pattern = ChannelPattern::Parse(channel);
    if (!pattern.ok()) return pattern.status();
    if (allowed.publish) granted.publish.push_back(*pattern);
    if (allowed.subscribe) granted.subscribe.push_back(*std::move(pattern));
  }
  return granted;
}

}  // namespace spillway::edge
