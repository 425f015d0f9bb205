#include "services/edge/dialect/event_encoder.h"

#include <chrono>
#include <cstdlib>
#include <utility>

namespace spillway::edge {
namespace {

static_assert(kMaxVariants <= 64, "wanted frames are kept as the bits of one word");

uint64_t BitOf(VariantId id) { return uint64_t{1} << id; }

// A frame that was just made of the event.
Ref<Frame> Marked(const EdgeEvent& event, size_t channel, Ref<Frame> frame) {
  if (frame) {
    frame->set_meta({.event = true,
                     .slot = event.slot(),
                     .offset = event.offset(),
                     .key_hash = event.key_hash(channel)});
  }
  return frame;
}

}  // namespace

VariantId VariantTable::Add(const EventEncoder* encoder, bool compressed) {
  const auto plain = static_cast<VariantId>(size_);
  const auto add = [&](int window_bits) {
    if (size_ == kMaxVariants) std::abort();  // bounded by whoever reads the configuration
    Variant& variant = variants_[size_++];
    variant.encoder = encoder;
    variant.plain = plain;
    variant.window_bits = static_cast<uint8_t>(window_bits);
  };
  add(0);
  if (compressed) {
    add(Compressor::kWideWindowBits);
    add(Compressor::kNarrowWindowBits);
  }
  return plain;
}

VariantId VariantTable::FormFor(VariantId plain, int window_bits) const {
  const size_t wide = size_t{plain} + 1;
  if (window_bits == 0 || wide >= size_ || variants_[wide].plain != plain) return plain;
  return static_cast<VariantId>(window_bits >= Compressor::kWideWindowBits ? wide : wide + 1);
}

const Frame* VariantTable::MakeFrame(const EdgeEvent& event, size_t channel, VariantId id) const {
  const Variant& variant = variants_[id];
  if (std::atomic<uint64_t>& wanted = WantedOf(event, channel);
      (wanted.load(std::memory_order_relaxed) & BitOf(id)) == 0) {
    wanted.fetch_or(BitOf(id), std::memory_order_relaxed);
  }
  if (variant.window_bits == 0) {
    return event.SetFrame(channel, id,
                          Marked(event, channel, variant.encoder->EncodeEvent(event, channel)));
  }
  // A plain frame that nobody else gets is not kept.
  Ref<Frame> plain;
  if (const Frame* made = event.frame(channel, variant.plain); made != nullptr) {
    plain = Ref<Frame>(const_cast<Frame*>(made));
  } else if (variants_[variant.plain].in_use.load(std::memory_order_relaxed) > 0) {
    plain = Ref<Frame>(const_cast<Frame*>(FrameOf(event, channel, variant.plain)));
  } else {
    plain = Marked(event, channel, variant.encoder->EncodeEvent(event, channel));
  }
  if (variant.window_bits == Compressor::kNarrowWindowBits &&
      plain->payload().size() <= Compressor::kNarrowPayload &&
      plain->payload().size() >= options_.threshold) {
    // The same bytes as for the full window.
    const Frame* wide = FrameOf(event, channel, static_cast<VariantId>(id - 1));
    return event.SetFrame(channel, id, Ref<Frame>(const_cast<Frame*>(wide)));
  }
  Ref<Frame> compressed = Compress(*plain, variant.window_bits);
  const bool worked = static_cast<bool>(compressed);
  const Frame* offered = worked ? compressed.get() : plain.get();
  const Frame* set = event.SetFrame(channel, id, worked ? std::move(compressed) : std::move(plain));
  if (worked && set != offered) counters_.raced.Add();
  return set;
}

Ref<Frame> VariantTable::Compress(const Frame& plain, int window_bits) const {
  const size_t before = plain.payload().size();
  if (before < options_.threshold) {
    counters_.below.Add();
    return {};
  }
  // Measured, not told: how long it took changes nothing but a counter.
  const auto start = std::chrono::steady_clock::now();
  Ref<Frame> compressed = Compressor::OfThisThread(options_.level).Compress(plain, window_bits);
  const auto took = std::chrono::steady_clock::now() - start;
  counters_.nanoseconds.Add(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
  if (!compressed) {
    counters_.incompressible.Add();
    return {};
  }
  counters_.compressed.Add();
  counters_.bytes_before.Add(before);
  counters_.bytes_after.Add(compressed->payload().size());
  return compressed;
}

void VariantTable::EncodeAhead(const EdgeEvent& event, size_t channel) const {
  const uint64_t wanted = WantedOf(event, channel).load(std::memory_order_relaxed);
  for (size_t i = 0; i < size_; ++i) {
    const auto id = static_cast<VariantId>(i);
    const Variant& variant = variants_[i];
    const bool plain = variant.window_bits == 0;
    const bool asked = (wanted & BitOf(id)) != 0;
    const bool used = variant.in_use.load(std::memory_order_relaxed) > 0;
    if (plain ? used || asked : used && asked) FrameOf(event, channel, id);
  }
}

void VariantTable::ForgetWanted() const {
  for (size_t i = 0; i < kWantedChannels; ++i) wanted_[i].store(0, std::memory_order_relaxed);
}

Ref<Frame> VariantTable::Packed(VariantId id, Ref<Frame> frame) const {
  const Variant& variant = variants_[id];
  if (variant.window_bits == 0 ||
      (frame->opcode() != Opcode::kText && frame->opcode() != Opcode::kBinary)) {
    return frame;
  }
  Ref<Frame> compressed = Compress(*frame, variant.window_bits);
  return compressed ? std::move(compressed) : std::move(frame);
}

}  // namespace spillway::edge
