#include "services/edge/ws/send_scratch.h"

#include <utility>

namespace spillway::edge::ws {

void SendScratch::Append(List& list, const Frame& frame, const ChannelTraits* traits) {
  const auto node = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({&frame, traits, kNone});
  if (list.tail == kNone) {
    list.head = node;
  } else {
    nodes_[list.tail].next = node;
  }
  list.tail = node;
}

void SendScratch::Keep(Ref<Frame> frame) { kept_.push_back(std::move(frame)); }

}  // namespace spillway::edge::ws
