#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "common/base/clock.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/dialect/frequency.h"
#include "services/edge/frame/channel_traits.h"
#include "services/edge/hub/lane.h"
#include "services/edge/hub/resume.h"
#include "services/edge/hub/ring_queue.h"
#include "services/edge/hub/subscriber.h"

namespace spillway::edge {

// HubShard's private state: plain data, worker thread only.

// Where a joining subscription stands in one slot that feeds its channel.
struct JoinSlot {
  SlotNumber slot = kNoSlot;
  enum class Phase {
    kPending,  // where the channel's coverage begins is not known, or its position is to be judged
    kJudging,  // and that is under way
    kReading,  // a snapshot or history read is under way
    kCursor,   // `at` is valid; catching up, or waiting for the worker to reach it
  };
  Phase phase = Phase::kPending;
  int64_t at = -1;  // C: everything up to here was sent, or is in the snapshot
  // Of a subscription that is taken up again: everything up to here it has; kNow: it begins now.
  static constexpr int64_t kNow = -2;
  int64_t from = kNow;
  const ResumeEntry* shown = nullptr;  // of Join::resume: what its client says of this slot
  bool judged = true;
  bool proven = false;
  bool in_snapshot = false;  // kReading: a snapshot, not history
  bool untold = false;  // where it begins is told with the snapshot, which was not sent whole yet
  // Its position does not hold: what it may have missed is told with this reason. Static.
  std::string_view lost_for;
  // It is of another topic: that is told, also where nothing of this one was missed.
  bool refused = false;
  // What it missed and does not get, up to the snapshot that is being read in its place, begins
  // here; kNow: there is nothing.
  int64_t lost_from = kNow;

  // Begins where its client was, or, if it is not taken up again, at `now`.
  void Begin(int64_t now) {
    phase = Phase::kCursor;
    at = from == kNow ? now : from;
  }
};

struct Subscription {
  Subscriber* subscriber = nullptr;
  uint32_t entered = 0;  // in a lane: its mark then, in this window
  VariantId variant = 0;
  Frequency frequency = Frequency::kHigh;  // a joining one has it once it is live
};
// Most channels have one subscriber of a worker, if any: room for it is in the list itself.
using SubscriptionList = absl::InlinedVector<Subscription, 1>;

// A range of a slot that nobody will get.
struct GapNote {
  SlotNumber slot = kNoSlot;
  int64_t from = 0;
  int64_t to = 0;
  std::string reason;
};

// What a joining subscription finds in the ring, or has read, in its order: an event, or the gap
// that stands where events are missing. A joiner that has not come so far yet must be told in that
// place, not at once.
struct RingEntry {
  Ref<EdgeEvent> event;  // null: `gap` is set
  uint32_t channel_index = 0;
  std::shared_ptr<const GapNote> gap;

  SlotNumber slot() const { return event ? event->slot() : gap->slot; }
  int64_t first_offset() const { return event ? event->offset() : gap->from; }
  int64_t last_offset() const { return event ? event->offset() : gap->to; }
  size_t cost() const { return event ? event->cost() : sizeof(GapNote); }
};

// A subscription on its way to being live.
struct Join {
  uint64_t id = 0;
  Subscription subscription;
  std::unique_ptr<const Resume> resume;  // null: it begins now
  bool snapshot_if_lost = false;         // where not all can be resumed, a snapshot is to follow
  // Sources of which it was told that nothing more comes: what is in their place is new to it,
  // whatever it had shown.
  std::vector<std::string> over;
  std::string lost_reason;
  bool wants_snapshot = false;  // and its reads were not begun yet
  bool announced = false;       // OnSubscribed was called
  MonoTime begun;
  std::vector<JoinSlot> slots;
  RingQueue<Ref<EdgeEvent>> snapshot;  // read and not yet sent
  bool snapshot_open = false;          // its last piece was not sent yet
  SnapshotPiece summary;               // of the last piece
  size_t reading = 0;                  // slots that a snapshot read still owes
  bool snapshot_failed = false;        // for one of its slots: then for all of them
  bool snapshot_again = false;         // a slot of it had gone while it was read
  RingQueue<RingEntry> replay;         // history, read and not yet sent
  uint64_t ring_next = 0;              // entries before this one were looked at

  // Nothing of a snapshot is kept any more.
  void DropSnapshot() {
    snapshot.clear();
    summary = SnapshotPiece();
    snapshot_open = false;
  }
  // A snapshot was sent, or is not to be had: all that was read for it has told where it begins.
  void SnapshotTold() {
    for (JoinSlot& place : slots) place.untold = false;
  }
  // Null: the slot is none of its.
  JoinSlot* FindPlace(SlotNumber slot) {
    for (JoinSlot& place : slots) {
      if (place.slot == slot) return &place;
    }
    return nullptr;
  }
};

constexpr Place PlaceOf(Frequency frequency) {
  return static_cast<Place>(static_cast<uint8_t>(frequency) + 1);
}
// Of the place of a live subscription.
constexpr Frequency FrequencyOf(Place place) {
  return static_cast<Frequency>(static_cast<uint8_t>(place) - 1);
}

// The subscribers of a channel that share an update frequency, and what waits for them.
struct LaneState {
  static constexpr size_t kNotHolding = SIZE_MAX;

  ChannelState* channel = nullptr;
  Ref<const ChannelTraits> traits;  // given up by HubShard::Retire only
  Frequency frequency = Frequency::kNormal;
  bool entrants =
      false;  // since the last flush somebody entered who is not to get all that is held
  size_t clock_index = kNotHolding;  // among the lanes of its frequency that hold anything
  Lane held;
  SubscriptionList members;
};

// Those of one channel; only for channels that have any.
struct ChannelLanes {
  std::array<std::unique_ptr<LaneState>, kFrequencies - 1> lanes;  // null: nobody is in it

  std::unique_ptr<LaneState>& of(Frequency frequency) {
    return lanes[static_cast<size_t>(frequency) - 1];
  }
  bool unused() const {
    for (const auto& lane : lanes) {
      if (lane != nullptr) return false;
    }
    return true;
  }
};

// What a channel knows of one slot that feeds it.
struct ChannelSlot {
  SlotNumber slot = kNoSlot;
  bool known = false;  // `base` is valid
  bool snapshot = false;
  int64_t base = -1;   // this worker holds, or held, everything of the channel after it
  int64_t floor = -1;  // the ring holds everything after max(base, floor)
  int64_t told = -1;   // position in the last checkpoint

  // The ring holds everything of the channel after it.
  int64_t held_after() const { return std::max(base, floor); }
};

// There may be one for every connection: what most channels have one of takes no memory of its own,
// what they have none of takes next to none.
struct ChannelState {
  Ref<const ChannelTraits> traits;  // given up by HubShard::Retire only
  uint64_t interest = 0;            // the number of this worker's interest in it
  absl::InlinedVector<ChannelSlot, 1> slots;
  SubscriptionList live;  // at frequency high
  absl::InlinedVector<std::unique_ptr<Join>, 1> joining;
  std::unique_ptr<ChannelLanes> lanes;  // null: nobody is live at another frequency
  RingQueue<RingEntry> ring;
  uint64_t ring_first = 0;  // the number of the entry at the ring's front
  MonoTime last_checkpoint;
  bool keyless_told = false;
  // Of a slot's coverage it is not known where it begins: what comes of it waits in the ring.
  bool awaits_coverage = false;

  const std::string& name() const { return traits->name; }
  // Of live subscriptions; a lane's only if it is open.
  SubscriptionList& ListOf(Place place) {
    return place == Place::kHigh ? live : lanes->of(FrequencyOf(place))->members;
  }
  size_t size() const {
    size_t total = joining.size();
    ForEachLive(
        [&total](const SubscriptionList& list, const ChannelTraits&) { total += list.size(); });
    return total;
  }
  // Visits the lists of live subscriptions, with the traits of what they are sent.
  template <typename Visit>
  void ForEachLive(Visit visit) const {
    visit(live, *traits);
    if (lanes == nullptr) return;
    for (const auto& lane : lanes->lanes) {
      if (lane != nullptr) visit(lane->members, *lane->traits);
    }
  }
  bool has_snapshot() const {
    for (const ChannelSlot& slot : slots) {
      if (slot.snapshot) return true;
    }
    return false;
  }
  ChannelSlot* FindSlot(SlotNumber number) {
    for (ChannelSlot& slot : slots) {
      if (slot.slot == number) return &slot;
    }
    return nullptr;
  }
};

// Which subscription a read is for.
struct ReadTarget {
  enum class Kind { kSnapshot, kHistory, kVerdicts };
  std::string channel;
  uint64_t subscription = 0;
  Kind kind = Kind::kSnapshot;
  size_t slots = 0;  // not answered yet
};

}  // namespace spillway::edge
