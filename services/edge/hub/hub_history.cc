// HubShard: what a subscription missed and had to be read for it.

#include <algorithm>
#include <utility>
#include <vector>

#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {

void HubShard::TakeHistory(ChannelState& channel, Join& join, const EdgeReadResult& result) {
  const Subscription& subscription = join.subscription;
  std::vector<RingEntry> in_place;
  for (const EdgeReadResult::Gap& gap : result.gaps) {
    JoinSlot* place = join.FindPlace(gap.slot);
    if (place == nullptr || gap.to <= place->at) continue;
    const bool first =
        std::none_of(result.events.begin(), result.events.end(), [&](const Ref<EdgeEvent>& event) {
          return event->slot() == gap.slot && event->offset() > place->at &&
                 event->offset() < gap.from;
        });
    if (!first) {  // after events, which go first
      RingEntry& entry = in_place.emplace_back();
      entry.gap = std::make_shared<const GapNote>(
          GapNote{gap.slot, gap.from, gap.to, std::string(gap.reason)});
      continue;
    }
    if (MayStartOver(channel, join, gap.slot)) {
      StartOver(channel, join, gap.reason);
      return;
    }
    SendGap(subscription, *channel.traits,
            {gap.slot, SourceOf(gap.slot), std::max(gap.from, place->at + 1), gap.to, gap.reason});
    place->at = gap.to;
  }
  const bool only_events = in_place.empty();
  for (const Ref<EdgeEvent>& event : result.events) {
    const JoinSlot* place = join.FindPlace(event->slot());
    if (place == nullptr || event->offset() <= place->at) continue;
    RingEntry entry;
    entry.event = event;
    if (only_events) {
      join.replay.push_back(std::move(entry));
    } else {
      in_place.push_back(std::move(entry));
    }
  }
  std::stable_sort(in_place.begin(), in_place.end(), [](const RingEntry& a, const RingEntry& b) {
    return std::pair(a.slot(), a.last_offset()) < std::pair(b.slot(), b.last_offset());
  });
  for (RingEntry& entry : in_place) join.replay.push_back(std::move(entry));
  for (const EdgeBatch::Progress& as_of : result.as_of) {
    JoinSlot* place = join.FindPlace(as_of.slot);
    if (place == nullptr || place->phase != JoinSlot::Phase::kReading) continue;
    place->phase = JoinSlot::Phase::kCursor;
    join.ring_next = 0;
    if (result.failed) {
      const ChannelSlot* slot = channel.FindSlot(as_of.slot);
      const int64_t held_after = slot == nullptr ? place->at : slot->held_after();
      if (held_after > place->at) {
        if (MayStartOver(channel, join, as_of.slot)) {
          StartOver(channel, join, kLimit);
          return;
        }
        SendGap(subscription, *channel.traits,
                {as_of.slot, SourceOf(as_of.slot), place->at + 1, held_after, kLimit});
        place->at = held_after;
      }
    } else {
      place->at = std::max(place->at, as_of.upto);  // once `replay` is sent, which goes first
    }
  }
}

bool HubShard::SendReplay(ChannelState& channel, Join& join) {
  while (!join.replay.empty()) {
    if (!join.subscription.subscriber->CanPull()) return false;
    const RingEntry entry = std::move(join.replay.front());
    join.replay.pop_front();
    if (!entry.event) {
      const GapNote& gap = *entry.gap;
      SendGap(join.subscription, *channel.traits,
              {gap.slot, SourceOf(gap.slot), gap.from, gap.to, gap.reason});
      continue;
    }
    const size_t index = entry.event->FindChannel(channel.name());
    if (index < entry.event->channel_count()) {
      DeliverTo(join.subscription, *channel.traits, *entry.event, index);
    }
  }
  return true;
}

}  // namespace spillway::edge
