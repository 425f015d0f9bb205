#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/ref_counted.h"
#include "common/wire/event_wire.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge {

// This edge's number for (topic, partition, incarnation): given out once in the life of the
// process.
using SlotNumber = uint32_t;
constexpr SlotNumber kNoSlot = UINT32_MAX;  // the event never was in Kafka

// A dialect in one shape (an endpoint's envelope) and one form of compression: everything that gets
// the same bytes.
using VariantId = uint8_t;
constexpr size_t kMaxVariants = 48;

// A pattern in use that an event's channels match.
struct PatternMatch {
  std::string_view pattern;
  uint64_t hash = 0;     // ChannelHash(pattern)
  uint32_t channel = 0;  // index of the first of its channels that does
};

// An event as this edge holds it: its own copy of the fields, and the frames made of it, one for
// each channel and variant, made once and shared by all subscribers on all threads. Immutable but
// for the frames, which are set at most once each (a race between two threads costs one of them its
// work, nothing else). May be read from any thread.
class EdgeEvent final : public RefCounted<EdgeEvent> {
 public:
  // Copies what `view` points to. `slot` replaces the ingest's number. It has room for the frames
  // of `variants` variants: those of the process (VariantTable::size()). To subscribers of
  // `patterns` it goes, too, as of that one of its channels.
  static Ref<EdgeEvent> Make(const wire::EventView& view, SlotNumber slot,
                             size_t variants = kMaxVariants,
                             std::span<const PatternMatch> patterns = {});

  SlotNumber slot() const { return slot_; }
  bool ephemeral() const { return slot_ == kNoSlot; }
  int64_t offset() const { return view_.offset; }
  // Strings live as long as the event. view().slot is meaningless here.
  const wire::EventView& view() const { return view_; }
  // What subscriptions to it are of: its channels, and behind them the patterns.
  size_t channel_count() const { return view_.channels.size(); }
  std::string_view channel(size_t index) const { return view_.channels[index]; }
  uint64_t channel_hash(size_t index) const { return hashes()[index]; }
  // channel_count(): there is none of that name.
  size_t FindChannel(std::string_view channel) const;
  bool is_pattern(size_t index) const {
    return patterns_ > 0 && index + patterns_ >= channel_count();
  }
  // The channel itself: of a pattern, that one which the event is for it.
  std::string_view channel_in(size_t index) const {
    return is_pattern(index) ? channel(of_patterns()[PatternIndex(index)].channel) : channel(index);
  }
  // Of the slot and the key, the same for all events of this process that have both: a key is one
  // of its slot. 0: there is no key.
  uint64_t key_hash() const { return key_hash_; }
  // The same among what subscribers of channel(index) get: of a pattern, a key is one of its
  // channel, too.
  uint64_t key_hash(size_t index) const {
    return is_pattern(index) ? of_patterns()[PatternIndex(index)].key_hash : key_hash_;
  }
  // Bytes that it keeps in memory, frames not included.
  size_t cost() const { return cost_; }

  // The frame for a channel and variant; null until it was set.
  const Frame* frame(size_t channel, VariantId variant) const {
    return frames()[channel * variants_ + variant].load(std::memory_order_acquire);
  }
  // Offers a frame; returns the one that counts, which stays with the event.
  const Frame* SetFrame(size_t channel, VariantId variant, Ref<Frame> frame) const;

 private:
  friend class RefCounted<EdgeEvent>;
  using FramePointer = std::atomic<const Frame*>;

  EdgeEvent() = default;
  ~EdgeEvent();

  struct OfPattern {
    uint64_t key_hash;
    uint64_t channel;  // index
  };

  FramePointer* frames() const { return reinterpret_cast<FramePointer*>(block_.get()); }
  uint64_t* hashes() const {
    return reinterpret_cast<uint64_t*>(block_.get() +
                                       channel_count() * variants_ * sizeof(FramePointer));
  }

  OfPattern* of_patterns() const {
    return reinterpret_cast<OfPattern*>(hashes() + channel_count());
  }
  size_t PatternIndex(size_t index) const { return index + patterns_ - channel_count(); }

  SlotNumber slot_ = kNoSlot;
  uint16_t variants_ = 0;
  uint16_t patterns_ = 0;
  wire::EventView view_;
  uint64_t key_hash_ = 0;
  size_t cost_ = 0;
  // The frames, then the channels' hashes, then what is of patterns, then the texts.
  std::unique_ptr<std::byte[]> block_;
};

}  // namespace spillway::edge
