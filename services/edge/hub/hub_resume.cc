// HubShard: subscriptions that are taken up again where their client says it was.

#include <algorithm>
#include <limits>
#include <utility>

#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {
namespace {

SlotNumber SlotOf(const Ref<EdgeEvent>& event) { return event->slot(); }
SlotNumber SlotOf(const RingEntry& entry) { return entry.slot(); }

// Takes what is of the slot out.
template <typename Item>
void TakeOut(SlotNumber slot, RingQueue<Item>& items) {
  for (size_t n = items.size(); n > 0; --n) {
    Item item = std::move(items.front());
    items.pop_front();
    if (SlotOf(item) != slot) items.push_back(std::move(item));
  }
}

// The least offset of what waits to be sent of the slot; the largest number if there is nothing.
int64_t FirstUnsent(SlotNumber slot, const RingQueue<RingEntry>& replay) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < replay.size(); ++i) {
    if (replay[i].slot() == slot) least = std::min(least, replay[i].first_offset());
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
    const int64_t unsent = std::min(place.at + 1, FirstUnsent(place.slot, join.replay));
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
        std::min(in_place ? place->lost_from : place->at + 1, FirstUnsent(gap.slot, join->replay));
    TakeOut(gap.slot, join->replay);
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
  const bool refused = std::exchange(place.refused, false);
  if (from == JoinSlot::kNow || (place.at < from && !refused)) return;
  SendGap(join.subscription, *channel.traits,
          {place.slot, SourceOf(place.slot), from, place.at, join.lost_reason});
}

}  // namespace spillway::edge
