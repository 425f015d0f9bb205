#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/dialect/edge_event.h"

namespace spillway::edge {

// A place in a subscription's history, for one slot.
struct PositionEntry {
  SlotNumber slot = kNoSlot;
  std::string_view source;   // "topic/partition@incarnation"; lives as long as the process
  bool pending = false;      // the partition is not attached: its offset is not known yet
  int64_t offset = -1;       // everything up to here was sent or told as a gap
  uint16_t fingerprint = 0;  // 0: unknown
};

struct GapInfo {
  SlotNumber slot = kNoSlot;
  std::string_view source;
  int64_t from = 0;
  int64_t to = 0;
  std::string_view reason;  // stable code
};

// Makes the frames that go to all subscribers of a channel who share a variant. Implementations are
// immutable: callable from any thread. Checkpoints and joins may come back as a null Ref, since an
// envelope can leave them out; events and gaps never do.
class EventEncoder {
 public:
  virtual ~EventEncoder() = default;

  // `channel` is an index into the event's channels.
  virtual Ref<Frame> EncodeEvent(const EdgeEvent& event, size_t channel) const = 0;
  // Refreshes positions: only the entries that changed.
  virtual Ref<Frame> EncodeCheckpoint(std::string_view channel,
                                      const std::vector<PositionEntry>& position) const = 0;
  // A partition joined the channel: everything after `entry.offset` is delivered.
  virtual Ref<Frame> EncodeJoined(std::string_view channel, const PositionEntry& entry) const = 0;
  virtual Ref<Frame> EncodeGap(std::string_view channel, const GapInfo& gap) const = 0;
};

// The variants of this process: fixed at the start, before any connection. `in_use` counts
// connections, so that the link thread encodes ahead of the workers only what somebody will get.
class VariantTable {
 public:
  struct Variant {
    const EventEncoder* encoder = nullptr;
    std::atomic<int64_t> in_use{0};
  };

  // Not thread-safe: at the start only. The encoder outlives the table.
  VariantId Add(const EventEncoder* encoder) {
    variants_[size_].encoder = encoder;
    return static_cast<VariantId>(size_++);
  }
  size_t size() const { return size_; }
  Variant& operator[](VariantId id) { return variants_[id]; }
  const Variant& operator[](VariantId id) const { return variants_[id]; }

  // The event's frame, made now if nobody has made it yet.
  const Frame* FrameOf(const EdgeEvent& event, size_t channel, VariantId id) const {
    const Frame* frame = event.frame(channel, id);
    if (frame != nullptr) return frame;
    return event.SetFrame(channel, id, variants_[id].encoder->EncodeEvent(event, channel));
  }

 private:
  Variant variants_[kMaxVariants];
  size_t size_ = 0;
};

}  // namespace spillway::edge
