#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/edge/frame/channel_traits.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge::ws {

// What the connections of a worker queued in this turn: a pool of list nodes, one list a
// connection. Grows to the most that one turn needed (bounded by kMaxNodes) and is reused, so that
// queueing a frame neither allocates nor touches its reference count. Frames and traits are
// borrowed until the turn's end. Belongs to one worker thread; owned by its ConnectionSet.
class SendScratch {
 public:
  static constexpr uint32_t kNone = ~0u;
  // 6 MiB of nodes; when they are used up every list is flushed and the pool starts again.
  static constexpr size_t kMaxNodes = 256 * 1024;

  struct List {
    uint32_t head = kNone;
    uint32_t tail = kNone;
  };

  bool full() const { return nodes_.size() >= kMaxNodes; }
  // `traits`: null for a frame of no channel.
  void Append(List& list, const Frame& frame, const ChannelTraits* traits);
  const Frame& frame(uint32_t node) const { return *nodes_[node].frame; }
  const ChannelTraits* traits(uint32_t node) const { return nodes_[node].traits; }
  uint32_t next(uint32_t node) const { return nodes_[node].next; }

  // Keeps a frame alive until the turn's end.
  void Keep(Ref<Frame> frame);
  // All lists are forgotten.
  void ClearNodes() { nodes_.clear(); }
  // The turn's end: what was kept is released.
  void Release() { kept_.clear(); }

 private:
  struct Node {
    const Frame* frame;
    const ChannelTraits* traits;
    uint32_t next;
  };
  std::vector<Node> nodes_;
  std::vector<Ref<Frame>> kept_;
};

}  // namespace spillway::edge::ws
