#include "services/ingest/kafka/lookup_queue.h"

#include <iterator>
#include <set>
#include <utility>

namespace spillway::ingest {

void OffsetLookup::Fail(const absl::Status& status) const {
  if (on_bounds) on_bounds(status);
  if (on_offset) on_offset(status);
}

void LookupQueue::Add(int32_t leader, OffsetLookup lookup) {
  waiting_[leader].push_back(std::move(lookup));
}

LookupQueue::Batch LookupQueue::Next(MonoTime now) {
  auto turn = waiting_.upper_bound(last_);
  if (turn == waiting_.end()) turn = waiting_.begin();
  last_ = turn->first;
  Batch batch{.leader = turn->first, .silent = false, .lookups = {}};
  const auto silent = silent_until_.find(batch.leader);
  batch.silent =
      batch.leader == kNoLeader || (silent != silent_until_.end() && now < silent->second);
  if (batch.silent) {
    batch.lookups = std::move(turn->second);
    waiting_.erase(turn);
    return batch;
  }
  if (silent != silent_until_.end()) silent_until_.erase(silent);
  const size_t most = batch.leader == kUnknownLeader ? 1 : options_.batch;
  std::set<std::pair<std::string, int32_t>> partitions;
  std::vector<OffsetLookup> rest;
  for (OffsetLookup& lookup : turn->second) {
    const bool fits =
        batch.lookups.size() < most && partitions.emplace(lookup.topic, lookup.partition).second;
    (fits ? batch.lookups : rest).push_back(std::move(lookup));
  }
  if (rest.empty())
    waiting_.erase(turn);
  else
    turn->second = std::move(rest);
  return batch;
}

void LookupQueue::OnSilent(int32_t leader, MonoTime now) {
  if (leader != kUnknownLeader) silent_until_[leader] = now + options_.silence;
}

std::vector<OffsetLookup> LookupQueue::TakeAll() {
  std::vector<OffsetLookup> all;
  for (auto& [leader, lookups] : waiting_) {
    all.insert(all.end(), std::make_move_iterator(lookups.begin()),
               std::make_move_iterator(lookups.end()));
  }
  waiting_.clear();
  return all;
}

}  // namespace spillway::ingest
