#include "services/edge/dialect/edge_event.h"

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

}  // namespace

Ref<EdgeEvent> EdgeEvent::Make(const wire::EventView& view, SlotNumber slot, size_t variants) {
  static_assert(alignof(FramePointer) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ &&
                alignof(uint64_t) <= alignof(FramePointer));
  Ref<EdgeEvent> event = Ref<EdgeEvent>::Adopt(new EdgeEvent());
  const size_t channels = view.channels.size();
  size_t text_size =
      view.type.size() + view.key.size() + view.payload.size() + view.trace_id.size();
  for (std::string_view channel : view.channels) text_size += channel.size();
  const size_t frames_size = channels * variants * sizeof(FramePointer);
  const size_t block_size = frames_size + channels * sizeof(uint64_t) + text_size;

  event->slot_ = slot;
  event->variants_ = static_cast<uint32_t>(variants);
  event->block_ = std::make_unique_for_overwrite<std::byte[]>(block_size);
  std::byte* const block = event->block_.get();
  for (size_t i = 0; i < channels * variants; ++i) {
    new (block + i * sizeof(FramePointer)) FramePointer(nullptr);
  }
  event->cost_ = sizeof(EdgeEvent) + block_size + channels * sizeof(std::string_view);

  // Field by field: GCC 12 takes a copy of the whole view for a read of uninitialised memory.
  wire::EventView& copy = event->view_;
  char* at = reinterpret_cast<char*>(block + frames_size + channels * sizeof(uint64_t));
  copy.channels.reserve(channels);
  for (std::string_view channel : view.channels) copy.channels.push_back(CopyTo(&at, channel));
  for (size_t i = 0; i < channels; ++i) {
    const uint64_t hash = ChannelHash(copy.channels[i]);
    std::memcpy(block + frames_size + i * sizeof hash, &hash, sizeof hash);
  }
  copy.slot = view.slot;
  copy.offset = view.offset;
  copy.type = CopyTo(&at, view.type);
  copy.key = CopyTo(&at, view.key);
  event->key_hash_ = KeyHash(slot, view.key);
  copy.event_time_us = view.event_time_us;
  copy.payload = CopyTo(&at, view.payload);
  copy.encoding = view.encoding;
  copy.priority = view.priority;
  copy.trace_id = CopyTo(&at, view.trace_id);
  copy.tombstone = view.tombstone;
  return event;
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
