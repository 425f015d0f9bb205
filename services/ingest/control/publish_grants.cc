#include "services/ingest/control/publish_grants.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace spillway::ingest {
namespace {

bool AnyMatches(const std::vector<ChannelPattern>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const ChannelPattern& pattern) { return pattern.Matches(name); });
}

template <typename Texts>
absl::Status Parse(const std::string& key, const Texts& texts, std::vector<ChannelPattern>* to) {
  for (int i = 0; i < texts.size(); ++i) {
    auto pattern = ChannelPattern::Parse(texts.Get(i));
    if (!pattern.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(key, "[", i, "]: ", pattern.status().message()));
    }
    to->push_back(*std::move(pattern));
  }
  return absl::OkStatus();
}

}  // namespace

bool PublishGrant::AllowsChannel(std::string_view channel) const {
  return everything || AnyMatches(channels, channel);
}

bool PublishGrant::AllowsTopic(std::string_view topic) const {
  return everything || AnyMatches(topics, topic);
}

absl::StatusOr<PublishGrants> PublishGrants::Create(const v1::PublishConfig& config) {
  PublishGrants grants;
  if (!config.bearer_token().empty()) grants.grants_.push_back({.everything = true});
  for (int i = 0; i < config.callers_size(); ++i) {
    const v1::PublisherConfig& publisher = config.callers(i);
    const std::string key = absl::StrCat("ingest.publish.callers[", i, "]");
    if (publisher.channels().empty() && publisher.topics().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(key, ": may publish nowhere: set channels, topics or both"));
    }
    PublishGrant& grant = grants.grants_.emplace_back();
    for (const absl::Status& status :
         {Parse(absl::StrCat(key, ".channels"), publisher.channels(), &grant.channels),
          Parse(absl::StrCat(key, ".topics"), publisher.topics(), &grant.topics)}) {
      if (!status.ok()) return status;
    }
  }
  return grants;
}

const PublishGrant* PublishGrants::Of(const rpc::Principal& principal) const {
  if (grants_.empty()) return &anybody_;
  return principal.index < grants_.size() ? &grants_[principal.index] : nullptr;
}

}  // namespace spillway::ingest
