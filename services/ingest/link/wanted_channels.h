#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/channel/channel_hash.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

// The channels that an edge wants, by hash: a collision costs an event that the edge ignores.
// Counted, so that of two wanted channels with one hash either may go. Not thread-safe; its owner
// says who may call it.
class WantedChannels {
 public:
  void Apply(const v1::Interest& interest) {
    if (interest.full()) counts_.clear();
    for (const std::string& channel : interest.remove()) {
      const auto found = counts_.find(ChannelHash(channel));
      if (found != counts_.end() && --found->second == 0) counts_.erase(found);
    }
    for (const std::string& channel : interest.add()) ++counts_[ChannelHash(channel)];
  }
  // Whether any of these channels is wanted.
  template <typename Hashes>
  bool ContainsAny(const Hashes& hashes) const {
    return std::any_of(hashes.begin(), hashes.end(),
                       [this](uint64_t hash) { return counts_.contains(hash); });
  }

 private:
  absl::flat_hash_map<uint64_t, uint32_t> counts_;
};

}  // namespace spillway::ingest
