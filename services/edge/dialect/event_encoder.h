#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/metrics/metrics.h"
#include "services/edge/dialect/edge_event.h"
#include "services/edge/frame/compressor.h"

namespace spillway::edge {

// A place in a subscription's history, for one slot.
struct PositionEntry {
  SlotNumber slot = kNoSlot;
  std::string_view source;  // "topic/partition@incarnation"; valid during the call only
  bool pending = false;     // the partition is not attached: its offset is not known yet
  int64_t offset = -1;      // everything up to here was sent or told as a gap
  // Of a record at or before `offset`, so far back; 0: unknown.
  uint16_t fingerprint = 0;
  uint64_t fingerprint_back = 0;
};

struct GapInfo {
  SlotNumber slot = kNoSlot;
  std::string_view source;
  int64_t from = 0;
  int64_t to = 0;
  std::string_view reason;  // stable code
  // Of events that never were in Kafka: how many. They have no slot, nor a range.
  uint32_t count = 0;
};

// Makes the frames that go to all subscribers of a channel who share a variant. Implementations are
// immutable: callable from any thread. Checkpoints and joins may come back as a null Ref, since an
// envelope can leave them out; events and gaps, of either kind, never do.
class EventEncoder {
 public:
  virtual ~EventEncoder() = default;

  // `channel` is an index into the event's channels. Of a pattern, the frame says which one of its
  // channels the event is for, and which pattern.
  virtual Ref<Frame> EncodeEvent(const EdgeEvent& event, size_t channel) const = 0;
  // Refreshes positions: only the entries that changed.
  virtual Ref<Frame> EncodeCheckpoint(std::string_view channel,
                                      const std::vector<PositionEntry>& position) const = 0;
  // A partition joined the channel: everything after `entry.offset` is delivered.
  virtual Ref<Frame> EncodeJoined(std::string_view channel, const PositionEntry& entry) const = 0;
  virtual Ref<Frame> EncodeGap(std::string_view channel, const GapInfo& gap) const = 0;
  // Events that never were in Kafka may have been lost; nobody knows how many, or which.
  virtual Ref<Frame> EncodeEphemeralGap(std::string_view channel) const = 0;
};

// What compressing outgoing frames has done. Any thread counts, once for a frame and never for a
// delivery.
struct CompressionCounters {
  metrics::AtomicCounter compressed;      // frames made smaller
  metrics::AtomicCounter below;           // below the threshold: sent as they are
  metrics::AtomicCounter incompressible;  // would not have become smaller: sent as they are
  metrics::AtomicCounter raced;           // done twice: another thread was first
  metrics::AtomicCounter bytes_before;    // payload bytes of `compressed`
  metrics::AtomicCounter bytes_after;
  metrics::AtomicCounter nanoseconds;  // spent compressing, in vain or not
};

// The variants of this process: fixed at the start, before any connection. `in_use` counts
// connections, so that the link thread encodes ahead of the workers only what somebody will get.
//
// An encoder has a plain variant and, if clients may negotiate permessage-deflate with it, two more
// right behind it: for the full window, and for the least, which serves every smaller one. A frame
// of these is compressed once and shared by all who get it; one that is too small, or would not
// become smaller, is the plain frame itself.
//
// Add() is for the start only; everything else may be called from any thread. Compressing is done
// with the calling thread's Compressor.
class VariantTable {
 public:
  struct Variant {
    const EventEncoder* encoder = nullptr;
    VariantId plain = 0;      // the same without compression; its own number if it has none
    uint8_t window_bits = 0;  // of what it is compressed with; 0: plain
    std::atomic<int64_t> in_use{0};
  };

  explicit VariantTable(CompressionOptions options = {}) : options_(options) {}

  // Returns the plain variant. The encoder outlives the table. At most kMaxVariants in all.
  VariantId Add(const EventEncoder* encoder, bool compressed = false);
  size_t size() const { return size_; }
  Variant& operator[](VariantId id) { return variants_[id]; }
  const Variant& operator[](VariantId id) const { return variants_[id]; }

  // The form of a plain variant for a connection that agreed to a window of so many bits (0: to no
  // compression).
  VariantId FormFor(VariantId plain, int window_bits) const;

  // The event's frame, made now if nobody has made it yet.
  const Frame* FrameOf(const EdgeEvent& event, size_t channel, VariantId id) const {
    const Frame* frame = event.frame(channel, id);
    return frame != nullptr ? frame : MakeFrame(event, channel, id);
  }

  // For the link thread, before it hands the event to the workers: makes the frames that they will
  // ask for. Plain ones of every variant in use; compressed ones for channels of which a worker had
  // to make one itself since ForgetWanted(), so that one compressing client does not have all
  // channels compressed.
  void EncodeAhead(const EdgeEvent& event, size_t channel) const;
  // From time to time, so that what nobody wants any more is not made for ever.
  void ForgetWanted() const;

  // A frame for one connection alone: compressed if its variant is and it is worth it, else itself.
  Ref<Frame> Packed(VariantId id, Ref<Frame> frame) const;

  const CompressionOptions& compression() const { return options_; }
  const CompressionCounters& counters() const { return counters_; }

 private:
  // Of channels by hash: a collision has a frame made for nobody.
  static constexpr size_t kWantedChannels = 4096;

  const Frame* MakeFrame(const EdgeEvent& event, size_t channel, VariantId id) const;
  // Null if it is not worth it.
  Ref<Frame> Compress(const Frame& plain, int window_bits) const;
  std::atomic<uint64_t>& WantedOf(const EdgeEvent& event, size_t channel) const {
    return wanted_[event.channel_hash(channel) % kWantedChannels];
  }

  const CompressionOptions options_;
  Variant variants_[kMaxVariants];
  size_t size_ = 0;
  mutable CompressionCounters counters_;
  // A bit for each variant.
  const std::unique_ptr<std::atomic<uint64_t>[]> wanted_ =
      std::make_unique<std::atomic<uint64_t>[]>(kWantedChannels);
};

}  // namespace spillway::edge
