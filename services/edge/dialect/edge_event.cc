#include "services/edge/dialect/edge_event.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>

#include "absl/hash/hash.h"
#include "common/base/strings.h"
#include "common/channel/channel_hash.h"

namespace spillway::edge {
namespace {

std::string_view CopyTo(char** at, std::string_view text) {
  if (text.empty()) return {};
  std::memcpy(*at, text.data(), text.size());
  const std::string_view copy(*at, text.size());
  *at += text.size();
  return copy;
}

// Seeded by the process: nobody can choose keys that collide.
uint64_t KeyHash(SlotNumber slot, std::string_view key) {
  if (key.empty()) return 0;
  const uint64_t hash = absl::HashOf(slot, Abs(key));
  return hash == 0 ? 1 : hash;
}

uint64_t KeyHashIn(uint64_t key_hash, std::string_view channel) {
  if (key_hash == 0) return 0;
  const uint64_t hash = absl::HashOf(key_hash, Abs(channel));
  return hash == 0 ? 1 : hash;
}

}  // namespace

Ref<EdgeEvent> EdgeEvent::Make(const wire::EventView& view, SlotNumber slot, size_t variants,
                               std::span<const PatternMatch> patterns) {
  static_assert(alignof(FramePointer) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ &&
                alignof(uint64_t) <= alignof(FramePointer));
  Ref<EdgeEvent> event = Ref<EdgeEvent>::Adopt(new EdgeEvent());
  patterns = patterns.first(std::min<size_t>(patterns.size(), UINT16_MAX));
  const size_t channels = view.channels.size() + patterns.size();
  size_t text_size =
      view.type.size() + view.key.size() + view.payload.size() + view.trace_id.size();
  for (std::string_view channel : view.channels) text_size += channel.size();
  for (const PatternMatch& one : patterns) text_size += one.pattern.size();
  const size_t frames_size = channels * variants * sizeof(FramePointer);
  const size_t texts_at =
      frames_size + channels * sizeof(uint64_t) + patterns.size() * sizeof(OfPattern);
  const size_t block_size = texts_at + text_size;

  event->slot_ = slot;
  event->variants_ = static_cast<uint16_t>(variants);
  event->patterns_ = static_cast<uint16_t>(patterns.size());
  event->block_ = std::make_unique_for_overwrite<std::byte[]>(block_size);
  std::byte* const block = event->block_.get();
  for (size_t i = 0; i < channels * variants; ++i) {
    new (block + i * sizeof(FramePointer)) FramePointer(nullptr);
  }
  event->cost_ = sizeof(EdgeEvent) + block_size + channels * sizeof(std::string_view);

  // Field by field: GCC 12 takes a copy of the whole view for a read of uninitialised memory.
  wire::EventView& copy = event->view_;
  char* at = reinterpret_cast<char*>(block + texts_at);
  copy.channels.reserve(channels);
  for (std::string_view channel : view.channels) copy.channels.push_back(CopyTo(&at, channel));
  const auto set_hash = [&](size_t i, uint64_t hash) {
    std::memcpy(block + frames_size + i * sizeof hash, &hash, sizeof hash);
  };
  for (size_t i = 0; i < copy.channels.size(); ++i) set_hash(i, ChannelHash(copy.channels[i]));
  for (const PatternMatch& one : patterns) {
    set_hash(copy.channels.size(), one.hash);
    copy.channels.push_back(CopyTo(&at, one.pattern));
  }
  copy.slot = view.slot;
  copy.offset = view.offset;
  copy.type = CopyTo(&at, view.type);
  copy.key = CopyTo(&at, view.key);
  event->key_hash_ = KeyHash(slot, view.key);
  for (size_t i = 0; i < patterns.size(); ++i) {
    const OfPattern of{KeyHashIn(event->key_hash_, copy.channels[patterns[i].channel]),
                       patterns[i].channel};
    std::memcpy(event->of_patterns() + i, &of, sizeof of);
  }
  copy.event_time_us = view.event_time_us;
  copy.payload = CopyTo(&at, view.payload);
  copy.encoding = view.encoding;
  copy.priority = view.priority;
  copy.trace_id = CopyTo(&at, view.trace_id);
  copy.tombstone = view.tombstone;
  return event;
}

size_t EdgeEvent::FindChannel(std::string_view channel) const {
  const auto found = std::find(view_.channels.begin(), view_.channels.end(), channel);
  return static_cast<size_t>(found - view_.channels.begin());
}

EdgeEvent::~EdgeEvent() {
  const size_t count = channel_count() * variants_;
  for (size_t i = 0; i < count; ++i) {
    const Frame* frame = frames()[i].load(std::memory_order_relaxed);
    if (frame != nullptr) frame->Release();
  }
}

const Frame* EdgeEvent::SetFrame(size_t channel, VariantId variant, Ref<Frame> frame) const {
  if (!frame) return nullptr;
  const Frame* expected = nullptr;
  if (frames()[channel * variants_ + variant].compare_exchange_strong(
          expected, frame.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
    return frame.Detach();
  }
  return expected;
}

}  // namespace spillway::edge
