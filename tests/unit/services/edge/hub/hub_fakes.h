#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {

inline std::string Text(const PositionEntry& entry) {
  return entry.pending ? absl::StrCat(entry.slot, ":pending")
                       : absl::StrCat(entry.slot, ":", entry.offset);
}
inline std::string Text(const std::vector<PositionEntry>& position) {
  std::string text;
  for (const PositionEntry& entry : position) absl::StrAppend(&text, " ", Text(entry));
  return text;
}

// Frames as text: "1:7" is the event of slot 1 at offset 7.
class TextEncoder final : public EventEncoder {
 public:
  Ref<Frame> EncodeEvent(const EdgeEvent& event, size_t) const override {
    return Make(event.ephemeral() ? std::string("ephemeral")
                                  : absl::StrCat(event.slot(), ":", event.offset()));
  }
  Ref<Frame> EncodeCheckpoint(std::string_view,
                              const std::vector<PositionEntry>& position) const override {
    return Make("checkpoint" + Text(position));
  }
  Ref<Frame> EncodeJoined(std::string_view, const PositionEntry& entry) const override {
    return Make("joined " + Text(entry));
  }
  Ref<Frame> EncodeEphemeralGap(std::string_view channel) const override {
    return Make("ephemeral gap " + std::string(channel));
  }
  Ref<Frame> EncodeGap(std::string_view, const GapInfo& gap) const override {
    return Make(
        absl::StrCat("gap ", gap.slot, ":", gap.from, "..", gap.to, " ", std::string(gap.reason)));
  }

 private:
  static Ref<Frame> Make(const std::string& text) { return Frame::Make(Opcode::kText, text); }
};

// Writes down what it is given, as text.
class FakeSubscriber final : public Subscriber {
 public:
  std::vector<std::string> got;
  const ChannelTraits* last_traits = nullptr;  // of the last frame
  bool can_pull = true;
  int pulls = -1;  // if >= 0: pieces and frames it takes until it is full

  std::vector<std::string> Take() { return std::exchange(got, {}); }

  VariantId variant() const override { return 0; }
  bool CanPull() const override { return can_pull && pulls != 0; }
  void SendFrame(const Frame& frame, const ChannelTraits* traits) override {
    last_traits = traits;
    if (pulls > 0) --pulls;
    got.emplace_back(frame.payload());
  }
  void OnSubscribed(std::string_view channel, const std::vector<PositionEntry>& position,
                    bool snapshot, Frequency frequency) override {
    got.push_back(absl::StrCat(
        "subscribed ", std::string(channel), snapshot ? " snapshot" : "",
        frequency == Frequency::kHigh ? "" : " " + std::string(NameOf(frequency)), Text(position)));
  }
  void OnSnapshot(const SnapshotPiece& piece) override {
    if (pulls > 0) --pulls;
    std::string text = "snapshot";
    for (const auto& event : piece.events) {
      absl::StrAppend(&text, " ", event->slot(), ":", event->offset());
    }
    if (piece.last) {
      absl::StrAppend(&text, " as of", Text(piece.position),
                      piece.complete ? " complete" : absl::StrCat(" since ", piece.since_us));
    }
    got.push_back(std::move(text));
  }
  void OnSnapshotFailed(std::string_view, const std::vector<PositionEntry>& position) override {
    got.push_back("snapshot failed" + Text(position));
  }
};

// Writes down what a worker asks of the link thread.
class FakeUpstream final : public Upstream {
 public:
  std::vector<std::string> calls;

  std::vector<std::string> Take() { return std::exchange(calls, {}); }

  void AddInterest(size_t, std::string channel, uint64_t) override {
    calls.push_back("add " + channel);
  }
  void RemoveInterest(size_t, std::string channel) override {
    calls.push_back("remove " + channel);
  }
  void Read(size_t, uint64_t read_id, std::string channel, bool history,
            std::vector<std::pair<SlotNumber, int64_t>> from) override {
    std::string text = absl::StrCat(history ? "history " : "snapshot ", read_id, " ", channel);
    for (const auto& [slot, offset] : from) absl::StrAppend(&text, " ", slot, ":", offset);
    calls.push_back(std::move(text));
  }
  void Judge(size_t, uint64_t read_id, std::vector<SlotClaim> claims) override {
    std::string text = absl::StrCat("judge ", read_id);
    for (const SlotClaim& claim : claims) {
      absl::StrAppend(&text, " ", claim.slot, ":", claim.offset);
      if (claim.fingerprint == 0) continue;
      absl::StrAppend(&text, " #", claim.fingerprint, "@", claim.fingerprint_at);
    }
    calls.push_back(std::move(text));
  }
};

inline Ref<EdgeEvent> Event(SlotNumber slot, int64_t offset,
                            std::vector<std::string_view> channels = {"c"}) {
  wire::EventView view;
  view.offset = offset;
  for (std::string_view channel : channels) view.channels.push_back(channel);
  view.payload = "{}";
  return EdgeEvent::Make(view, slot);
}

// A hub shard over slots that feed "c" and "c2" from topics t0, t1, ...; those in `snapshots` keep
// one.
class HubTest : public ::testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  HubTest() { variants_.Add(&encoder_); }

  void Build(HubShard::Options options = {}) {
    hub_ = std::make_unique<HubShard>(options, variants_, upstream_);
  }
  void SetUp() override { Build(); }

  void Slots(size_t count, std::vector<SlotNumber> snapshots = {}, bool complete = true) {
    auto table = std::make_shared<SlotTable>();
    table->complete = complete;
    for (SlotNumber n = 0; n < count; ++n) {
      auto entry = std::make_shared<SlotEntry>();
      entry->number = n;
      entry->topic = absl::StrCat("t", n);
      entry->source = absl::StrCat("t", n, "/0@0");
      const bool snapshot = std::find(snapshots.begin(), snapshots.end(), n) != snapshots.end();
      for (std::string_view channel : {"c", "c2"}) {
        entry->feeds.push_back({*ChannelPattern::Parse(channel), snapshot});
      }
      table->slots.push_back(std::move(entry));
    }
    table_ = table;
    hub_->OnSlots(table_, now_);
  }
  // This worker has taken everything of the slot up to `upto` in.
  void Progress(SlotNumber slot, int64_t upto) {
    EdgeBatch batch;
    batch.progress.push_back({slot, upto, 0});
    hub_->OnBatch(batch, now_);
  }
  // A batch with the events of slot 0 at these offsets.
  void Events(std::vector<int64_t> offsets, SlotNumber slot = 0) {
    EdgeBatch batch;
    for (int64_t offset : offsets) batch.events.push_back(Event(slot, offset));
    batch.progress.push_back({slot, offsets.back(), 0});
    hub_->OnBatch(batch, now_);
  }
  void Interest(int64_t after, SlotNumber slot = 0) { hub_->OnInterest("c", slot, after, now_); }
  HubShard::SubscribeResult Subscribe(FakeSubscriber& subscriber, bool snapshot = false,
                                      std::string_view channel = "c") {
    return hub_->Subscribe(&subscriber, channel, snapshot, now_);
  }
  void Answer(uint64_t read_id, SlotNumber slot, std::vector<int64_t> offsets, int64_t as_of,
              bool complete = true) {
    EdgeReadResult result;
    for (int64_t offset : offsets) result.events.push_back(Event(slot, offset));
    result.as_of.push_back({slot, as_of, 0});
    result.complete = complete;
    hub_->OnRead(read_id, result, now_);
  }
  void Fail(uint64_t read_id, SlotNumber slot, int64_t asked) {
    EdgeReadResult result;
    result.failed = true;
    result.as_of.push_back({slot, asked, 0});
    hub_->OnRead(read_id, result, now_);
  }
  void Pass(std::chrono::milliseconds time) {
    now_ += time;
    hub_->Tick(now_);
  }
  // Somebody who keeps the channel open, so that its ring fills; subscribed and live.
  void KeepOpen(int64_t after) {
    Subscribe(keeper_);
    Interest(after);
    keeper_.Take();
    upstream_.Take();
  }

  TextEncoder encoder_;
  VariantTable variants_;
  FakeUpstream upstream_;
  FakeSubscriber keeper_;
  FakeSubscriber client_;
  std::shared_ptr<const SlotTable> table_;
  std::unique_ptr<HubShard> hub_;
  MonoTime now_{std::chrono::hours(1)};
};

}  // namespace spillway::edge
