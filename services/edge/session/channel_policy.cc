#include "services/edge/session/channel_policy.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::edge {
// A channel, or a pattern, that a client asks for.
class ChannelPolicy::Asked {
 public:
  explicit Asked(std::string_view name) : name_(name), is_pattern_(IsChannelPattern(name)) {
    if (!is_pattern_) return;
    if (auto parsed = ChannelPattern::Parse(name); parsed.ok()) pattern_ = *std::move(parsed);
  }

  bool is_pattern() const { return is_pattern_; }
  // Whether `pattern` has all of it.
  bool IsIn(const ChannelPattern& pattern) const {
    if (!is_pattern_) return pattern.Matches(name_);
    return pattern_.has_value() && pattern.Contains(*pattern_);
  }
  // Whether `pattern` has some of it.
  bool Meets(const ChannelPattern& pattern) const {
    if (!is_pattern_) return pattern.Matches(name_);
    return !pattern_.has_value() || pattern.Intersects(*pattern_);
  }

 private:
  const std::string_view name_;
  const bool is_pattern_;
  std::optional<ChannelPattern> pattern_;
};

namespace {

// In `roles` of what clients may publish: none is needed, whatever subscribing needs.
constexpr char kNoRole[] = "*";

absl::Status In(const ChannelRule& rule, const char* where, const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat("channel rule '", rule.pattern, "'", where, ": ", status.message()));
}

}  // namespace

bool ChannelPolicy::Admits(const Gate& gate, const Asked& asked, const Grants& grants) {
  switch (gate.access) {
    case ChannelAccess::kAnyone:
      return true;
    case ChannelAccess::kAuthenticated:
      return grants.authenticated_;
    case ChannelAccess::kServer:
      return false;
    case ChannelAccess::kGranted: {
      if (grants.lists_ == nullptr) return false;
      const auto& granted = gate.publish ? grants.lists_->granted_publish : grants.lists_->granted;
      return std::any_of(granted.begin(), granted.end(),
                         [&](const ChannelPattern& pattern) { return asked.IsIn(pattern); });
    }
  }
  return false;
}

absl::StatusOr<ChannelPolicy::Gate> ChannelPolicy::MakeGate(size_t number, ChannelAccess access,
                                                            bool publish, const std::string& allow,
                                                            const std::vector<std::string>& roles) {
  Gate gate{.access = access, .publish = publish};
  if (!allow.empty()) {
    auto compiled = ChannelTemplate::Compile(allow, ChannelTemplate::Kind::kPattern);
    if (!compiled.ok()) return compiled.status();
    gate.allow = *std::move(compiled);
    gate.allow_by = number;
  }
  if (!roles.empty() && access == ChannelAccess::kServer) {
    return absl::InvalidArgumentError("roles mean nothing where no client may subscribe");
  }
  if (!roles.empty()) gate.roles_by = number;
  gate.roles = roles;
  return gate;
}

absl::StatusOr<ChannelPolicy::Publishing> ChannelPolicy::MakePublishing(size_t number,
                                                                        const PublishRule& rule,
                                                                        const Gate& subscribing) {
  if (rule.access == ChannelAccess::kServer) {
    return absl::InvalidArgumentError(
        "access: server would let nobody publish: leave the section out");
  }
  const bool any_role = rule.roles.size() == 1 && rule.roles[0] == kNoRole;
  auto gate = MakeGate(number, rule.access, /*publish=*/true, rule.allow,
                       any_role ? std::vector<std::string>() : rule.roles);
  if (!gate.ok()) return gate.status();
  if (!gate->allow.has_value()) gate->allow_by = subscribing.allow_by;
  if (rule.roles.empty()) gate->roles_by = subscribing.roles_by;
  return Publishing{.gate = *std::move(gate), .target = rule.target, .rate = {}};
}

ChannelPolicy::UserRate ChannelPolicy::AddRate(const Rate& rate) {
  return {.index = rate.limits() ? rates_++ : 0, .rate = rate};
}

absl::StatusOr<ChannelPolicy> ChannelPolicy::Compile(const std::vector<ChannelRule>& rules,
                                                     ChannelAccess unmatched) {
  ChannelPolicy policy;
  policy.unmatched_.access = unmatched;
  policy.looks_at_tokens_list_ = unmatched == ChannelAccess::kGranted;
  for (const ChannelRule& rule : rules) {
    auto pattern = ChannelPattern::Parse(rule.pattern);
    if (!pattern.ok()) return In(rule, "", pattern.status());
    const size_t number = policy.rules_.size() * 2;
    auto gate = MakeGate(number, rule.access, /*publish=*/false, rule.allow, rule.roles);
    if (!gate.ok()) return In(rule, "", gate.status());
    std::optional<Publishing> publish;
    const UserRate subscribes = policy.AddRate(rule.subscribes);
    if (rule.publish.has_value()) {
      auto made = MakePublishing(number + 1, *rule.publish, *gate);
      if (!made.ok()) return In(rule, ".publish", made.status());
      publish = *std::move(made);
      publish->rate = policy.AddRate(rule.publish->rate);
      policy.lets_publish_ = true;
    }
    for (const Gate* one : {&*gate, publish.has_value() ? &publish->gate : nullptr}) {
      if (one == nullptr) continue;
      policy.looks_at_roles_ |= !one->roles.empty();
      policy.looks_at_tokens_list_ |= one->access == ChannelAccess::kGranted;
    }
    policy.rules_.push_back({*std::move(pattern), *std::move(gate), rule.patterns, rule.snapshot,
                             rule.compress, rule.frequency, rule.fixed_frequency, rule.settings,
                             subscribes, std::move(publish)});
  }
  return policy;
}

ChannelPolicy::Grants ChannelPolicy::GrantsOf(ClientValues client) const {
  Grants grants;
  grants.authenticated_ = client.claims != nullptr;
  Grants::Lists lists;
  if (looks_at_tokens_list_) {
    lists.granted = std::move(client.granted);
    lists.granted_publish = std::move(client.granted_publish);
  }
  const auto add = [&](size_t number, const Gate& gate) {
    if (std::find_first_of(gate.roles.begin(), gate.roles.end(), client.roles.begin(),
                           client.roles.end()) != gate.roles.end()) {
      lists.by_role.push_back(number);
    }
    if (!gate.allow.has_value()) return;
    for (const std::string& text : gate.allow->Expand(client)) {
      auto pattern = ChannelPattern::Parse(text);
      // Too long for a channel's name: there is none.
      if (pattern.ok()) lists.allowed.push_back({number, *std::move(pattern)});
    }
  };
  for (size_t i = 0; i < rules_.size(); ++i) {
    add(2 * i, rules_[i].gate);
    if (rules_[i].publish.has_value()) add(2 * i + 1, rules_[i].publish->gate);
  }
  if (!lists.allowed.empty() || !lists.by_role.empty() || !lists.granted.empty() ||
      !lists.granted_publish.empty()) {
    lists.allowed.shrink_to_fit();
    grants.lists_ = std::make_unique<const Grants::Lists>(std::move(lists));
  }
  return grants;
}

std::optional<size_t> ChannelPolicy::Find(const Asked& asked) const {
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (asked.IsIn(rules_[i].pattern)) return i;
  }
  return std::nullopt;
}

bool ChannelPolicy::Allows(const Gate& gate, const Asked& asked, const Grants& grants) {
  if (!Admits(gate, asked, grants)) return false;
  const Grants::Lists* const lists = grants.lists_.get();
  if (gate.roles_by.has_value() &&
      (lists == nullptr || std::find(lists->by_role.begin(), lists->by_role.end(),
                                     *gate.roles_by) == lists->by_role.end())) {
    return false;
  }
  if (!gate.allow_by.has_value()) return true;
  return lists != nullptr && std::any_of(lists->allowed.begin(), lists->allowed.end(),
                                         [&](const Grants::Allowed& allowed) {
                                           return allowed.gate == *gate.allow_by &&
                                                  asked.IsIn(allowed.pattern);
                                         });
}

ChannelPolicy::Verdict ChannelPolicy::Check(std::string_view channel, const Grants& grants) const {
  const Asked asked(channel);
  for (const Rule& rule : rules_) {
    if (!asked.Meets(rule.pattern)) continue;
    if ((asked.is_pattern() && !rule.patterns) || !Allows(rule.gate, asked, grants)) return {};
    // Of a pattern, a part may be left that later rules decide about.
    if (!asked.is_pattern() || asked.IsIn(rule.pattern)) {
      return {.allowed = true, .snapshot = rule.snapshot, .frequency = rule.frequency};
    }
  }
  // No rule, no setting that lets clients subscribe to patterns of it.
  return {.allowed = !asked.is_pattern() && Admits(unmatched_, asked, grants)};
}

ChannelPolicy::PublishVerdict ChannelPolicy::CheckPublish(std::string_view channel,
                                                          const Grants& grants) const {
  const Asked asked(channel);
  const std::optional<size_t> found = Find(asked);
  if (!found.has_value() || !rules_[*found].publish.has_value()) return {};
  const Publishing& publish = *rules_[*found].publish;
  PublishVerdict verdict{.rate = publish.rate};
  if (!Allows(publish.gate, asked, grants)) return verdict;
  verdict.target = &publish.target;
  // Up to its first wildcard a pattern stands for itself.
  const std::string& pattern = rules_[*found].pattern.text();
  verdict.rest = channel.substr(std::min(pattern.find('*'), channel.size()));
  return verdict;
}

ChannelPolicy::UserRate ChannelPolicy::RateOf(std::string_view channel) const {
  if (rates_ == 0) return {};
  const std::optional<size_t> found = Find(Asked(channel));
  return found.has_value() ? rules_[*found].subscribes : UserRate();
}

bool ChannelPolicy::SnapshotOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(Asked(channel));
  return found.has_value() && rules_[*found].snapshot;
}

bool ChannelPolicy::CompressOf(std::string_view channel) const {
  const Asked asked(channel);
  for (const Rule& rule : rules_) {
    if (!asked.Meets(rule.pattern)) continue;
    if (!rule.compress) return false;
    if (asked.IsIn(rule.pattern)) break;
  }
  return true;
}

Frequency ChannelPolicy::FrequencyOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(Asked(channel));
  return found.has_value() ? rules_[*found].frequency : Frequency::kHigh;
}

bool ChannelPolicy::MayHave(std::string_view channel, Frequency frequency) const {
  const Asked asked(channel);
  for (const Rule& rule : rules_) {
    if (!asked.Meets(rule.pattern)) continue;
    if (rule.fixed_frequency && rule.frequency != frequency) return false;
    if (asked.IsIn(rule.pattern)) break;
  }
  return true;
}

ChannelSettings ChannelPolicy::SettingsOf(std::string_view channel) const {
  const Asked asked(channel);
  bool ephemeral = false;
  for (const Rule& rule : rules_) {
    if (!asked.Meets(rule.pattern)) continue;
    ephemeral = ephemeral || rule.settings.ephemeral;
    if (!asked.IsIn(rule.pattern)) continue;
    ChannelSettings settings = rule.settings;
    settings.ephemeral = ephemeral;
    return settings;
  }
  return {};
}

std::string_view ChannelPolicy::PatternOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(Asked(channel));
  return found.has_value() ? rules_[*found].pattern.text() : std::string_view();
}

}  // namespace spillway::edge
