// HubShard: taking in batches, delivering, the rings, gaps and checkpoints.

#include <algorithm>
#include <array>
#include <utility>

#include "common/channel/channel_hash.h"
#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {

void HubShard::OnSlots(std::shared_ptr<const SlotTable> slots, MonoTime now) {
  if (slots->complete && (slots_ == nullptr || !slots_->complete)) complete_since_ = now;
  slots_ = std::move(slots);
  if (taken_.size() < slots_->slots.size()) {
    taken_.resize(slots_->slots.size(), -1);
    marks_.resize(slots_->slots.size());
  }
  for (size_t slot = 0; slot < slots_->slots.size(); ++slot) {
    if (slots_->slots[slot] == nullptr) known_marks_.Forget(static_cast<SlotNumber>(slot));
  }
  std::vector<ChannelState*> all;
  for (const auto& channel : channels_) all.push_back(channel.get());
  for (ChannelState* channel : all) {
    FindFeeds(*channel);
    AdvanceAll(*channel, now);
  }
}

void HubShard::OnBatch(const EdgeBatch& batch, MonoTime now) {
  for (const Ref<EdgeEvent>& event : batch.events) {
    ++counters_.events;
    for (size_t i = 0; i < event->channel_count(); ++i) {
      const auto found = channels_.find(event->channel(i), event->channel_hash(i));
      if (found == channels_.end()) continue;
      ChannelState& channel = **found;
      if (!channel.awaits_coverage || IsCovered(channel, event->slot())) [[likely]] {
        Deliver(channel, *event, i);
      }
      Remember(channel, event, i);
      touched_.push_back(&channel);
    }
  }
  for (const EdgeBatch::Progress& progress : batch.progress) {
    if (progress.slot >= taken_.size() || progress.upto <= taken_[progress.slot]) continue;
    taken_[progress.slot] = progress.upto;
    if (progress.fingerprint == 0) continue;  // the last one that is known stands where it stood
    marks_[progress.slot] = {progress.upto - static_cast<int64_t>(progress.fingerprint_back),
                             progress.fingerprint};
  }
  // Joiners read the rings, so these are trimmed only after they had their turn.
  if (!joining_.empty()) {
    const std::vector<ChannelState*> joining(joining_.begin(), joining_.end());
    for (ChannelState* channel : joining) AdvanceAll(*channel, now);
  }
  for (ChannelState* channel : touched_) TrimRing(*channel);
  touched_.clear();
}

void HubShard::Deliver(ChannelState& channel, const EdgeEvent& event, size_t channel_index) {
  // Nearly all subscribers of a channel share one variant: its frame is looked up once.
  const Frame* frame = nullptr;
  size_t variant = kMaxVariants;
  if (event.key_hash() == 0 && channel.traits->slow == SlowPolicy::kConflate) [[unlikely]] {
    TellKeyless(channel);
  }
  for (const Subscription& subscription : channel.live) {
    if (subscription.variant != variant) {
      variant = subscription.variant;
      frame = variants_.FrameOf(event, channel_index, subscription.variant);
      // The event may be gone before the turn is over.
      subscription.subscriber->Keep(Ref<Frame>(const_cast<Frame*>(frame)));
    }
    subscription.subscriber->SendFrame(*frame, channel.traits.get());
  }
  counters_.deliveries += channel.live.size();
  if (channel.lanes != nullptr) [[unlikely]]
    Hold(channel, event, channel_index);
}

void HubShard::TellKeyless(ChannelState& channel) {
  if (std::exchange(channel.keyless_told, true) || !options_.on_keyless) return;
  options_.on_keyless(channel.name());
}

void HubShard::DeliverTo(const Subscription& subscription, const ChannelTraits& traits,
                         const EdgeEvent& event, size_t channel_index) {
  const Frame* frame = variants_.FrameOf(event, channel_index, subscription.variant);
  subscription.subscriber->Keep(Ref<Frame>(const_cast<Frame*>(frame)));
  subscription.subscriber->SendFrame(*frame, &traits);
  ++counters_.deliveries;
}

template <typename Encode>
size_t HubShard::Tell(ChannelState& channel, Encode encode) {
  FlushAll(channel);
  std::array<Ref<Frame>, kMaxVariants> frames;
  size_t told = 0;
  channel.ForEachLive([&](const SubscriptionList& list, const ChannelTraits& traits) {
    for (const Subscription& subscription : list) {
      Ref<Frame>& frame = frames[subscription.variant];
      if (!frame) {
        frame = encode(*variants_[subscription.variant].encoder);
        if (!frame) continue;
        subscription.subscriber->Keep(frame);
      }
      subscription.subscriber->SendFrame(*frame, &traits);
      ++told;
    }
  });
  return told;
}

uint64_t HubShard::DeliverEphemeral(const EdgeEvent& event) {
  uint64_t subscribers = 0;
  for (size_t i = 0; i < event.channel_count(); ++i) {
    const auto found = channels_.find(event.channel(i), event.channel_hash(i));
    if (found == channels_.end()) continue;
    ChannelState& channel = **found;
    Deliver(channel, event, i);
    subscribers += channel.size() - channel.joining.size();
    for (const auto& join : channel.joining) {
      if (!join->announced) continue;
      DeliverTo(join->subscription, *channel.traits, event, i);
      ++subscribers;
    }
  }
  return subscribers;
}

absl::InlinedVector<PatternMatch, 4> HubShard::MatchesOf(const EdgeEvent& event,
                                                         ToldPatterns* told) {
  absl::InlinedVector<PatternMatch, 4> matches;
  for (uint32_t i = 0; i < event.channel_count(); ++i) {
    patterns_.ForEachMatch(event.channel(i), [&](const ChannelPattern& pattern, Nothing&) {
      const std::string_view text = pattern.text();
      if (told != nullptr && told->contains(text)) return;
      if (std::none_of(matches.begin(), matches.end(),
                       [text](const PatternMatch& one) { return one.pattern == text; })) {
        matches.push_back({text, ChannelHash(text), i});
      }
    });
  }
  if (told != nullptr) {
    for (const PatternMatch& match : matches) told->emplace(match.pattern);
  }
  return matches;
}

uint64_t HubShard::Broadcast(const EdgeEvent& event, ToldPatterns* told) {
  const auto matches = MatchesOf(event, told);
  if (matches.empty()) return DeliverEphemeral(event);
  return DeliverEphemeral(*EdgeEvent::Make(event.view(), event.slot(), variants_.size(), matches));
}

uint64_t HubShard::BroadcastTargets(const EdgeEvent& event, ToldPatterns* told) {
  uint64_t targets = 0;
  const auto add = [&](std::string_view name) {
    if (const ChannelState* channel = Find(name); channel != nullptr) targets += channel->size();
  };
  for (size_t i = 0; i < event.channel_count(); ++i) add(event.channel(i));
  for (const PatternMatch& match : MatchesOf(event, told)) add(match.pattern);
  return targets;
}

void HubShard::OnEphemeralGap() {
  for (const auto& channel : channels_) {
    if (!channel->traits->ephemeral) continue;
    const auto encode = [&](const EventEncoder& encoder) {
      return encoder.EncodeEphemeralGap(channel->name());
    };
    counters_.ephemeral_gaps += Tell(*channel, encode);
    for (const auto& join : channel->joining) {
      if (!join->announced) continue;
      const Subscription& subscription = join->subscription;
      const Ref<Frame> frame = encode(*variants_[subscription.variant].encoder);
      subscription.subscriber->Keep(frame);
      subscription.subscriber->SendFrame(*frame, channel->traits.get());
      ++counters_.ephemeral_gaps;
    }
  }
}

void HubShard::Remember(ChannelState& channel, const Ref<EdgeEvent>& event, size_t channel_index) {
  channel.ring.push_back({event, static_cast<uint32_t>(channel_index), nullptr});
  ring_bytes_ += event->cost();
}

void HubShard::EvictFront(ChannelState& channel) {
  const RingEntry& front = channel.ring.front();
  if (ChannelSlot* slot = channel.FindSlot(front.slot()); slot != nullptr) {
    slot->floor = std::max(slot->floor, front.last_offset());
  }
  ring_bytes_ -= front.cost();
  channel.ring.pop_front();
  ++channel.ring_first;
}

void HubShard::TrimRing(ChannelState& channel) {
  while (channel.ring.size() > options_.ring_events ||
         (ring_bytes_ > options_.ring_bytes && !channel.ring.empty())) {
    ++counters_.ring_evictions;
    EvictFront(channel);
  }
}

void HubShard::OnInterest(std::string_view name, SlotNumber number, int64_t after, MonoTime now,
                          uint64_t interest) {
  ChannelState* channel = Find(name);
  if (channel == nullptr || (interest != 0 && interest != channel->interest)) return;
  ChannelSlot* slot = channel->FindSlot(number);
  if (slot == nullptr || slot->known) return;
  slot->known = true;
  slot->base = after;
  SeeCoverage(*channel);
  // Whoever is live already subscribed before the partition could be served.
  const int64_t held_after = slot->held_after();
  const PositionEntry entry = EntryOf(number, false, held_after);
  Tell(*channel,
       [&](const EventEncoder& encoder) { return encoder.EncodeJoined(channel->name(), entry); });
  DeliverHeld(*channel, number, held_after);
  AdvanceAll(*channel, now);
}

bool HubShard::IsCovered(ChannelState& channel, SlotNumber number) {
  const ChannelSlot* const slot = channel.FindSlot(number);
  return slot == nullptr || slot->known;
}

void HubShard::SeeCoverage(ChannelState& channel) {
  channel.awaits_coverage = std::any_of(channel.slots.begin(), channel.slots.end(),
                                        [](const ChannelSlot& slot) { return !slot.known; });
}

void HubShard::DeliverHeld(ChannelState& channel, SlotNumber slot, int64_t after) {
  if (channel.size() == channel.joining.size()) return;
  for (size_t i = 0; i < channel.ring.size(); ++i) {
    const RingEntry& entry = channel.ring[i];
    if (entry.event && entry.slot() == slot && entry.event->offset() > after) {
      Deliver(channel, *entry.event, entry.channel_index);
    }
  }
}

void HubShard::SendGap(const Subscription& subscription, const ChannelTraits& traits,
                       const GapInfo& gap) {
  const Ref<Frame> frame = variants_[subscription.variant].encoder->EncodeGap(traits.name, gap);
  subscription.subscriber->Keep(frame);
  subscription.subscriber->SendFrame(*frame, &traits);
  ++counters_.gaps;
}

void HubShard::OnGap(SlotNumber number, int64_t from, int64_t to, std::string_view reason,
                     MonoTime now) {
  // What was told as a gap counts as taken in: who subscribes in the next moment begins after it.
  if (number < taken_.size() && from <= taken_[number] + 1) {
    taken_[number] = std::max(taken_[number], to);
  }
  const GapInfo gap{number, SourceOf(number), from, to, reason};
  const auto note = std::make_shared<const GapNote>(GapNote{number, from, to, std::string(reason)});
  std::vector<ChannelState*> affected;
  for (const auto& channel : channels_) {
    if (channel->FindSlot(number) != nullptr) affected.push_back(channel.get());
  }
  for (ChannelState* channel : affected) {
    if (ChannelSlot* slot = channel->FindSlot(number); !slot->known) {
      // Nobody has a position in it yet: this worker's coverage begins after the gap, also if the
      // link thread, asked before the gap, answers with where the edge's began long ago.
      slot->floor = std::max(slot->floor, to);
      continue;
    }
    counters_.gaps += Tell(*channel, [&](const EventEncoder& encoder) {
      return encoder.EncodeGap(channel->name(), gap);
    });
    if (reason == kReset) {
      EndSlot(*channel, gap);
      // Until the table without it comes, nobody begins at the end of it.
      channel->FindSlot(number)->known = false;
      SeeCoverage(*channel);
    }
    channel->ring.push_back({{}, 0, note});
    ring_bytes_ += channel->ring.back().cost();
    AdvanceAll(*channel, now);
    TrimRing(*channel);
  }
}

void HubShard::Checkpoint(ChannelState& channel) {
  std::vector<PositionEntry> changed;
  for (ChannelSlot& slot : channel.slots) {
    if (!slot.known || worker_at(slot.slot) <= slot.told) continue;
    slot.told = worker_at(slot.slot);
    changed.push_back(EntryOf(slot.slot, false, slot.told));
  }
  if (changed.empty()) return;
  counters_.checkpoints += Tell(channel, [&](const EventEncoder& encoder) {
    return encoder.EncodeCheckpoint(channel.name(), changed);
  });
}

}  // namespace spillway::edge
