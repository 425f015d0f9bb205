#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "common/base/clock.h"
#include "common/base/string_map.h"
#include "common/channel/pattern_map.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/frame/channel_traits.h"
#include "services/edge/hub/channel_state.h"
#include "services/edge/hub/edge_batch.h"
#include "services/edge/hub/known_marks.h"
#include "services/edge/hub/pattern_limit.h"
#include "services/edge/hub/resume.h"
#include "services/edge/hub/slot_table.h"
#include "services/edge/hub/subscriber.h"
#include "services/edge/hub/upstream.h"

namespace spillway::edge {

// One worker's share of the subscriptions, and the worker's half of the delivery rules
// (docs/architecture.md, "Attaching, joining, resuming"): a subscription joins by a cursor that
// catches up with what this worker has taken in, then is live. A pure state machine: no sockets, no
// threads, no clock of its own.
//
// Belongs to one worker; only its thread calls it. Everything from the link thread arrives through
// the worker's mailbox, in the order in which the link thread posted it.
class HubShard {
 public:
  struct Options {
    size_t worker = 0;
    size_t ring_events = 256;            // recent events kept for joiners, for each channel
    size_t ring_bytes = 16 << 20;        // and for all channels of the shard together
    size_t snapshot_piece_events = 100;  // events in one piece of a snapshot
    std::chrono::milliseconds join_wait{
        1'000};  // how long a join waits for partitions not attached
    // How long a snapshot waits for partitions that are not attached: half of one is not sent.
    std::chrono::milliseconds snapshot_wait{5'000};
    std::chrono::milliseconds checkpoint_interval{10'000};
    // Of a channel that is opened; null: every channel has the default.
    std::function<ChannelSettings(std::string_view channel)> settings_of;
    // An event without a key came for a channel that is to conflate: told once for each that is
    // opened. May be null.
    std::function<void(std::string_view channel)> on_keyless;
    // From one flush of a lane to the next, by frequency; the first is not used.
    std::array<std::chrono::milliseconds, kFrequencies> lane_intervals{
        std::chrono::milliseconds(0), std::chrono::milliseconds(250),
        std::chrono::milliseconds(1'000), std::chrono::milliseconds(5'000)};
    size_t lane_events = 1'000;        // held by one lane; then it is flushed early
    size_t lane_bytes = 16 << 20;      // and by all lanes of the shard together
    PatternLimit* patterns = nullptr;  // of the process; null: there is no limit
  };
  struct Counters {
    uint64_t deliveries = 0;
    uint64_t events = 0;
    uint64_t gaps = 0;
    uint64_t ephemeral_gaps = 0;
    uint64_t checkpoints = 0;
    uint64_t ring_evictions = 0;
    uint64_t reads = 0;
    // Of positions that clients showed.
    uint64_t positions_proven = 0;
    uint64_t positions_foreign = 0;   // told as a gap `reset`
    uint64_t positions_unproven = 0;  // taken as they are
    uint64_t positions_unjudged = 0;  // nobody could say in time: told as a gap `limit`
    // By frequency: events that a newer one of their key replaced in a lane before they were sent,
    // and flushes.
    std::array<uint64_t, kFrequencies> conflated{};
    std::array<uint64_t, kFrequencies> lane_flushes{};
    uint64_t lane_early_flushes = 0;  // of them, those at a bound
  };

  HubShard(Options options, VariantTable& variants, Upstream& upstream);
  ~HubShard();

  // ---- from the session

  // `name`, here and below: of a channel, or a pattern. One subscription to a pattern is sent what
  // each record has for the first of its channels that matches, once.
  enum class SubscribeResult { kOk, kAlready, kTooManyPatterns };
  // `snapshot`: send one first if ingest keeps any of this channel. Answered by
  // Subscriber::OnSubscribed, at once or when the channel's coverage is known. `resume`: it goes on
  // from there; what it missed is sent first, or told as a gap. Then a snapshot is sent only where
  // not all it missed can be had.
  SubscribeResult Subscribe(Subscriber* subscriber, std::string_view name, bool snapshot,
                            MonoTime now, Frequency frequency = Frequency::kHigh,
                            std::unique_ptr<const Resume> resume = nullptr);
  // Changes how often it is sent to, from here on: what its lane holds for it goes out first. False
  // if there is no such subscription.
  bool SetFrequency(Subscriber* subscriber, std::string_view name, Frequency frequency);
  // False if there is no such subscription.
  bool Unsubscribe(Subscriber* subscriber, std::string_view name);
  // Ends all subscriptions of a connection that goes away.
  void Remove(Subscriber* subscriber);
  // The connection's backlog has drained: its cursors go on.
  void OnWritable(Subscriber* subscriber, MonoTime now);
  // Channels of a subscriber, in no order.
  std::vector<std::string> ChannelsOf(const Subscriber* subscriber) const;
  size_t SubscriptionCount(const Subscriber* subscriber) const;
  // Of them, those to patterns.
  size_t PatternCount(const Subscriber* subscriber) const;
  bool IsSubscribed(const Subscriber* subscriber, std::string_view name) const;
  // Up to where a subscription was sent everything, or told that it is missing; empty: there is no
  // such subscription.
  std::vector<PositionEntry> PositionOf(const Subscriber* subscriber, std::string_view name) const;
  // Of a channel with subscribers; null: it has none. Valid until the end of the turn, also if the
  // last subscriber leaves meanwhile.
  const ChannelTraits* TraitsOf(std::string_view channel) const;
  // "topic/partition@incarnation"; empty: the slot is no more, or never was. Lives as long as the
  // process.
  std::string_view SourceOf(SlotNumber slot) const;

  // ---- from the link thread

  void OnSlots(std::shared_ptr<const SlotTable> slots, MonoTime now);
  void OnBatch(const EdgeBatch& batch, MonoTime now);
  // The edge holds everything of the channel after this offset of the slot. `interest`: as given to
  // Upstream::AddInterest; what answers an interest of before, given up since, is passed over: it
  // may not have outlived it. 0: of the present one.
  void OnInterest(std::string_view name, SlotNumber number, int64_t after, MonoTime now,
                  uint64_t interest = 0);
  // A range of a slot that nobody will get.
  void OnGap(SlotNumber number, int64_t from, int64_t to, std::string_view reason, MonoTime now);
  void OnRead(uint64_t read_id, const EdgeReadResult& result, MonoTime now);
  // Events that never were in Kafka may have been lost, of any channel: told on those that are
  // marked for it. No position knows of it.
  void OnEphemeralGap();

  // ---- from the admin API and the worker

  // Hands an event that never was in Kafka to the subscribers of its channels; returns the
  // deliveries.
  uint64_t DeliverEphemeral(const EdgeEvent& event);
  // Patterns whose subscribers have had their one of a broadcast that goes event by event.
  using ToldPatterns = StringSet;
  // The same of an event that was made without asking which patterns match. `told`: not to these,
  // and those that it goes to are added; null: it is the only one.
  uint64_t Broadcast(const EdgeEvent& event, ToldPatterns* told = nullptr);
  // To how many subscriptions that goes, of those that are live and those on their way.
  uint64_t BroadcastTargets(const EdgeEvent& event, ToldPatterns* told = nullptr);
  // Timers: call every 100 ms or so. Lanes are flushed nowhere else than here, at a bound, and
  // before what must not overtake what they hold.
  void Tick(MonoTime now);

  // Visits (name, subscribers) of every channel that has any.
  template <typename Visit>
  void ForEachChannel(Visit visit) const {
    for (const auto& channel : channels_) visit(std::string_view(channel->name()), channel->size());
  }
  // Subscribers of one channel.
  std::vector<Subscriber*> SubscribersOf(std::string_view name) const;
  size_t channel_count() const { return channels_.size(); }
  // Of them, those that are patterns.
  size_t pattern_count() const { return patterns_.size(); }
  size_t subscription_count() const { return subscriptions_; }
  size_t ring_bytes() const { return ring_bytes_; }
  // What waits in lanes: events and their bytes.
  size_t lane_events() const { return lane_events_; }
  size_t lane_bytes() const { return lane_bytes_; }
  const Counters& counters() const { return counters_; }

 private:
  // Channels are found by their names, which they hold themselves.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const;
    size_t operator()(const std::unique_ptr<ChannelState>& channel) const {
      return channel->traits->hash;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<ChannelState>& a, std::string_view name) const {
      return a->name() == name;
    }
    bool operator()(const std::unique_ptr<ChannelState>& a,
                    const std::unique_ptr<ChannelState>& b) const {
      return a->name() == b->name();
    }
  };

  struct Nothing {};
  static constexpr size_t kMostBroadcastChannels = 1 << 10;

  ChannelState* Find(std::string_view channel) const;
  // Null: it is a pattern too many.
  ChannelState* Open(std::string_view channel);
  void CloseIfUnused(ChannelState& channel);
  // Frames that this turn has sent may refer to the traits of what is closed.
  void Retire(Ref<const ChannelTraits> traits);
  void FindFeeds(ChannelState& channel);
  static Subscription& At(ChannelState& channel, const Membership& membership);
  Subscription Take(ChannelState& channel, Place place, size_t index);
  void Put(ChannelState& channel, Place place, Subscription subscription);
  std::unique_ptr<Join> TakeJoin(ChannelState& channel, size_t index);
  void PutJoin(ChannelState& channel, std::unique_ptr<Join> join);
  static void SetMembership(Subscriber* subscriber, ChannelState& channel, Place place,
                            size_t index);
  static const Membership* FindMembership(const Subscriber* subscriber,
                                          const ChannelState& channel);
  static Membership* FindMembership(Subscriber* subscriber, const ChannelState& channel);

  absl::InlinedVector<PatternMatch, 4> MatchesOf(const EdgeEvent& event, ToldPatterns* told);

  // hub_join.cc: takes joining subscriptions as far as they can go.
  void AdvanceAll(ChannelState& channel, MonoTime now);
  // Only that of channel.joining; true if it is live now, and another one is in its place.
  bool AdvanceOne(ChannelState& channel, size_t index, MonoTime now);
  bool Advance(ChannelState& channel, Join& join, MonoTime now);
  // Takes out slots that are no more.
  void DropGone(ChannelState& channel, Join& join, MonoTime now);
  bool AwaitCoverage(ChannelState& channel, Join& join, MonoTime now);
  bool AwaitSnapshot(const ChannelState& channel, const Join& join, MonoTime now) const;
  bool PlacePending(ChannelState& channel, Join& join, MonoTime now);
  void RequestRead(const ChannelState& channel, const Join& join, bool history,
                   std::vector<std::pair<SlotNumber, int64_t>> from);
  bool SendSnapshot(Join& join);
  // hub_claims.cc
  JoinSlot PlaceFor(const ChannelSlot& slot, const Join& join) const;
  void JudgeClaims(ChannelState& channel, Join& join);
  // Whether this worker has not come there.
  bool IsAhead(const ChannelSlot& slot, int64_t offset) const;
  std::optional<Verdict> JudgeHere(const ChannelSlot& slot, const ResumeEntry& shown) const;
  void TakeVerdict(JoinSlot& place, Verdict verdict);
  void TakeVerdicts(ChannelState& channel, Join& join, const EdgeReadResult& result);
  // Tells what those may have missed whose positions do not hold. False: not yet.
  bool TellForeign(ChannelState& channel, Join& join);
  // Whether a snapshot can take the place of what the slot has lost.
  static bool MayStartOver(ChannelState& channel, const Join& join, SlotNumber slot);
  // hub_resume.cc
  // Tells those who are on their way that the slot goes no further.
  void EndSlot(ChannelState& channel, const GapInfo& gap);
  void StartOver(ChannelState& channel, Join& join, std::string_view reason);
  void TellLost(const ChannelState& channel, const Join& join, JoinSlot& place);
  bool SendReplay(ChannelState& channel, Join& join);
  bool CatchUp(ChannelState& channel, Join& join);
  void TakeSnapshot(ChannelState& channel, Join& join, const EdgeReadResult& result);
  void TakeHistory(ChannelState& channel, Join& join, const EdgeReadResult& result);

  // hub_lanes.cc
  // A frame that a flush sends, with the mark of its event.
  struct LaneFrame {
    const Frame* frame;
    uint32_t mark;
  };
  // The lanes of a frequency that hold anything, and the turn that it is in.
  struct LaneClock {
    std::vector<LaneState*> holding;
    int64_t turn = 0;
  };
  LaneState& OpenLane(ChannelState& channel, Frequency frequency);
  void CloseLane(LaneState& lane);
  void Enter(LaneState& lane, Subscription* subscription);
  void SendHeld(const LaneState& lane, const Subscription& subscription);
  void Hold(ChannelState& channel, const EdgeEvent& event, size_t channel_index);
  void Flush(LaneState& lane);
  void FlushAll(ChannelState& channel);
  void FlushDue(MonoTime now);
  void EmptyLane(LaneState& lane);
  void FindFrames(const LaneState& lane, const Subscription& subscription);

  // hub_delivery.cc
  // Sends what `encode(encoder)` makes, which may be null, to all who are live, after what lanes
  // hold for them. Returns how many got it.
  template <typename Encode>
  size_t Tell(ChannelState& channel, Encode encode);
  void Deliver(ChannelState& channel, const EdgeEvent& event, size_t channel_index);
  // False: what comes of the slot is not for those who are live, before they are told where their
  // coverage of it begins. Another subscription's interest may bring it before that is known.
  static bool IsCovered(ChannelState& channel, SlotNumber slot);
  static void SeeCoverage(ChannelState& channel);
  // What waited in the ring for the slot's coverage, to all who are live.
  void DeliverHeld(ChannelState& channel, SlotNumber slot, int64_t after);
  void TellKeyless(ChannelState& channel);
  void DeliverTo(const Subscription& subscription, const ChannelTraits& traits,
                 const EdgeEvent& event, size_t channel_index);
  void Remember(ChannelState& channel, const Ref<EdgeEvent>& event, size_t channel_index);
  void EvictFront(ChannelState& channel);
  void TrimRing(ChannelState& channel);
  void SendGap(const Subscription& subscription, const ChannelTraits& traits, const GapInfo& gap);
  void Checkpoint(ChannelState& channel);
  // These remember the marks that they give, to know them again.
  PositionEntry EntryOf(SlotNumber slot, bool pending, int64_t offset) const;
  PositionEntry EntryOf(const JoinSlot& place) const;
  std::vector<PositionEntry> PositionOf(const Join& join) const;
  int64_t worker_at(SlotNumber slot) const { return slot < taken_.size() ? taken_[slot] : -1; }

  const Options options_;
  VariantTable& variants_;
  Upstream& upstream_;
  std::shared_ptr<const SlotTable> slots_;
  MonoTime complete_since_;     // when slots_ became complete
  std::vector<int64_t> taken_;  // W of this worker, by slot number
  std::vector<Mark> marks_;     // a record at or before it
  mutable KnownMarks known_marks_;
  absl::flat_hash_set<std::unique_ptr<ChannelState>, Hash, Equal> channels_;
  PatternMap<Nothing> patterns_{kMostBroadcastChannels};  // of channels_, for broadcasts
  absl::flat_hash_set<ChannelState*> joining_;  // channels that have joining subscriptions
  std::vector<ChannelState*> touched_;          // scratch: channels whose ring grew in this turn
  absl::flat_hash_map<uint64_t, ReadTarget> reads_;
  struct Retired {
    Ref<const ChannelTraits> traits;
    uint64_t tick;
  };
  std::vector<Retired> retired_;  // in the order of their ticks
  uint64_t ticks_ = 0;
  uint64_t next_read_ = 1;
  uint64_t next_subscription_ = 1;
  uint64_t next_interest_ = 1;
  MonoTime last_checkpoints_;
  size_t subscriptions_ = 0;
  size_t ring_bytes_ = 0;
  std::array<LaneClock, kFrequencies> clocks_;
  size_t lane_events_ = 0;
  size_t lane_bytes_ = 0;
  std::array<std::vector<LaneFrame>, kMaxVariants> lane_frames_;  // scratch of Flush, by variant
  std::vector<VariantId> lane_variants_;                          // those that have any
  Counters counters_;
};

}  // namespace spillway::edge
