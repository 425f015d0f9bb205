// HubShard: how a subscription becomes live (the rules of joining, docs/architecture.md).

#include <algorithm>
#include <utility>

#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {
namespace {

// Whether this worker knows from where on it has the channel in every slot that a snapshot is of.
bool SnapshotSlotsKnown(const ChannelState& channel) {
  return std::all_of(channel.slots.begin(), channel.slots.end(),
                     [](const ChannelSlot& slot) { return slot.known || !slot.snapshot; });
}

}  // namespace

bool HubShard::MayStartOver(ChannelState& channel, const Join& join, SlotNumber slot) {
  if (!join.snapshot_if_lost || !SnapshotSlotsKnown(channel)) return false;
  const ChannelSlot* known = channel.FindSlot(slot);
  if (known == nullptr || !known->snapshot) return false;
  // A snapshot that lacks a partition, which is told as pending, must not look like a whole one.
  return std::none_of(join.slots.begin(), join.slots.end(), [&](const JoinSlot& place) {
    const ChannelSlot* const other = channel.FindSlot(place.slot);
    return place.phase < JoinSlot::Phase::kReading && other != nullptr && other->snapshot;
  });
}

void HubShard::AdvanceAll(ChannelState& channel, MonoTime now) {
  for (size_t i = 0; i < channel.joining.size();) {
    if (!AdvanceOne(channel, i, now)) ++i;
  }
}

bool HubShard::AdvanceOne(ChannelState& channel, size_t index, MonoTime now) {
  if (!Advance(channel, *channel.joining[index], now)) return false;
  const Subscription subscription = TakeJoin(channel, index)->subscription;
  Put(channel, PlaceOf(subscription.frequency), subscription);
  return true;
}

bool HubShard::Advance(ChannelState& channel, Join& join, MonoTime now) {
  // Slots that appeared since the subscription began are new to it.
  for (const ChannelSlot& slot : channel.slots) {
    if (join.FindPlace(slot.slot) == nullptr) join.slots.push_back(PlaceFor(slot, join));
  }
  DropGone(channel, join, now);

  if (join.resume != nullptr) JudgeClaims(channel, join);
  if (!join.announced && !AwaitCoverage(channel, join, now)) return false;
  if (!PlacePending(channel, join, now)) return false;
  if (join.resume != nullptr && !TellForeign(channel, join)) return false;
  if (join.reading > 0) return false;
  if (join.snapshot_open && !SendSnapshot(join)) return false;
  if (!SendReplay(channel, join)) return false;
  if (!CatchUp(channel, join)) return false;
  if (slots_ == nullptr || !slots_->complete) return false;
  // Live once this worker has taken in all that the subscription was already given: what comes from
  // now on is then new to both.
  return std::all_of(join.slots.begin(), join.slots.end(), [this](const JoinSlot& place) {
    return place.phase == JoinSlot::Phase::kCursor && place.at <= worker_at(place.slot);
  });
}

void HubShard::DropGone(ChannelState& channel, Join& join, MonoTime now) {
  bool again = false;
  std::erase_if(join.slots, [&](const JoinSlot& place) {
    if (channel.FindSlot(place.slot) != nullptr) return false;
    again = again || (place.untold && join.reading > 0);
    // A snapshot in place of what was lost ends with the answer about this one: it fails.
    return place.untold || !place.in_snapshot;
  });
  if (!again) return;
  // Nothing of the snapshot was sent yet: it is read anew, of what there is now.
  absl::erase_if(reads_, [&](const auto& read) {
    return read.second.kind == ReadTarget::Kind::kSnapshot && read.second.subscription == join.id;
  });
  for (JoinSlot& place : join.slots) {
    if (!std::exchange(place.untold, false)) continue;
    place.phase = JoinSlot::Phase::kPending;
    place.in_snapshot = false;
  }
  join.DropSnapshot();
  join.snapshot_failed = false;
  join.reading = 0;
  join.wants_snapshot = join.snapshot_again = true;
  join.begun = now;
}

bool HubShard::AwaitCoverage(ChannelState& channel, Join& join, MonoTime now) {
  const bool all_known = slots_ != nullptr && slots_->complete &&
                         std::all_of(channel.slots.begin(), channel.slots.end(),
                                     [](const ChannelSlot& slot) { return slot.known; }) &&
                         std::all_of(join.slots.begin(), join.slots.end(),
                                     [](const JoinSlot& place) { return place.judged; });
  if (!all_known && now - join.begun < options_.join_wait) return false;
  for (JoinSlot& place : join.slots) {
    const ChannelSlot* slot = channel.FindSlot(place.slot);
    if (place.phase == JoinSlot::Phase::kPending && slot->known && place.judged &&
        !(join.wants_snapshot && slot->snapshot)) {
      place.Begin(slot->held_after());
    }
  }
  join.announced = true;
  join.subscription.subscriber->OnSubscribed(channel.name(), PositionOf(join),
                                             join.wants_snapshot && channel.has_snapshot(),
                                             join.subscription.frequency);
  return true;
}

bool HubShard::AwaitSnapshot(const ChannelState& channel, const Join& join, MonoTime now) const {
  // Before the catalogue is known, what feeds the channel is not: its snapshot is still to come.
  if (slots_ == nullptr || !slots_->complete) return true;
  return now - std::max(join.begun, complete_since_) < options_.snapshot_wait &&
         !SnapshotSlotsKnown(channel);
}

bool HubShard::PlacePending(ChannelState& channel, Join& join, MonoTime now) {
  const Subscription& subscription = join.subscription;
  if (join.wants_snapshot && AwaitSnapshot(channel, join, now)) return false;
  // What comes into being after a snapshot was asked for is not in it, and needs none: it is live
  // from its beginning.
  const bool snapshot = std::exchange(join.wants_snapshot, false);
  const bool whole = SnapshotSlotsKnown(channel);
  std::vector<std::pair<SlotNumber, int64_t>> to_read;
  for (JoinSlot& place : join.slots) {
    if (place.phase != JoinSlot::Phase::kPending) continue;
    const ChannelSlot* slot = channel.FindSlot(place.slot);
    if (!slot->known || !place.judged) continue;
    const int64_t held_after = slot->held_after();
    if (snapshot && slot->snapshot && whole) {
      // As fresh as this worker: then the ring need not reach far back.
      to_read.emplace_back(place.slot, std::max(held_after, worker_at(place.slot)));
      place.phase = JoinSlot::Phase::kReading;
      place.in_snapshot = place.untold = true;
      continue;
    }
    place.Begin(held_after);
    join.ring_next = 0;
    const Ref<Frame> frame =
        variants_[subscription.variant].encoder->EncodeJoined(channel.name(), EntryOf(place));
    if (!frame) continue;
    subscription.subscriber->Keep(frame);
    subscription.subscriber->SendFrame(*frame, channel.traits.get());
  }
  if (snapshot && (!whole || (to_read.empty() && join.snapshot_again))) {
    subscription.subscriber->OnSnapshotFailed(channel.name(), PositionOf(join));
  }
  if (!to_read.empty()) {
    join.reading += to_read.size();
    RequestRead(channel, join, /*history=*/false, std::move(to_read));
  }
  return true;
}

void HubShard::RequestRead(const ChannelState& channel, const Join& join, bool history,
                           std::vector<std::pair<SlotNumber, int64_t>> from) {
  ++counters_.reads;
  const uint64_t read_id = next_read_++;
  reads_[read_id] =
      ReadTarget{.channel = channel.name(),
                 .subscription = join.id,
                 .kind = history ? ReadTarget::Kind::kHistory : ReadTarget::Kind::kSnapshot,
                 .slots = from.size()};
  upstream_.Read(options_.worker, read_id, channel.name(), history, std::move(from));
}

void HubShard::OnRead(uint64_t read_id, const EdgeReadResult& result, MonoTime now) {
  const auto found = reads_.find(read_id);
  if (found == reads_.end()) return;
  const ReadTarget target = found->second;
  if (result.as_of.size() >= target.slots) {
    reads_.erase(found);
  } else {
    found->second.slots -= result.as_of.size();
  }
  ChannelState* channel = Find(target.channel);
  if (channel == nullptr) return;
  for (size_t i = 0; i < channel->joining.size(); ++i) {
    Join& join = *channel->joining[i];
    if (join.id != target.subscription) continue;
    if (target.kind == ReadTarget::Kind::kVerdicts) {
      TakeVerdicts(*channel, join, result);
    } else if (target.kind == ReadTarget::Kind::kHistory) {
      TakeHistory(*channel, join, result);
    } else {
      TakeSnapshot(*channel, join, result);
    }
    AdvanceOne(*channel, i, now);
    return;
  }
}

void HubShard::TakeSnapshot(ChannelState& channel, Join& join, const EdgeReadResult& result) {
  for (const EdgeBatch::Progress& as_of : result.as_of) {
    JoinSlot* place = join.FindPlace(as_of.slot);
    if (place == nullptr || place->phase != JoinSlot::Phase::kReading) continue;
    place->phase = JoinSlot::Phase::kCursor;
    place->in_snapshot = false;
    place->at = as_of.upto;
    join.ring_next = 0;
    join.reading -= std::min<size_t>(join.reading, 1);
    if (result.failed) {
      // No snapshot of this slot: from what this worker has taken in by now.
      const ChannelSlot* slot = channel.FindSlot(as_of.slot);
      place->at = worker_at(as_of.slot);
      if (slot != nullptr) place->at = std::max(place->at, slot->held_after());
    } else {
      PositionEntry entry = EntryOf(as_of.slot, false, as_of.upto);
      entry.fingerprint = as_of.fingerprint;
      entry.fingerprint_back = as_of.fingerprint_back;
      known_marks_.Add(as_of.slot, {as_of.upto - static_cast<int64_t>(as_of.fingerprint_back),
                                    as_of.fingerprint});
      join.summary.position.push_back(entry);
    }
    TellLost(channel, join, *place);
  }
  if (result.failed) {
    join.snapshot_failed = true;
  } else {
    if (!join.snapshot_open) {
      join.snapshot_open = true;
      join.summary.channel = channel.name();
      join.summary.complete = true;
    }
    join.summary.complete = join.summary.complete && result.complete;
    join.summary.since_us = std::max(join.summary.since_us, result.since_us);
    for (const Ref<EdgeEvent>& event : result.events) join.snapshot.push_back(event);
  }
  if (join.reading > 0 || !std::exchange(join.snapshot_failed, false)) return;
  // A snapshot that lacks a partition must not look like a whole one.
  join.DropSnapshot();
  join.SnapshotTold();
  join.subscription.subscriber->OnSnapshotFailed(channel.name(), PositionOf(join));
}

bool HubShard::SendSnapshot(Join& join) {
  const Subscription& subscription = join.subscription;
  SnapshotPiece piece;
  piece.channel = join.summary.channel;
  while (join.snapshot.size() > options_.snapshot_piece_events) {
    if (!subscription.subscriber->CanPull()) return false;
    piece.events.clear();
    for (size_t n = 0; n < options_.snapshot_piece_events; ++n) {
      piece.events.push_back(std::move(join.snapshot.front()));
      join.snapshot.pop_front();
    }
    subscription.subscriber->OnSnapshot(piece);
  }
  if (!subscription.subscriber->CanPull()) return false;
  while (!join.snapshot.empty()) {
    join.summary.events.push_back(std::move(join.snapshot.front()));
    join.snapshot.pop_front();
  }
  join.summary.last = true;
  // Read some turns ago: a topic may be gone since, and its name with it.
  std::erase_if(join.summary.position, [this](PositionEntry& entry) {
    const SlotEntry* known = slots_->Find(entry.slot);
    if (known != nullptr) entry.source = known->source;
    return known == nullptr;
  });
  subscription.subscriber->OnSnapshot(join.summary);
  join.DropSnapshot();
  join.SnapshotTold();
  return true;
}

bool HubShard::CatchUp(ChannelState& channel, Join& join) {
  const Subscription& subscription = join.subscription;
  std::vector<std::pair<SlotNumber, int64_t>> beyond_ring;
  bool reading = false;
  for (JoinSlot& place : join.slots) {
    reading = reading || place.phase == JoinSlot::Phase::kReading;
    if (place.phase != JoinSlot::Phase::kCursor) continue;
    const ChannelSlot* slot = channel.FindSlot(place.slot);
    if (place.at >= slot->held_after()) continue;
    beyond_ring.emplace_back(place.slot, place.at);
    place.phase = JoinSlot::Phase::kReading;
  }
  if (!beyond_ring.empty()) {
    RequestRead(channel, join, /*history=*/true, std::move(beyond_ring));
    return false;
  }
  if (reading) return false;
  // What was looked at before is behind the cursors, or of slots that have none yet.
  const uint64_t first = std::max(join.ring_next, channel.ring_first) - channel.ring_first;
  for (size_t i = first; i < channel.ring.size(); ++i) {
    const RingEntry& entry = channel.ring[i];
    join.ring_next = channel.ring_first + i;
    JoinSlot* place = join.FindPlace(entry.slot());
    if (place == nullptr || place->phase != JoinSlot::Phase::kCursor ||
        entry.last_offset() <= place->at) {
      continue;
    }
    if (!subscription.subscriber->CanPull()) return false;
    if (entry.event) {
      DeliverTo(subscription, *channel.traits, *entry.event, entry.channel_index);
    } else {
      const GapNote& gap = *entry.gap;
      SendGap(
          subscription, *channel.traits,
          {gap.slot, SourceOf(gap.slot), std::max(gap.from, place->at + 1), gap.to, gap.reason});
    }
    place->at = entry.last_offset();
  }
  join.ring_next = channel.ring_first + channel.ring.size();
  for (JoinSlot& place : join.slots) {
    if (place.phase == JoinSlot::Phase::kCursor) {
      place.at = std::max(place.at, worker_at(place.slot));
    }
  }
  return true;
}

}  // namespace spillway::edge
