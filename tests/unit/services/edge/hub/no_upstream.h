#pragma once

#include <string>
#include <utility>
#include <vector>

#include "services/edge/hub/upstream.h"

namespace spillway::edge {

// For a hub shard whose interest and reads nobody answers.
class NoUpstream final : public Upstream {
 public:
  void AddInterest(size_t, std::string, uint64_t) override {}
  void RemoveInterest(size_t, std::string) override {}
  void Read(size_t, uint64_t, std::string, bool,
            std::vector<std::pair<SlotNumber, int64_t>>) override {}
  void Judge(size_t, uint64_t, std::vector<SlotClaim>) override {}
};

}  // namespace spillway::edge
