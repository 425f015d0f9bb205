#include "services/ingest/kafka/topic_policies.h"

#include <algorithm>
#include <utility>

namespace spillway::ingest {

bool TopicPolicies::Due(const std::vector<TopicInfo>& topics, MonoTime now) const {
  if (topics.empty()) return false;
  if (!asked_at_.has_value() || now - *asked_at_ >= options_.ask_again) return true;
  // A topic that has come since the last question is not kept waiting for the next.
  return std::any_of(topics.begin(), topics.end(), [this](const TopicInfo& topic) {
    return !compacted_.contains(topic.name) && !failed_.contains(topic.name);
  });
}

void TopicPolicies::Learn(const std::vector<TopicInfo>& topics) {
  std::vector<std::string> names;
  names.reserve(topics.size());
  for (const TopicInfo& topic : topics) names.push_back(topic.name);
  const absl::StatusOr<std::vector<TopicPolicy>> answer = ask_(names);
  failed_.clear();
  if (!answer.ok()) {
    for (const std::string& name : names) failed_.emplace(name, answer.status());
  } else {
    for (const TopicPolicy& policy : *answer) {
      if (policy.status.ok()) {
        compacted_[policy.topic] = policy.compacted;
      } else {
        failed_.emplace(policy.topic, policy.status);
      }
    }
  }
  problem_ = failed_.empty() ? "" : std::string(failed_.begin()->second.message());
}

void TopicPolicies::Fill(std::vector<TopicInfo>& topics, MonoTime now) {
  if (Due(topics, now)) {
    asked_at_ = now;
    Learn(topics);
  }
  std::map<std::string, bool> kept;
  for (TopicInfo& topic : topics) {
    const auto known = compacted_.find(topic.name);
    if (known == compacted_.end()) continue;
    topic.compacted = known->second;
    kept.insert(*known);
  }
  compacted_ = std::move(kept);
}

}  // namespace spillway::ingest
