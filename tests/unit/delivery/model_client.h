#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/edge/hub/edge_batch.h"
#include "services/edge/hub/resume.h"
#include "services/edge/hub/subscriber.h"
#include "tests/unit/delivery/model_claim.h"
#include "tests/unit/delivery/model_queue.h"

namespace spillway::model {

using edge::SlotNumber;

// What one client of the model was given for one subscription: per slot, where it began, what it
// got, which ranges it was told are missing, and whatever broke a rule.
class ModelClient final : public edge::Subscriber {
 public:
  struct Slot {
    bool begun = false;
    int64_t start = -1;
    int64_t at = -1;  // highest offset accounted for
    std::vector<int64_t> offsets;
    std::vector<std::pair<int64_t, int64_t>> gaps;
    std::vector<std::string> reasons;  // of gaps
    // Within (from, to] the client was in a lane: an event may be missing if a newer one of its key
    // came instead.
    struct Window {
      int64_t from;
      int64_t to;
    };
    std::vector<Window> windows;
    // Places up to which everything had been sent, conflated or not, when `received` events had
    // been: what is told by a checkpoint, before a gap, and when the client leaves a lane for high.
    struct Fence {
      int64_t offset;
      size_t received;
    };
    std::vector<Fence> fences;
    std::set<int> generations;  // of its events: of which of the topics of one name they are
    std::map<int64_t, std::string> channels;  // of its events: what they are for
    // It began with a position that the client showed: this one, if it showed any of the partition.
    bool resumed = false;
    std::optional<Claim> shown;

    // It was told a gap that has no end.
    bool ended_by_reset() const {
      return std::any_of(gaps.begin(), gaps.end(),
                         [](const auto& gap) { return gap.second == edge::kNoEnd; });
    }
  };
  struct Snapshot {
    std::set<std::string> events;  // "slot:offset:generation:channel"
    std::map<SlotNumber, int64_t> as_of;
    std::set<SlotNumber> fed_by;  // as `subscribed` told it
    bool whole = false;           // its last piece has come
    bool complete = false;
    int64_t since_us = 0;
  };

  ModelClient(std::string channel_name, bool snapshot, edge::Frequency at)
      : channel(std::move(channel_name)), wants_snapshot(snapshot), frequency(at) {}

  // Takes up where another client was, who is gone. `generation_of`: of which of the topics of one
  // name a slot of it was; -1: that is not known.
  void ResumeAfter(const ModelClient& gone, const std::function<int(SlotNumber)>& generation_of) {
    resumed = true;
    for (const auto& [slot, source] : gone.sources_) {
      const auto found = gone.slots.find(slot);
      const bool begun = found != gone.slots.end() && found->second.begun;
      Claim& claim = claims_[source];
      claim.pending = !begun;
      if (!begun) continue;
      claim.at = found->second.at;
      claim.generation = generation_of(slot);
      if (const auto mark = gone.marks_.find(source); mark != gone.marks_.end()) {
        claim.mark = mark->second;
      }
    }
  }
  // What it shows of a partition; null: nothing.
  const Claim* ShownOf(const std::string& partition) const {
    return resumed ? claims_.For(partition) : nullptr;
  }
  void Forge(std::mt19937_64& random, bool whole) { forged = claims_.Forge(random, whole); }
  std::unique_ptr<const edge::Resume> Shown() const {
    if (!resumed) return nullptr;
    auto resume = std::make_unique<edge::Resume>();
    for (const auto& [source, claim] : claims_) {
      resume->push_back({.source = source,
                         .pending = claim.pending,
                         .offset = claim.pending ? -1 : claim.at,
                         .fingerprint = claim.mark.fingerprint,
                         .fingerprint_at = claim.mark.at});
    }
    return resume;
  }

  const std::string channel;
  const bool wants_snapshot;
  bool resumed = false;
  bool forged = false;  // some of what it showed
  std::map<SlotNumber, Slot> slots;
  // Fingerprints that were told, as (slot, offset, fingerprint).
  std::set<std::tuple<SlotNumber, int64_t, uint16_t>> told;
  std::vector<Snapshot> snapshots;
  bool snapshot_failed = false;  // one did
  std::vector<std::string> broken;
  bool subscribed = false;
  bool can_pull = true;
  // Null: it takes everything at once.
  std::unique_ptr<ModelQueue> queue;
  std::function<const edge::ChannelTraits*()> traits;
  // With a queue: what the hub sent, as if it had been read at once; and which events might give
  // way to newer ones of their keys without a word.
  std::unique_ptr<ModelClient> sent;
  std::set<std::pair<SlotNumber, int64_t>> silent;

  edge::Frequency frequency;

  // What never was in Kafka: its numbers, and at which steps it was told that some were lost.
  std::vector<int> ephemeral;
  std::vector<int> ephemeral_gaps;
  const int* step = nullptr;

  // After the hub has changed it, and so sent what the old lane held.
  void Changed(edge::Frequency to) {
    if (sent != nullptr) sent->Changed(to);
    const bool was_high = frequency == edge::Frequency::kHigh;
    const bool is_high = to == edge::Frequency::kHigh;
    frequency = to;
    if (was_high == is_high) return;
    for (auto& [number, slot] : slots) {
      if (is_high) {
        if (slot.windows.empty()) continue;
        slot.windows.back().to = slot.at;
        slot.fences.push_back({slot.at, slot.offsets.size()});
      } else {
        slot.windows.push_back({slot.at, INT64_MAX});
      }
    }
  }
  void MakeQueue(const edge::EventEncoder& encoder,
                 std::function<const edge::ChannelTraits*()> traits_of) {
    traits = std::move(traits_of);
    queue = std::make_unique<ModelQueue>(encoder, [this](const std::string& text) { Read(text); });
    sent = std::make_unique<ModelClient>(channel, wants_snapshot, frequency);
    sent->resumed = resumed;
    sent->claims_ = claims_;
    sent->forged = forged;
  }

  void Begin(SlotNumber slot, int64_t offset) {
    Slot& s = slots[slot];
    if (s.begun) broken.push_back(absl::StrCat("slot ", slot, " began twice"));
    s = Slot();
    s.begun = true;
    s.start = s.at = offset;
    if (frequency != edge::Frequency::kHigh) s.windows.push_back({offset, INT64_MAX});
  }

  edge::VariantId variant() const override { return 0; }
  bool CanPull() const override { return can_pull && (queue == nullptr || queue->HasRoom()); }
  void OnSubscribed(std::string_view, const std::vector<edge::PositionEntry>& position, bool,
                    edge::Frequency) override {
    if (sent != nullptr) sent->ReadSubscribed(position);
    InPlace([this, position] { ReadSubscribed(position); });
  }
  void OnSnapshot(const edge::SnapshotPiece& piece) override {
    if (sent != nullptr) sent->ReadSnapshot(piece);
    InPlace([this, piece] { ReadSnapshot(piece); });
  }
  void OnSnapshotFailed(std::string_view,
                        const std::vector<edge::PositionEntry>& position) override {
    if (sent != nullptr) sent->ReadSnapshotFailed(position);
    InPlace([this, position] { ReadSnapshotFailed(position); });
  }
  void SendFrame(const edge::Frame& frame, const edge::ChannelTraits* of) override {
    if (queue == nullptr) return Read(std::string(frame.payload()));
    if (of == nullptr || of->name != channel) {
      broken.push_back("a frame under the traits of another channel");
    }
    sent->Read(std::string(frame.payload()));
    const edge::FrameMeta meta = frame.meta();
    if (meta.event && of->silent) silent.insert({meta.slot, meta.offset});
    queue->Send(frame, of);
  }

 private:
  void Remember(SlotNumber slot, int64_t offset, uint16_t fingerprint, uint64_t back) {
    if (fingerprint == 0) return;
    const edge::Mark mark{offset - static_cast<int64_t>(back), fingerprint};
    marks_[sources_[slot]] = mark;
    told.insert({slot, mark.at, mark.fingerprint});
    if (mark.at < 0) broken.push_back("a fingerprint of nothing");
  }

  // "offset|fingerprint|back" from field `i` on.
  void RememberText(SlotNumber slot, const std::vector<std::string>& f, size_t i) {
    Remember(slot, std::stoll(f[i]), static_cast<uint16_t>(std::stoul(f[i + 1])),
             std::stoull(f[i + 2]));
  }
  // It began in a slot, with the position that it showed.
  void BeginShown(SlotNumber slot, int64_t offset) {
    Begin(slot, offset);
    if (!resumed) return;
    slots[slot].resumed = true;
    const Claim* claim = claims_.For(Claims::PartitionOf(sources_[slot]));
    if (claim != nullptr) slots[slot].shown = *claim;
  }

  void InPlace(std::function<void()> call) {
    if (queue == nullptr) return call();
    queue->Send(std::move(call), traits());
  }
  void ReadSubscribed(const std::vector<edge::PositionEntry>& position) {
    if (subscribed) broken.push_back("subscribed twice");
    subscribed = true;
    for (const auto& entry : position) {
      fed_by_.insert(entry.slot);
      sources_[entry.slot] = entry.source;
      if (entry.pending) continue;
      Remember(entry.slot, entry.offset, entry.fingerprint, entry.fingerprint_back);
      BeginShown(entry.slot, entry.offset);
    }
  }
  void ReadSnapshot(const edge::SnapshotPiece& piece) {
    if (!open_) {
      snapshots.emplace_back();
      open_ = true;
    }
    for (const auto& event : piece.events) {
      if (!snapshots.back()
               .events
               .insert(absl::StrCat(event->slot(), ":", event->offset(), ":",
                                    std::string(event->view().payload), ":", ChannelOf(*event)))
               .second) {
        broken.push_back("an event twice in a snapshot");
      }
    }
    if (!piece.last) return;
    open_ = false;
    snapshots.back().whole = true;
    snapshots.back().complete = piece.complete;
    snapshots.back().since_us = piece.since_us;
    snapshots.back().fed_by = fed_by_;
    for (const auto& entry : piece.position) {
      snapshots.back().as_of[entry.slot] = entry.offset;
      Remember(entry.slot, entry.offset, entry.fingerprint, entry.fingerprint_back);
      Slot& slot = slots[entry.slot];
      if (resumed && slot.begun) {
        // In place of what could not be had. Its events up to there were told as a gap; that none
        // is missing is checked like everything else.
        if (slot.at > entry.offset) {
          broken.push_back(absl::StrCat("a snapshot of slot ", entry.slot, " as of ", entry.offset,
                                        " after ", slot.at));
        }
        slot.at = entry.offset;
        continue;
      }
      Begin(entry.slot, entry.offset);
    }
  }
  std::string ChannelOf(const edge::EdgeEvent& event) const {
    const size_t index = event.FindChannel(channel);
    return index == event.channel_count() ? "none" : std::string(event.channel_in(index));
  }
  void ReadSnapshotFailed(const std::vector<edge::PositionEntry>& position) {
    snapshot_failed = true;
    for (const auto& entry : position) {
      if (!entry.pending && !slots[entry.slot].begun) Begin(entry.slot, entry.offset);
    }
  }
  void Read(const std::string& text) {
    const std::vector<std::string> f = absl::StrSplit(text, '|');
    if (!subscribed) broken.push_back("a frame before subscribed");
    if (f[1] != channel) broken.push_back("a frame of channel " + f[1]);
    if (f[0] == "ephemeral") {
      ephemeral.push_back(std::stoi(f[2]));
      return;
    }
    if (f[0] == "ephemeral_gap") {
      ephemeral_gaps.push_back(*step);
      return;
    }
    if (f[0] == "checkpoint") {
      for (size_t i = 2; i + 3 < f.size(); i += 4) {
        const auto number = static_cast<SlotNumber>(std::stoul(f[i]));
        Slot& slot = slots[number];
        RememberText(number, f, i + 1);
        slot.at = std::max(slot.at, static_cast<int64_t>(std::stoll(f[i + 1])));
        slot.fences.push_back({std::stoll(f[i + 1]), slot.offsets.size()});
      }
      return;
    }
    const auto number = static_cast<SlotNumber>(std::stoul(f[2]));
    const int64_t offset = std::stoll(f[3]);
    if (f[0] == "joined") {
      sources_[number] = f[6];
      RememberText(number, f, 3);
      if (fed_by_.contains(number)) {
        BeginShown(number, offset);
      } else {
        Begin(number, offset);
      }
      return;
    }
    Slot& slot = slots[number];
    if (!slot.begun) broken.push_back(f[0] + " of a slot whose position was not told");
    if (f[0] == "gap") {
      slot.gaps.emplace_back(offset, std::stoll(f[4]));
      slot.reasons.push_back(f[5]);
      slot.fences.push_back({offset - 1, slot.offsets.size()});
      slot.at = std::max(slot.at, static_cast<int64_t>(std::stoll(f[4])));
      return;
    }
    if (offset <= slot.at) {
      broken.push_back(
          absl::StrCat("offset ", offset, " of slot ", number, " at or before ", slot.at));
    }
    slot.at = offset;
    slot.offsets.push_back(offset);
    slot.generations.insert(std::stoi(f[4]));
    slot.channels[offset] = f[5];
  }

  std::set<SlotNumber> fed_by_;
  std::map<SlotNumber, std::string> sources_;  // as it was told them
  Claims claims_;
  std::map<std::string, edge::Mark> marks_;  // by source: the last that was told
  bool open_ = false;
};

}  // namespace spillway::model
