#include "services/edge/dialect/edge_event.h"

#include <cstring>

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

}  // namespace

Ref<EdgeEvent> EdgeEvent::Make(const wire::EventView& view, SlotNumber slot) {
  Ref<EdgeEvent> event = Ref<EdgeEvent>::Adopt(new EdgeEvent());
  const size_t channels = view.channels.size();
  size_t text_size =
      view.type.size() + view.key.size() + view.payload.size() + view.trace_id.size();
  for (std::string_view channel : view.channels) text_size += channel.size();

  event->slot_ = slot;
  event->text_ = std::make_unique_for_overwrite<char[]>(text_size);
  event->hashes_ = std::make_unique_for_overwrite<uint64_t[]>(channels);
  event->frames_ = std::make_unique<std::atomic<const Frame*>[]>(channels * kMaxVariants);
  event->cost_ = sizeof(EdgeEvent) + text_size +
                 channels * (sizeof(uint64_t) + sizeof(std::string_view) +
                             kMaxVariants * sizeof(std::atomic<const Frame*>));

  // Field by field: GCC 12 takes a copy of the whole view for a read of uninitialised memory.
  wire::EventView& copy = event->view_;
  char* at = event->text_.get();
  copy.channels.reserve(channels);
  for (size_t i = 0; i < channels; ++i) {
    copy.channels.push_back(CopyTo(&at, view.channels[i]));
    event->hashes_[i] = ChannelHash(copy.channels[i]);
  }
  copy.slot = view.slot;
  copy.offset = view.offset;
  copy.type = CopyTo(&at, view.type);
  copy.key = CopyTo(&at, view.key);
  copy.event_time_us = view.event_time_us;
  copy.payload = CopyTo(&at, view.payload);
  copy.encoding = view.encoding;
  copy.priority = view.priority;
  copy.trace_id = CopyTo(&at, view.trace_id);
  copy.tombstone = view.tombstone;
  return event;
}

EdgeEvent::~EdgeEvent() {
  const size_t count = channel_count() * kMaxVariants;
  for (size_t i = 0; i < count; ++i) {
    const Frame* frame = frames_[i].load(std::memory_order_relaxed);
    if (frame != nullptr) frame->Release();
  }
}

const Frame* EdgeEvent::SetFrame(size_t channel, VariantId variant, Ref<Frame> frame) const {
  if (!frame) return nullptr;
  const Frame* expected = nullptr;
  if (frames_[channel * kMaxVariants + variant].compare_exchange_strong(
          expected, frame.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
    return frame.Detach();
  }
  return expected;
}

}  // namespace spillway::edge
