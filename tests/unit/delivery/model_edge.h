#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/upstream/link_core.h"
#include "tests/unit/delivery/model_queue.h"

namespace spillway::model {

using edge::SlotNumber;

// Frames of the model: "kind|channel|partition|from|to".
class ModelEncoder final : public edge::EventEncoder {
 public:
  static Ref<edge::Frame> Text(const std::string& text) {
    return edge::Frame::Make(edge::Opcode::kText, text);
  }
  Ref<edge::Frame> EncodeEvent(const edge::EdgeEvent& event, size_t channel) const override {
    return Text(absl::StrCat("event|", std::string(event.channel(channel)), "|", event.slot(), "|",
                             event.offset(), "|0"));
  }
  Ref<edge::Frame> EncodeCheckpoint(
      std::string_view channel, const std::vector<edge::PositionEntry>& position) const override {
    std::string text = absl::StrCat("checkpoint|", std::string(channel));
    for (const auto& entry : position) absl::StrAppend(&text, "|", entry.slot, "|", entry.offset);
    return Text(text);
  }
  Ref<edge::Frame> EncodeJoined(std::string_view channel,
                                const edge::PositionEntry& entry) const override {
    return Text(
        absl::StrCat("joined|", std::string(channel), "|", entry.slot, "|", entry.offset, "|0"));
  }
  Ref<edge::Frame> EncodeGap(std::string_view channel, const edge::GapInfo& gap) const override {
    return Text(
        absl::StrCat("gap|", std::string(channel), "|", gap.slot, "|", gap.from, "|", gap.to));
  }
};

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
  };
  struct Snapshot {
    std::set<std::string> events;  // "slot:offset"
    std::map<SlotNumber, int64_t> as_of;
    std::set<SlotNumber> fed_by;  // as `subscribed` told it
    bool complete = false;
  };

  ModelClient(std::string channel_name, bool snapshot, edge::Frequency at)
      : channel(std::move(channel_name)), wants_snapshot(snapshot), frequency(at) {}

  const std::string channel;
  const bool wants_snapshot;
  std::map<SlotNumber, Slot> slots;
  std::vector<Snapshot> snapshots;
  std::vector<std::string> broken;
  bool subscribed = false;
  bool can_pull = true;
  // Null: it takes everything at once.
  std::unique_ptr<ModelQueue> queue;
  std::function<const edge::ChannelTraits*()> traits;

  edge::Frequency frequency;

  // After the hub has changed it, and so sent what the old lane held.
  void Changed(edge::Frequency to) {
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
    InPlace([this, position] { ReadSubscribed(position); });
  }
  void OnSnapshot(const edge::SnapshotPiece& piece) override {
    InPlace([this, piece] { ReadSnapshot(piece); });
  }
  void OnSnapshotFailed(std::string_view,
                        const std::vector<edge::PositionEntry>& position) override {
    InPlace([this, position] { ReadSnapshotFailed(position); });
  }
  void SendFrame(const edge::Frame& frame, const edge::ChannelTraits* of) override {
    if (queue == nullptr) return Read(std::string(frame.payload()));
    if (of != traits()) broken.push_back("a frame under the traits of another channel");
    queue->Send(frame, of);
  }

 private:
  void InPlace(std::function<void()> call) {
    if (queue == nullptr) return call();
    queue->Send(std::move(call), traits());
  }
  void ReadSubscribed(const std::vector<edge::PositionEntry>& position) {
    if (subscribed) broken.push_back("subscribed twice");
    subscribed = true;
    for (const auto& entry : position) {
      fed_by_.insert(entry.slot);
      if (!entry.pending) Begin(entry.slot, entry.offset);
    }
  }
  void ReadSnapshot(const edge::SnapshotPiece& piece) {
    if (!open_) {
      snapshots.emplace_back();
      open_ = true;
    }
    for (const auto& event : piece.events) {
      if (!snapshots.back()
               .events.insert(absl::StrCat(event->slot(), ":", event->offset()))
               .second) {
        broken.push_back("an event twice in a snapshot");
      }
    }
    if (!piece.last) return;
    open_ = false;
    snapshots.back().complete = piece.complete;
    snapshots.back().fed_by = fed_by_;
    for (const auto& entry : piece.position) {
      Begin(entry.slot, entry.offset);
      snapshots.back().as_of[entry.slot] = entry.offset;
    }
  }
  void ReadSnapshotFailed(const std::vector<edge::PositionEntry>& position) {
    for (const auto& entry : position) {
      if (!entry.pending && !slots[entry.slot].begun) Begin(entry.slot, entry.offset);
    }
  }
  void Read(const std::string& text) {
    const std::vector<std::string> f = absl::StrSplit(text, '|');
    if (!subscribed) broken.push_back("a frame before subscribed");
    if (f[1] != channel) broken.push_back("a frame of channel " + f[1]);
    if (f[0] == "checkpoint") {
      for (size_t i = 2; i + 1 < f.size(); i += 2) {
        Slot& slot = slots[static_cast<SlotNumber>(std::stoul(f[i]))];
        slot.at = std::max(slot.at, static_cast<int64_t>(std::stoll(f[i + 1])));
        slot.fences.push_back({std::stoll(f[i + 1]), slot.offsets.size()});
      }
      return;
    }
    const auto number = static_cast<SlotNumber>(std::stoul(f[2]));
    const int64_t offset = std::stoll(f[3]);
    if (f[0] == "joined") {
      Begin(number, offset);
      return;
    }
    Slot& slot = slots[number];
    if (!slot.begun) broken.push_back(f[0] + " of a slot whose position was not told");
    if (f[0] == "gap") {
      slot.gaps.emplace_back(offset, std::stoll(f[4]));
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
  }

  std::set<SlotNumber> fed_by_;
  bool open_ = false;
};

// An edge of the model: the real LinkCore and a few real HubShards with mailboxes between them.
class ModelEdge final : public edge::LinkCoreSink, public edge::Upstream {
 public:
  ModelEdge(edge::LinkCore::Options options, edge::HubShard::Options hub, size_t workers,
            uint64_t seed)
      : mail(workers), core(options, variants, *this, seed) {
    variants.Add(&encoder);
    variants[0].in_use = 1;
    for (size_t w = 0; w < workers; ++w) {
      hub.worker = w;
      hubs.push_back(std::make_unique<edge::HubShard>(hub, variants, *this));
    }
  }

  using Task = std::function<void(MonoTime)>;
  ModelEncoder encoder;
  edge::VariantTable variants;
  std::deque<Task> link_tasks;         // workers -> link thread
  std::vector<std::deque<Task>> mail;  // link thread -> workers
  std::map<uint64_t, std::deque<v1::LinkRequest>> out;
  std::vector<uint64_t> closed;
  struct Call {
    uint64_t link;
    uint64_t id;
    bool history;
    v1::SnapshotRequest snapshot;
    v1::HistoryRequest past;
  };
  std::vector<Call> calls;
  std::vector<std::string> reports;
  std::vector<std::unique_ptr<edge::HubShard>> hubs;
  edge::LinkCore core;

  size_t workers() const { return mail.size(); }

  // LinkCoreSink
  void Send(uint64_t link, v1::LinkRequest request) override { out[link].push_back(request); }
  void CloseLink(uint64_t link, edge::LinkEnd) override { closed.push_back(link); }
  void StartRead(uint64_t link, uint64_t call, v1::SnapshotRequest request) override {
    calls.push_back({link, call, false, std::move(request), {}});
  }
  void StartRead(uint64_t link, uint64_t call, v1::HistoryRequest request) override {
    calls.push_back({link, call, true, {}, std::move(request)});
  }
  void PostBatch(std::shared_ptr<const edge::EdgeBatch> batch, uint64_t link,
                 size_t bytes) override {
    auto left = std::make_shared<size_t>(workers());
    ToAll([this, batch, link, bytes, left](size_t w, MonoTime now) {
      hubs[w]->OnBatch(*batch, now);
      if (--*left == 0) {
        link_tasks.push_back([this, link, bytes](MonoTime) { core.OnBatchReleased(link, bytes); });
      }
    });
  }
  void PostSlots(std::shared_ptr<const edge::SlotTable> slots) override {
    ToAll([this, slots](size_t w, MonoTime now) { hubs[w]->OnSlots(slots, now); });
  }
  void PostGap(SlotNumber slot, int64_t from, int64_t to, std::string reason) override {
    ToAll([=, this](size_t w, MonoTime now) { hubs[w]->OnGap(slot, from, to, reason, now); });
  }
  void PostEphemeral(std::vector<Ref<edge::EdgeEvent>>, uint64_t, size_t) override {}
  void PostInterest(size_t w, std::vector<edge::ChannelCoverage> covered) override {
    mail[w].push_back([=, this](MonoTime now) {
      for (const auto& one : covered) hubs[w]->OnInterest(one.channel, one.slot, one.after, now);
    });
  }
  void PostRead(size_t w, uint64_t id,
                std::shared_ptr<const edge::EdgeReadResult> result) override {
    mail[w].push_back([=, this](MonoTime now) { hubs[w]->OnRead(id, *result, now); });
  }
  void Report(std::string_view code, std::string details) override {
    reports.push_back(std::string(code) + " " + details);
  }

  // Upstream
  void AddInterest(size_t worker, std::string channel) override {
    link_tasks.push_back([=, this](MonoTime now) { core.AddInterest(worker, channel, now); });
  }
  void RemoveInterest(size_t worker, std::string channel) override {
    link_tasks.push_back([=, this](MonoTime now) { core.RemoveInterest(worker, channel, now); });
  }
  void Read(size_t worker, uint64_t id, std::string channel, bool history,
            std::vector<std::pair<SlotNumber, int64_t>> from) override {
    link_tasks.push_back(
        [=, this](MonoTime now) { core.Read(worker, id, channel, history, from, now); });
  }

 private:
  template <typename F>
  void ToAll(F task) {
    for (size_t w = 0; w < workers(); ++w) {
      mail[w].push_back([task, w](MonoTime now) { task(w, now); });
    }
  }
};

}  // namespace spillway::model
