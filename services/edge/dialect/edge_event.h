#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "common/base/ref_counted.h"
#include "common/wire/event_wire.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge {

// This edge's number for (topic, partition, incarnation): given out once in the life of the
// process.
using SlotNumber = uint32_t;
constexpr SlotNumber kNoSlot = UINT32_MAX;  // the event never was in Kafka

// A dialect in one shape (an endpoint's envelope): everything that gets the same bytes.
using VariantId = uint8_t;
constexpr size_t kMaxVariants = 16;

// An event as this edge holds it: its own copy of the fields, and the frames made of it, one for
// each channel and variant, made once and shared by all subscribers on all threads. Immutable but
// for the frames, which are set at most once each (a race between two threads costs one of them its
// work, nothing else). May be read from any thread.
class EdgeEvent final : public RefCounted<EdgeEvent> {
 public:
  // Copies what `view` points to. `slot` replaces the ingest's number.
  static Ref<EdgeEvent> Make(const wire::EventView& view, SlotNumber slot);

  SlotNumber slot() const { return slot_; }
  bool ephemeral() const { return slot_ == kNoSlot; }
  int64_t offset() const { return view_.offset; }
  // Strings live as long as the event. view().slot is meaningless here.
  const wire::EventView& view() const { return view_; }
  size_t channel_count() const { return view_.channels.size(); }
  std::string_view channel(size_t index) const { return view_.channels[index]; }
  uint64_t channel_hash(size_t index) const { return hashes_[index]; }
  // Bytes that it keeps in memory, frames not included.
  size_t cost() const { return cost_; }

  // The frame for a channel and variant; null until it was set.
  const Frame* frame(size_t channel, VariantId variant) const {
    return frames_[channel * kMaxVariants + variant].load(std::memory_order_acquire);
  }
  // Offers a frame; returns the one that counts, which stays with the event.
  const Frame* SetFrame(size_t channel, VariantId variant, Ref<Frame> frame) const;

 private:
  friend class RefCounted<EdgeEvent>;
  EdgeEvent() = default;
  ~EdgeEvent();

  SlotNumber slot_ = kNoSlot;
  wire::EventView view_;
  size_t cost_ = 0;
  std::unique_ptr<char[]> text_;
  std::unique_ptr<uint64_t[]> hashes_;
  mutable std::unique_ptr<std::atomic<const Frame*>[]> frames_;
};

}  // namespace spillway::edge
