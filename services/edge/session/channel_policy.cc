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

bool ChannelPolicy::Admits(ChannelAccess access, const Asked& asked, const Grants& grants) {
  switch (access) {
    case ChannelAccess::kAnyone:
      return true;
    case ChannelAccess::kAuthenticated:
      return grants.authenticated_;
    case ChannelAccess::kServer:
      return false;
    case ChannelAccess::kGranted:
      return grants.lists_ != nullptr &&
             std::any_of(grants.lists_->granted.begin(), grants.lists_->granted.end(),
                         [&](const ChannelPattern& pattern) { return asked.IsIn(pattern); });
  }
  return false;
}

absl::StatusOr<ChannelPolicy> ChannelPolicy::Compile(const std::vector<ChannelRule>& rules,
                                                     ChannelAccess unmatched) {
  ChannelPolicy policy;
  policy.unmatched_ = unmatched;
  policy.looks_at_tokens_list_ = unmatched == ChannelAccess::kGranted;
  for (const ChannelRule& rule : rules) {
    auto pattern = ChannelPattern::Parse(rule.pattern);
    if (!pattern.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("channel rule '", rule.pattern, "': ", pattern.status().message()));
    }
    std::optional<ChannelTemplate> allow;
    if (!rule.allow.empty()) {
      auto compiled = ChannelTemplate::Compile(rule.allow, ChannelTemplate::Kind::kPattern);
      if (!compiled.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("channel rule '", rule.pattern, "': ", compiled.status().message()));
      }
      allow = *std::move(compiled);
    }
    if (!rule.roles.empty() && rule.access == ChannelAccess::kServer) {
      return absl::InvalidArgumentError(absl::StrCat(
          "channel rule '", rule.pattern, "': roles mean nothing where no client may subscribe"));
    }
    policy.looks_at_roles_ |= !rule.roles.empty();
    policy.looks_at_tokens_list_ |= rule.access == ChannelAccess::kGranted;
    policy.rules_.push_back({*std::move(pattern), rule.access, std::move(allow), rule.roles,
                             rule.patterns, rule.snapshot, rule.compress, rule.frequency,
                             rule.fixed_frequency, rule.settings,
                             SubscribeRate{policy.rates_, rule.subscribes}});
    if (rule.subscribes.limits()) ++policy.rates_;
  }
  return policy;
}

ChannelPolicy::Grants ChannelPolicy::GrantsOf(ClientValues client) const {
  Grants grants;
  grants.authenticated_ = client.claims != nullptr;
  Grants::Lists lists;
  if (looks_at_tokens_list_) lists.granted = std::move(client.granted);
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (std::find_first_of(rule.roles.begin(), rule.roles.end(), client.roles.begin(),
                           client.roles.end()) != rule.roles.end()) {
      lists.by_role.push_back(i);
    }
    if (!rule.allow.has_value()) continue;
    for (const std::string& text : rule.allow->Expand(client)) {
      auto pattern = ChannelPattern::Parse(text);
      // Too long for a channel's name: there is none.
      if (pattern.ok()) lists.allowed.push_back({i, *std::move(pattern)});
    }
  }
  if (!lists.allowed.empty() || !lists.by_role.empty() || !lists.granted.empty()) {
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

bool ChannelPolicy::Allows(size_t index, const Asked& asked, const Grants& grants) const {
  const Rule& rule = rules_[index];
  if (!Admits(rule.access, asked, grants)) return false;
  const Grants::Lists* const lists = grants.lists_.get();
  if (!rule.roles.empty() &&
      (lists == nullptr ||
       std::find(lists->by_role.begin(), lists->by_role.end(), index) == lists->by_role.end())) {
    return false;
  }
  if (!rule.allow.has_value()) return true;
  return lists != nullptr && std::any_of(lists->allowed.begin(), lists->allowed.end(),
                                         [&](const Grants::Allowed& allowed) {
                                           return allowed.rule == index &&
                                                  asked.IsIn(allowed.pattern);
                                         });
}

ChannelPolicy::Verdict ChannelPolicy::Check(std::string_view channel, const Grants& grants) const {
  const Asked asked(channel);
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (!asked.Meets(rule.pattern)) continue;
    if ((asked.is_pattern() && !rule.patterns) || !Allows(i, asked, grants)) return {};
    // Of a pattern, a part may be left that later rules decide about.
    if (!asked.is_pattern() || asked.IsIn(rule.pattern)) {
      return {.allowed = true, .snapshot = rule.snapshot, .frequency = rule.frequency};
    }
  }
  // No rule, no setting that lets clients subscribe to patterns of it.
  return {.allowed = !asked.is_pattern() && Admits(unmatched_, asked, grants)};
}

ChannelPolicy::SubscribeRate ChannelPolicy::RateOf(std::string_view channel) const {
  if (rates_ == 0) return {};
  const std::optional<size_t> found = Find(Asked(channel));
  return found.has_value() ? rules_[*found].subscribes : SubscribeRate();
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
