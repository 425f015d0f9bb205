#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/mutex.h"

namespace spillway::edge {

// An edge that takes clients.
struct AffinityNode {
  std::string node_id;
  std::string address;  // where clients reach it; empty: not known
};

// On which node the clients of a key belong: by rendezvous hashing (Thaler, Ravishankar 1998) with
// XXH64 (seed 0) of "NODE_ID|KEY", the largest of which owns it; of equal ones that with the first
// id. Part of what nodes agree about: the same on all, whatever their version. Thread-safe.
class AffinityTable {
 public:
  // `self`: this node.
  explicit AffinityTable(std::string self) : self_(std::move(self)) {}

  // The nodes that take clients now, this one among them if it does.
  void SetNodes(std::vector<AffinityNode> nodes);
  // The owner, if that is another node; nothing if it is this one, or nobody is known to take
  // clients.
  std::optional<AffinityNode> OtherOwner(std::string_view key) const;

 private:
  const std::string self_;
  mutable Mutex mutex_;
  std::shared_ptr<const std::vector<AffinityNode>> nodes_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge
