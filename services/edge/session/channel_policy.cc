#include "services/edge/session/channel_policy.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::edge {
namespace {

bool Admits(ChannelAccess access, bool authenticated) {
  return access == ChannelAccess::kAnyone ||
         (access == ChannelAccess::kAuthenticated && authenticated);
}

}  // namespace

absl::StatusOr<ChannelPolicy> ChannelPolicy::Compile(const std::vector<ChannelRule>& rules,
                                                     ChannelAccess unmatched) {
  ChannelPolicy policy;
  policy.unmatched_ = unmatched;
  for (const ChannelRule& rule : rules) {
    auto pattern = ChannelPattern::Parse(rule.pattern);
    if (!pattern.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("channel rule '", rule.pattern, "': ", pattern.status().message()));
    }
    std::optional<ChannelTemplate> allow;
    if (!rule.allow.empty()) {
      auto compiled = ChannelTemplate::Compile(rule.allow);
      if (!compiled.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("channel rule '", rule.pattern, "': ", compiled.status().message()));
      }
      allow = *std::move(compiled);
    }
    policy.rules_.push_back({*std::move(pattern), rule.access, std::move(allow), rule.snapshot,
                             rule.compress, rule.frequency, rule.fixed_frequency, rule.settings,
                             SubscribeRate{policy.rates_, rule.subscribes}});
    if (rule.subscribes.limits()) ++policy.rates_;
  }
  return policy;
}

ChannelPolicy::Grants ChannelPolicy::GrantsOf(const ClientValues& client) const {
  Grants grants;
  grants.authenticated = client.claims != nullptr;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].allow.has_value() || !Admits(rules_[i].access, grants.authenticated)) continue;
    for (std::string& channel : rules_[i].allow->Expand(client)) {
      grants.names.push_back({i, std::move(channel)});
    }
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
  if (!found.has_value()) return {.allowed = Admits(unmatched_, grants.authenticated)};
  const Rule& rule = rules_[*found];
  if (!Admits(rule.access, grants.authenticated)) return {};
  const Verdict allowed = {.allowed = true, .snapshot = rule.snapshot, .frequency = rule.frequency};
  if (!rule.allow.has_value()) return allowed;
  for (const Grants::Name& name : grants.names) {
    if (name.rule == *found && name.channel == channel) return allowed;
  }
  return {};
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
