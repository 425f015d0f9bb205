// HubShard: subscriptions that are taken up again where their client says it was.

#include <algorithm>
#include <utility>

#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {

JoinSlot HubShard::PlaceFor(const ChannelSlot& slot, const Join& join) const {
  JoinSlot place{.slot = slot.slot};
  if (join.resume == nullptr) return place;
  const SlotEntry* known = slots_->Find(slot.slot);
  if (known == nullptr) return place;
  const auto entry =
      std::find_if(join.resume->begin(), join.resume->end(),
                   [&](const ResumeEntry& one) { return one.source == known->source; });
  if (entry == join.resume->end()) {
    place.from = -1;  // it came into being since: all of it is new
  } else if (!entry->pending) {
    place.from = entry->offset;
  }
  return place;
}

void HubShard::StartOver(ChannelState& channel, Join& join, std::string_view reason) {
  join.snapshot_if_lost = false;
  join.lost_reason = reason;
  // Answers that are still to come would count as the snapshot's.
  absl::erase_if(reads_, [&](const auto& read) {
    return read.second.history && read.second.subscription == join.id;
  });
  std::vector<std::pair<SlotNumber, int64_t>> to_read;
  for (JoinSlot& place : join.slots) {
    const ChannelSlot* slot = channel.FindSlot(place.slot);
    if (slot == nullptr || place.phase == JoinSlot::Phase::kPending) continue;
    int64_t unsent = place.at + 1;
    for (size_t i = 0; i < join.replay.size(); ++i) {
      const EdgeEvent& event = *join.replay[i];
      if (event.slot() == place.slot) unsent = std::min(unsent, event.offset());
    }
    if (slot->snapshot) {
      place.lost_from = unsent;
      place.phase = JoinSlot::Phase::kReading;
      // Not from before what the client has, either.
      to_read.emplace_back(place.slot,
                           std::max({slot->held_after(), worker_at(place.slot), unsent - 1}));
    } else {
      // Keeps no snapshot: it goes on, and asks again for what was under way.
      place.at = unsent - 1;
      place.phase = JoinSlot::Phase::kCursor;
    }
  }
  join.replay.clear();
  join.ring_next = 0;
  join.reading += to_read.size();
  if (!to_read.empty()) RequestRead(channel, join, /*history=*/false, std::move(to_read));
}

void HubShard::TellLost(const ChannelState& channel, const Join& join, JoinSlot& place) {
  const int64_t from = std::exchange(place.lost_from, JoinSlot::kNow);
  if (from == JoinSlot::kNow || place.at < from) return;
  SendGap(join.subscription, *channel.traits,
          {place.slot, SourceOf(place.slot), from, place.at, join.lost_reason});
}

}  // namespace spillway::edge
