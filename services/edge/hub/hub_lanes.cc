// HubShard: subscribers who are sent the latest event of each key at a rate (docs/architecture.md,
// "Update frequency").

#include <algorithm>
#include <utility>

#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {

LaneState& HubShard::OpenLane(ChannelState& channel, Frequency frequency) {
  if (channel.lanes == nullptr) channel.lanes = std::make_unique<ChannelLanes>();
  std::unique_ptr<LaneState>& lane = channel.lanes->of(frequency);
  if (lane == nullptr) {
    lane = std::make_unique<LaneState>();
    lane->channel = &channel;
    // What gives way to what is newer is what these clients asked for.
    lane->traits = MakeRef<const ChannelTraits>(
        channel.name(), channel.traits->hash,
        ChannelSettings{.slow = SlowPolicy::kConflate, .priority = channel.traits->priority},
        /*is_silent=*/true);
    lane->frequency = frequency;
  }
  return *lane;
}

void HubShard::CloseLane(LaneState& lane) {
  ChannelState& channel = *lane.channel;
  EmptyLane(lane);
  Retire(std::move(lane.traits));
  channel.lanes->of(lane.frequency).reset();
  if (channel.lanes->unused()) channel.lanes.reset();
}

bool HubShard::SetFrequency(Subscriber* subscriber, std::string_view name, Frequency frequency) {
  ChannelState* channel = Find(name);
  if (channel == nullptr) return false;
  const Membership* membership = FindMembership(subscriber, *channel);
  if (membership == nullptr) return false;
  const Place from = membership->place;
  const size_t index = membership->index;
  Subscription& subscription = At(*channel, *membership);
  if (subscription.frequency == frequency) return true;
  subscription.frequency = frequency;
  if (from == Place::kJoining) return true;  // counts from when it is live
  // What the old lane holds goes first: from here on everything before counts as sent.
  if (from > Place::kHigh) SendHeld(*channel->lanes->of(FrequencyOf(from)), subscription);
  Put(*channel, PlaceOf(frequency), Take(*channel, from, index));
  return true;
}

// It has everything that the lane holds, by other means.
void HubShard::Enter(LaneState& lane, Subscription* subscription) {
  subscription->entered = lane.held.mark();
  lane.entrants = lane.entrants || subscription->entered > 0;
}

void HubShard::SendHeld(const LaneState& lane, const Subscription& subscription) {
  lane.held.ForEach([&](const Lane::Held& held) {
    if (held.mark <= subscription.entered) return;
    DeliverTo(subscription, *lane.traits, *held.event, held.channel_index);
  });
}

void HubShard::Hold(ChannelState& channel, const EdgeEvent& event, size_t channel_index) {
  const Ref<EdgeEvent> kept(const_cast<EdgeEvent*>(&event));
  for (const auto& lane : channel.lanes->lanes) {
    if (lane == nullptr) continue;
    lane_bytes_ -= lane->held.bytes();
    lane_events_ -= lane->held.size();
    if (lane->held.Take(kept, channel_index))
      ++counters_.conflated[static_cast<size_t>(lane->frequency)];
    lane_bytes_ += lane->held.bytes();
    lane_events_ += lane->held.size();
    if (lane->clock_index == LaneState::kNotHolding) {
      std::vector<LaneState*>& holding = clocks_[static_cast<size_t>(lane->frequency)].holding;
      lane->clock_index = holding.size();
      holding.push_back(lane.get());
    }
    if (lane->held.size() >= options_.lane_events || lane_bytes_ > options_.lane_bytes ||
        lane->held.out_of_marks()) {
      ++counters_.lane_early_flushes;
      Flush(*lane);
    }
  }
}

// Connection by connection, so that each one's state is touched once however much is held.
void HubShard::Flush(LaneState& lane) {
  if (lane.held.empty()) return;
  ++counters_.lane_flushes[static_cast<size_t>(lane.frequency)];
  size_t variant = kMaxVariants;
  for (const Subscription& subscription : lane.members) {
    if (subscription.variant != variant) {
      variant = subscription.variant;
      FindFrames(lane, subscription);
    }
    for (const LaneFrame& frame : lane_frames_[variant]) {
      if (frame.mark <= subscription.entered) continue;
      subscription.subscriber->SendFrame(*frame.frame, lane.traits.get());
      ++counters_.deliveries;
    }
  }
  for (const VariantId used : lane_variants_) lane_frames_[used].clear();
  lane_variants_.clear();
  if (std::exchange(lane.entrants, false)) {
    for (Subscription& subscription : lane.members) subscription.entered = 0;
  }
  EmptyLane(lane);
}

void HubShard::FindFrames(const LaneState& lane, const Subscription& subscription) {
  std::vector<LaneFrame>& frames = lane_frames_[subscription.variant];
  if (!frames.empty()) return;
  lane_variants_.push_back(subscription.variant);
  lane.held.ForEach([&](const Lane::Held& held) {
    const Frame* frame = variants_.FrameOf(*held.event, held.channel_index, subscription.variant);
    // The event goes now, the frame must stay to the end of the turn.
    subscription.subscriber->Keep(Ref<Frame>(const_cast<Frame*>(frame)));
    frames.push_back({frame, held.mark});
  });
}

void HubShard::EmptyLane(LaneState& lane) {
  lane_bytes_ -= lane.held.bytes();
  lane_events_ -= lane.held.size();
  lane.held.Clear();
  if (lane.clock_index == LaneState::kNotHolding) return;
  std::vector<LaneState*>& holding = clocks_[static_cast<size_t>(lane.frequency)].holding;
  holding[lane.clock_index] = holding.back();
  holding[lane.clock_index]->clock_index = lane.clock_index;
  holding.pop_back();
  lane.clock_index = LaneState::kNotHolding;
}

void HubShard::FlushAll(ChannelState& channel) {
  if (channel.lanes == nullptr) return;
  for (const auto& lane : channel.lanes->lanes) {
    if (lane != nullptr) Flush(*lane);
  }
}

// A lane's turns are the multiples of its interval, so lanes of a frequency flush in one turn of
// the worker, and what a connection gets of them leaves in one write.
void HubShard::FlushDue(MonoTime now) {
  for (size_t i = 1; i < kFrequencies; ++i) {
    LaneClock& clock = clocks_[i];
    const int64_t turn = now.time_since_epoch() / options_.lane_intervals[i];
    if (turn == std::exchange(clock.turn, turn)) continue;
    while (!clock.holding.empty()) Flush(*clock.holding.back());
  }
}

}  // namespace spillway::edge
