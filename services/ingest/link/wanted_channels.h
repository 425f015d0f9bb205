#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/channel/channel_hash.h"
#include "common/channel/channel_pattern.h"
#include "common/channel/pattern_map.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

// The channels that an edge wants, by hash: a collision costs an event that the edge ignores.
// Counted, so that of two wanted channels with one hash either may go. And the patterns: which of
// them match a channel is remembered by its name, since there a collision could hide an event.
// Not thread-safe; its owner says who may call it.
class WantedChannels {
 public:
  // For so many channels it is remembered which patterns match; then all of it is forgotten.
  static constexpr size_t kMostChannels = 8 << 10;

  void Apply(const v1::Interest& interest) {
    if (interest.full()) {
      counts_.clear();
      patterns_.Clear();
    }
    for (const std::string& channel : interest.remove()) {
      if (IsChannelPattern(channel)) {
        patterns_.Remove(channel);
        continue;
      }
      const auto found = counts_.find(ChannelHash(channel));
      if (found != counts_.end() && --found->second == 0) counts_.erase(found);
    }
    for (const std::string& channel : interest.add()) {
      if (!IsChannelPattern(channel)) {
        ++counts_[ChannelHash(channel)];
      } else if (auto pattern = ChannelPattern::Parse(channel); pattern.ok()) {
        patterns_.Add(*std::move(pattern), {});
      }
    }
  }
  // Whether any of these channels is wanted by its name.
  template <typename Hashes>
  bool ContainsAny(const Hashes& hashes) const {
    return std::any_of(hashes.begin(), hashes.end(),
                       [this](uint64_t hash) { return counts_.contains(hash); });
  }
  bool has_patterns() const { return !patterns_.empty(); }
  // Whether any of these channels is wanted by a pattern.
  template <typename Names>
  bool MatchesAny(const Names& names) {
    return std::any_of(names.begin(), names.end(),
                       [this](std::string_view name) { return patterns_.MatchesAny(name); });
  }
  // How often it has forgotten which patterns match, since the last call.
  uint64_t TakeForgotten() {
    return patterns_.forgotten() - std::exchange(told_forgotten_, patterns_.forgotten());
  }

 private:
  struct Nothing {};
  absl::flat_hash_map<uint64_t, uint32_t> counts_;
  PatternMap<Nothing> patterns_{kMostChannels};
  uint64_t told_forgotten_ = 0;
};

}  // namespace spillway::ingest
