#include "services/edge/hub/hub_shard.h"

#include <algorithm>
#include <utility>

#include "common/base/erase_if.h"
#include "common/channel/channel_hash.h"

namespace spillway::edge {

size_t HubShard::Hash::operator()(std::string_view name) const {
  // The link thread hashes an event's channels once for all workers: EdgeEvent::channel_hash().
  return ChannelHash(name);
}

HubShard::HubShard(Options options, VariantTable& variants, Upstream& upstream)
    : options_(std::move(options)), variants_(variants), upstream_(upstream) {}

HubShard::~HubShard() = default;

ChannelState* HubShard::Find(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : found->get();
}

ChannelState* HubShard::Open(std::string_view channel) {
  if (IsChannelPattern(channel)) {
    auto pattern = ChannelPattern::Parse(channel);
    if (!pattern.ok() || (options_.patterns != nullptr && !options_.patterns->Take(channel))) {
      return nullptr;
    }
    patterns_.Add(*std::move(pattern), {});
  }
  auto made = std::make_unique<ChannelState>();
  const ChannelSettings settings =
      options_.settings_of ? options_.settings_of(channel) : ChannelSettings();
  made->traits = MakeRef<const ChannelTraits>(std::string(channel), ChannelHash(channel), settings);
  ChannelState& state = **channels_.insert(std::move(made)).first;
  FindFeeds(state);
  state.interest = next_interest_++;
  upstream_.AddInterest(options_.worker, state.name(), state.interest);
  return &state;
}

void HubShard::CloseIfUnused(ChannelState& channel) {
  if (channel.size() > 0) return;
  while (!channel.ring.empty()) EvictFront(channel);
  upstream_.RemoveInterest(options_.worker, channel.name());
  if (channel.traits->pattern) {
    patterns_.Remove(channel.name());
    if (options_.patterns != nullptr) options_.patterns->GiveBack(channel.name());
  }
  Retire(channel.traits);
  channels_.erase(channels_.find(std::string_view(channel.name())));
}

void HubShard::Retire(Ref<const ChannelTraits> traits) {
  retired_.push_back({std::move(traits), ticks_});
}

const ChannelTraits* HubShard::TraitsOf(std::string_view channel) const {
  const ChannelState* state = Find(channel);
  return state == nullptr ? nullptr : state->traits.get();
}

std::string_view HubShard::SourceOf(SlotNumber slot) const {
  const SlotEntry* known = slots_ == nullptr ? nullptr : slots_->Find(slot);
  return known == nullptr ? std::string_view() : known->source;
}

void HubShard::FindFeeds(ChannelState& channel) {
  if (slots_ == nullptr) return;
  EraseIf(&channel.slots,
          [this](const ChannelSlot& slot) { return slots_->Find(slot.slot) == nullptr; });
  std::optional<ChannelPattern> pattern;
  if (channel.traits->pattern) pattern = *ChannelPattern::Parse(channel.name());
  for (const auto& entry : slots_->slots) {
    bool snapshot = false;
    if (entry == nullptr || channel.FindSlot(entry->number) != nullptr ||
        !(pattern.has_value() ? entry->FeedsAny(*pattern, &snapshot)
                              : entry->Feeds(channel.name(), &snapshot))) {
      continue;
    }
    ChannelSlot& slot = channel.slots.emplace_back();
    slot.slot = entry->number;
    slot.snapshot = snapshot;
    // What this worker took in before it knew of the channel is not in the ring.
    slot.floor = worker_at(entry->number);
    slot.told = slot.floor;
  }
  SeeCoverage(channel);
}

const Membership* HubShard::FindMembership(const Subscriber* subscriber,
                                           const ChannelState& channel) {
  for (const Membership& membership : subscriber->memberships_) {
    if (membership.channel == &channel) return &membership;
  }
  return nullptr;
}

Membership* HubShard::FindMembership(Subscriber* subscriber, const ChannelState& channel) {
  const Subscriber* const same = subscriber;
  return const_cast<Membership*>(FindMembership(same, channel));
}

void HubShard::SetMembership(Subscriber* subscriber, ChannelState& channel, Place place,
                             size_t index) {
  Membership* membership = FindMembership(subscriber, channel);
  if (membership == nullptr) {
    membership = &subscriber->memberships_.emplace_back();
    membership->channel = &channel;
  }
  membership->place = place;
  membership->index = static_cast<uint32_t>(index);
}

Subscription& HubShard::At(ChannelState& channel, const Membership& membership) {
  if (membership.place == Place::kJoining) return channel.joining[membership.index]->subscription;
  return channel.ListOf(membership.place)[membership.index];
}

void HubShard::Put(ChannelState& channel, Place place, Subscription subscription) {
  if (place > Place::kHigh) Enter(OpenLane(channel, FrequencyOf(place)), &subscription);
  SubscriptionList& list = channel.ListOf(place);
  SetMembership(subscription.subscriber, channel, place, list.size());
  list.push_back(subscription);
}

void HubShard::PutJoin(ChannelState& channel, std::unique_ptr<Join> join) {
  SetMembership(join->subscription.subscriber, channel, Place::kJoining, channel.joining.size());
  channel.joining.push_back(std::move(join));
  joining_.insert(&channel);
}

Subscription HubShard::Take(ChannelState& channel, Place place, size_t index) {
  if (place == Place::kJoining) return TakeJoin(channel, index)->subscription;
  SubscriptionList& list = channel.ListOf(place);
  const Subscription taken = list[index];
  if (index + 1 < list.size()) {
    list[index] = list.back();
    FindMembership(list[index].subscriber, channel)->index = static_cast<uint32_t>(index);
  }
  list.pop_back();
  if (list.empty() && place > Place::kHigh) CloseLane(*channel.lanes->of(FrequencyOf(place)));
  return taken;
}

std::unique_ptr<Join> HubShard::TakeJoin(ChannelState& channel, size_t index) {
  auto& list = channel.joining;
  std::unique_ptr<Join> taken = std::move(list[index]);
  if (index + 1 < list.size()) {
    list[index] = std::move(list.back());
    FindMembership(list[index]->subscription.subscriber, channel)->index =
        static_cast<uint32_t>(index);
  }
  list.pop_back();
  if (list.empty()) {
    list.shrink_to_fit();
    joining_.erase(&channel);
  }
  return taken;
}

HubShard::SubscribeResult HubShard::Subscribe(Subscriber* subscriber, std::string_view name,
                                              bool snapshot, MonoTime now, Frequency frequency,
                                              std::unique_ptr<const Resume> resume) {
  ChannelState* const known = Find(name);
  if (known != nullptr && FindMembership(subscriber, *known) != nullptr) {
    return SubscribeResult::kAlready;
  }
  ChannelState* const opened = known != nullptr ? known : Open(name);
  if (opened == nullptr) return SubscribeResult::kTooManyPatterns;
  ChannelState& channel = *opened;
  auto joining = std::make_unique<Join>();
  Join& join = *joining;
  join.id = next_subscription_++;
  join.subscription.subscriber = subscriber;
  join.subscription.variant = subscriber->VariantFor(name);
  join.subscription.frequency = frequency;
  join.resume = std::move(resume);
  // Whether there is one may not be known yet.
  (join.resume == nullptr ? join.wants_snapshot : join.snapshot_if_lost) = snapshot;
  join.begun = now;
  for (const ChannelSlot& slot : channel.slots) {
    JoinSlot& place = join.slots.emplace_back(PlaceFor(slot, join));
    if (slot.known && place.judged && !(join.wants_snapshot && slot.snapshot)) {
      place.Begin(std::max(slot.held_after(), worker_at(slot.slot)));
    }
  }
  ++subscriptions_;
  PutJoin(channel, std::move(joining));
  AdvanceOne(channel, channel.joining.size() - 1, now);
  return SubscribeResult::kOk;
}

bool HubShard::Unsubscribe(Subscriber* subscriber, std::string_view name) {
  ChannelState* channel = Find(name);
  if (channel == nullptr) return false;
  Membership* membership = FindMembership(subscriber, *channel);
  if (membership == nullptr) return false;
  Take(*channel, membership->place, membership->index);
  subscriber->memberships_.erase(membership);
  --subscriptions_;
  CloseIfUnused(*channel);
  return true;
}

void HubShard::Remove(Subscriber* subscriber) {
  while (!subscriber->memberships_.empty()) {
    const Membership membership = subscriber->memberships_.back();
    subscriber->memberships_.pop_back();
    Take(*membership.channel, membership.place, membership.index);
    --subscriptions_;
    CloseIfUnused(*membership.channel);
  }
}

void HubShard::OnWritable(Subscriber* subscriber, MonoTime now) {
  std::vector<ChannelState*> waiting;
  for (const Membership& membership : subscriber->memberships_) {
    if (membership.place == Place::kJoining) waiting.push_back(membership.channel);
  }
  for (ChannelState* channel : waiting) AdvanceAll(*channel, now);
}

std::vector<std::string> HubShard::ChannelsOf(const Subscriber* subscriber) const {
  std::vector<std::string> names;
  for (const Membership& membership : subscriber->memberships_) {
    names.push_back(membership.channel->name());
  }
  return names;
}

bool HubShard::IsSubscribed(const Subscriber* subscriber, std::string_view name) const {
  const ChannelState* channel = Find(name);
  return channel != nullptr && FindMembership(subscriber, *channel) != nullptr;
}

std::vector<PositionEntry> HubShard::PositionOf(const Subscriber* subscriber,
                                                std::string_view name) const {
  const ChannelState* channel = Find(name);
  if (channel == nullptr) return {};
  const Membership* membership = FindMembership(subscriber, *channel);
  if (membership == nullptr) return {};
  if (membership->place == Place::kJoining) return PositionOf(*channel->joining[membership->index]);
  std::vector<PositionEntry> position;
  for (const ChannelSlot& slot : channel->slots) {
    position.push_back(EntryOf(slot.slot, !slot.known, slot.known ? worker_at(slot.slot) : -1));
  }
  return position;
}

size_t HubShard::SubscriptionCount(const Subscriber* subscriber) const {
  return subscriber->memberships_.size();
}

size_t HubShard::PatternCount(const Subscriber* subscriber) const {
  return static_cast<size_t>(std::count_if(
      subscriber->memberships_.begin(), subscriber->memberships_.end(),
      [](const Membership& membership) { return membership.channel->traits->pattern; }));
}

std::vector<Subscriber*> HubShard::SubscribersOf(std::string_view name) const {
  std::vector<Subscriber*> subscribers;
  if (const ChannelState* channel = Find(name); channel != nullptr) {
    channel->ForEachLive([&subscribers](const SubscriptionList& list, const ChannelTraits&) {
      for (const Subscription& subscription : list) subscribers.push_back(subscription.subscriber);
    });
    for (const auto& join : channel->joining) {
      subscribers.push_back(join->subscription.subscriber);
    }
  }
  return subscribers;
}

PositionEntry HubShard::EntryOf(SlotNumber slot, bool pending, int64_t offset) const {
  PositionEntry entry;
  entry.slot = slot;
  entry.source = SourceOf(slot);
  entry.pending = pending;
  entry.offset = pending ? -1 : offset;
  if (pending || slot >= marks_.size() || marks_[slot].at > offset) return entry;
  entry.fingerprint = marks_[slot].fingerprint;
  entry.fingerprint_back = static_cast<uint64_t>(offset - marks_[slot].at);
  known_marks_.Add(slot, marks_[slot]);
  return entry;
}

PositionEntry HubShard::EntryOf(const JoinSlot& place) const {
  PositionEntry entry = EntryOf(place.slot, place.phase != JoinSlot::Phase::kCursor, place.at);
  if (!entry.pending && entry.fingerprint == 0 && place.proven) {
    entry.fingerprint = place.shown->fingerprint;
    entry.fingerprint_back = static_cast<uint64_t>(place.at - place.shown->fingerprint_at);
  }
  return entry;
}

std::vector<PositionEntry> HubShard::PositionOf(const Join& join) const {
  std::vector<PositionEntry> position;
  position.reserve(join.slots.size());
  for (const JoinSlot& slot : join.slots) {
    // One that has gone stays until what was read of it is answered.
    if (slots_ != nullptr && slots_->Find(slot.slot) == nullptr) continue;
    position.push_back(EntryOf(slot));
  }
  return position;
}

void HubShard::Tick(MonoTime now) {
  // This turn may be the one in which they were retired, the one before is over.
  ++ticks_;
  size_t over = 0;
  while (over < retired_.size() && retired_[over].tick + 2 <= ticks_) ++over;
  retired_.erase(retired_.begin(), retired_.begin() + static_cast<ptrdiff_t>(over));

  // A join that waits for partitions nobody serves goes on without them after a while.
  const std::vector<ChannelState*> joining(joining_.begin(), joining_.end());
  for (ChannelState* channel : joining) AdvanceAll(*channel, now);
  FlushDue(now);

  if (now - last_checkpoints_ < std::chrono::seconds(1)) return;
  last_checkpoints_ = now;
  for (const auto& channel : channels_) {
    if (channel->size() == channel->joining.size() ||
        now - channel->last_checkpoint < options_.checkpoint_interval) {
      continue;
    }
    channel->last_checkpoint = now;
    Checkpoint(*channel);
  }
}

}  // namespace spillway::edge
