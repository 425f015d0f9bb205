#include "services/edge/session/affinity.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_hash.h"

namespace spillway::edge {

void AffinityTable::SetNodes(std::vector<AffinityNode> nodes) {
  auto fresh = std::make_shared<const std::vector<AffinityNode>>(std::move(nodes));
  MutexLock lock(mutex_);
  nodes_.swap(fresh);
}

std::optional<AffinityNode> AffinityTable::OtherOwner(std::string_view key) const {
  std::shared_ptr<const std::vector<AffinityNode>> nodes;
  {
    MutexLock lock(mutex_);
    nodes = nodes_;
  }
  if (nodes == nullptr) return std::nullopt;
  const AffinityNode* owner = nullptr;
  uint64_t most = 0;
  for (const AffinityNode& node : *nodes) {
    const uint64_t weight = ChannelHash(absl::StrCat(node.node_id, "|", Abs(key)));
    if (owner == nullptr || weight > most || (weight == most && node.node_id < owner->node_id)) {
      owner = &node;
      most = weight;
    }
  }
  if (owner == nullptr || owner->node_id == self_) return std::nullopt;
  return *owner;
}

}  // namespace spillway::edge
