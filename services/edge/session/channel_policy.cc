#include "services/edge/session/channel_policy.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::edge {
bool ChannelPolicy::Admits(ChannelAccess access, std::string_view channel, const Grants& grants) {
  switch (access) {
    case ChannelAccess::kAnyone:
      return true;
    case ChannelAccess::kAuthenticated:
      return grants.authenticated_;
    case ChannelAccess::kServer:
      return false;
    case ChannelAccess::kGranted:
      return grants.lists_ != nullptr &&
             std::any_of(
                 grants.lists_->granted.begin(), grants.lists_->granted.end(),
                 [channel](const ChannelPattern& pattern) { return pattern.Matches(channel); });
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
                             rule.snapshot, rule.compress, rule.frequency, rule.fixed_frequency,
                             rule.settings, SubscribeRate{policy.rates_, rule.subscribes}});
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

std::optional<size_t> ChannelPolicy::Find(std::string_view channel) const {
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].pattern.Matches(channel)) return i;
  }
  return std::nullopt;
}

ChannelPolicy::Verdict ChannelPolicy::Check(std::string_view channel, const Grants& grants) const {
  const std::optional<size_t> found = Find(channel);
  if (!found.has_value()) return {.allowed = Admits(unmatched_, channel, grants)};
  const Rule& rule = rules_[*found];
  if (!Admits(rule.access, channel, grants)) return {};
  const Grants::Lists* const lists = grants.lists_.get();
  if (!rule.roles.empty() &&
      (lists == nullptr ||
       std::find(lists->by_role.begin(), lists->by_role.end(), *found) == lists->by_role.end())) {
    return {};
  }
  const auto allows = [&](const Grants::Allowed& allowed) {
    return allowed.rule == *found && allowed.pattern.Matches(channel);
  };
  if (rule.allow.has_value() &&
      (lists == nullptr || std::none_of(lists->allowed.begin(), lists->allowed.end(), allows))) {
    return {};
  }
  return {.allowed = true, .snapshot = rule.snapshot, .frequency = rule.frequency};
}

ChannelPolicy::SubscribeRate ChannelPolicy::RateOf(std::string_view channel) const {
  if (rates_ == 0) return {};
  const std::optional<size_t> found = Find(channel);
  return found.has_value() ? rules_[*found].subscribes : SubscribeRate();
}

bool ChannelPolicy::SnapshotOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(channel);
  return found.has_value() && rules_[*found].snapshot;
}

bool ChannelPolicy::CompressOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(channel);
  return !found.has_value() || rules_[*found].compress;
}

Frequency ChannelPolicy::FrequencyOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(channel);
  return found.has_value() ? rules_[*found].frequency : Frequency::kHigh;
}

bool ChannelPolicy::MayHave(std::string_view channel, Frequency frequency) const {
  const std::optional<size_t> found = Find(channel);
  return !found.has_value() || !rules_[*found].fixed_frequency ||
         rules_[*found].frequency == frequency;
}

ChannelSettings ChannelPolicy::SettingsOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(channel);
  return found.has_value() ? rules_[*found].settings : ChannelSettings();
}

std::string_view ChannelPolicy::PatternOf(std::string_view channel) const {
  const std::optional<size_t> found = Find(channel);
  return found.has_value() ? rules_[*found].pattern.text() : std::string_view();
}

}  // namespace spillway::edge
