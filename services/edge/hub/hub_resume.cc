// HubShard: subscriptions that are taken up again where their client says it was.

#include <algorithm>
#include <limits>
#include <utility>

#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {
namespace {

// Takes the slot's events out; the least of their offsets, the largest number if there are none.
int64_t TakeOut(SlotNumber slot, RingQueue<Ref<EdgeEvent>>& events) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (size_t n = events.size(); n > 0; --n) {
    Ref<EdgeEvent> event = std::move(events.front());
    events.pop_front();
    if (event->slot() == slot) {
      least = std::min(least, event->offset());
    } else {
      events.push_back(std::move(event));
    }
  }
  return least;
}

}  // namespace

void HubShard::StartOver(ChannelState& channel, Join& join, std::string_view reason) {
  join.snapshot_if_lost = false;
  join.lost_reason = reason;
  // Answers that are still to come would count as the snapshot's.
  absl::erase_if(reads_, [&](const auto& read) {
    return read.second.kind == ReadTarget::Kind::kHistory && read.second.subscription == join.id;
  });
  std::vector<std::pair<SlotNumber, int64_t>> to_read;
  for (JoinSlot& place : join.slots) {
    const ChannelSlot* slot = channel.FindSlot(place.slot);
    if (slot == nullptr || place.phase == JoinSlot::Phase::kPending ||
        place.phase == JoinSlot::Phase::kJudging) {
      continue;
    }
    int64_t unsent = place.at + 1;
    for (size_t i = 0; i < join.replay.size(); ++i) {
      const EdgeEvent& event = *join.replay[i];
      if (event.slot() == place.slot) unsent = std::min(unsent, event.offset());
    }
    if (slot->snapshot) {
      place.lost_from = unsent;
      place.lost_for = {};
      place.phase = JoinSlot::Phase::kReading;
      place.in_snapshot = true;
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

void HubShard::EndSlot(ChannelState& channel, const GapInfo& gap) {
  for (const auto& join : channel.joining) {
    JoinSlot* const place = join->FindPlace(gap.slot);
    if (place == nullptr) continue;
    if (!join->announced) {  // and is not to hear of it: it has no place in it
      place->phase = JoinSlot::Phase::kPending;
      continue;
    }
    const bool in_place = place->lost_from != JoinSlot::kNow;  // of what it lost: it had begun
    if (place->in_snapshot ? !in_place : place->phase < JoinSlot::Phase::kReading) continue;
    const int64_t unsent =
        std::min(in_place ? place->lost_from : place->at + 1, TakeOut(gap.slot, join->replay));
    place->lost_from = JoinSlot::kNow;
    place->at = gap.to;
    // Who would answer may know nothing of it any more: what was asked for is not waited for.
    if (!place->in_snapshot) place->phase = JoinSlot::Phase::kCursor;
    // What was read of it for a snapshot tells no place in a slot that is over.
    std::erase_if(join->summary.position,
                  [&](const PositionEntry& entry) { return entry.slot == gap.slot; });
    TakeOut(gap.slot, join->snapshot);
    if (place->untold) continue;
    if (join->resume != nullptr) join->over.emplace_back(gap.source);
    SendGap(join->subscription, *channel.traits,
            {gap.slot, gap.source, unsent, gap.to, gap.reason});
  }
}

void HubShard::TellLost(const ChannelState& channel, const Join& join, JoinSlot& place) {
  const int64_t from = std::exchange(place.lost_from, JoinSlot::kNow);
  if (from == JoinSlot::kNow || place.at < from) return;
  SendGap(join.subscription, *channel.traits,
          {place.slot, SourceOf(place.slot), from, place.at, join.lost_reason});
}

}  // namespace spillway::edge
