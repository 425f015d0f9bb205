#include "services/ingest/control/recent_publications.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::ingest {

// A topic's name has no space.
std::string RecentPublications::NameOf(std::string_view topic, std::string_view key) {
  return absl::StrCat(Abs(topic), " ", Abs(key));
}

std::optional<ProducedAt> RecentPublications::Find(std::string_view topic, std::string_view key) {
  MutexLock lock(mutex_);
  const auto found = known_.find(NameOf(topic, key));
  if (found == known_.end() || clock_.Now() - found->second.when > options_.age) {
    return std::nullopt;
  }
  return found->second.at;
}

void RecentPublications::Add(std::string_view topic, std::string_view key, const ProducedAt& at) {
  std::string name = NameOf(topic, key);
  MutexLock lock(mutex_);
  // A publisher may have asked twice at once: the first place stays.
  const auto [entry, fresh] = known_.try_emplace(name, Known{at, clock_.Now()});
  if (!fresh) {
    if (clock_.Now() - entry->second.when > options_.age) entry->second = {at, clock_.Now()};
    return;
  }
  order_.push_back(std::move(name));
  if (order_.size() <= options_.most) return;
  known_.erase(order_.front());
  order_.pop_front();
}

}  // namespace spillway::ingest
