#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/upstream/link_core.h"
#include "tests/unit/delivery/model_client.h"

namespace spillway::model {

// Frames of the model: "kind|channel|slot|from|to"; of events
// "kind|channel|slot|offset|payload|channel it is for".
class ModelEncoder final : public edge::EventEncoder {
 public:
  static Ref<edge::Frame> Text(const std::string& text) {
    return edge::Frame::Make(edge::Opcode::kText, text);
  }
  Ref<edge::Frame> EncodeEvent(const edge::EdgeEvent& event, size_t channel) const override {
    if (event.ephemeral()) {
      return Text(absl::StrCat("ephemeral|", std::string(event.channel(channel)), "|",
                               std::string(event.view().payload)));
    }
    return Text(absl::StrCat("event|", std::string(event.channel(channel)), "|", event.slot(), "|",
                             event.offset(), "|", std::string(event.view().payload), "|",
                             std::string(event.channel_in(channel))));
  }
  Ref<edge::Frame> EncodeCheckpoint(
      std::string_view channel, const std::vector<edge::PositionEntry>& position) const override {
    std::string text = absl::StrCat("checkpoint|", std::string(channel));
    for (const auto& entry : position) {
      absl::StrAppend(&text, "|", entry.slot, "|", entry.offset, "|", entry.fingerprint, "|",
                      entry.fingerprint_back);
    }
    return Text(text);
  }
  Ref<edge::Frame> EncodeJoined(std::string_view channel,
                                const edge::PositionEntry& entry) const override {
    return Text(absl::StrCat("joined|", std::string(channel), "|", entry.slot, "|", entry.offset,
                             "|", entry.fingerprint, "|", entry.fingerprint_back, "|",
                             std::string(entry.source)));
  }
  Ref<edge::Frame> EncodeEphemeralGap(std::string_view channel) const override {
    return Text(absl::StrCat("ephemeral_gap|", std::string(channel)));
  }
  Ref<edge::Frame> EncodeGap(std::string_view channel, const edge::GapInfo& gap) const override {
    return Text(absl::StrCat("gap|", std::string(channel), "|", gap.slot, "|", gap.from, "|",
                             gap.to, "|", std::string(gap.reason)));
  }
};

// An edge of the model: the real LinkCore and a few real HubShards with mailboxes between them.
class ModelEdge final : public edge::LinkCoreSink, public edge::Upstream {
 public:
  ModelEdge(edge::LinkCore::Options options, edge::HubShard::Options hub, size_t workers,
            uint64_t seed)
      : name(options.node_id), mail(workers), core(options, variants, *this, seed) {
    variants.Add(&encoder);
    variants[0].in_use = 1;
    for (size_t w = 0; w < workers; ++w) {
      hub.worker = w;
      hubs.push_back(std::make_unique<edge::HubShard>(hub, variants, *this));
    }
  }

  using Task = std::function<void(MonoTime)>;
  const std::string name;
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
  std::vector<std::string> broken;
  std::map<SlotNumber, std::string> sources;  // of every slot there ever was
  // What it asked for, and what it knew then.
  struct Asked {
    v1::Attach attach;
    std::shared_ptr<const edge::SlotTable> table;
  };
  std::map<uint64_t, Asked> asked;  // by attach id
  // Of which of the topics of one name a slot is.
  struct Generation {
    int number = -1;
    bool crossed = false;  // it went on in another one, as nobody could know
    // Of another one is what an ingest answered last: nothing of it may come, but where nothing
    // tells the two apart.
    int next = -1;
    bool may_cross = false;
    uint64_t attach_id = 0;  // that was answered last

    // Nothing is known of what clients of it may see.
    bool unknown() const { return crossed || (next >= 0 && may_cross); }
  };
  std::map<SlotNumber, Generation> generations;  // of what was attached
  std::shared_ptr<const edge::SlotTable> table = std::make_shared<edge::SlotTable>();  // as of now
  std::vector<std::unique_ptr<edge::HubShard>> hubs;
  edge::LinkCore core;

  size_t workers() const { return mail.size(); }

  // LinkCoreSink
  void Send(uint64_t link, v1::LinkRequest request) override {
    if (request.has_attach()) asked[request.attach().attach_id()] = {request.attach(), table};
    out[link].push_back(std::move(request));
  }
  void CloseLink(uint64_t link, edge::LinkEnd) override { closed.push_back(link); }
  void StartRead(uint64_t link, uint64_t call, v1::SnapshotRequest request) override {
    calls.push_back({link, call, false, std::move(request), {}});
  }
  void StartRead(uint64_t link, uint64_t call, v1::HistoryRequest request) override {
    calls.push_back({link, call, true, {}, std::move(request)});
  }
  void PostBatch(std::shared_ptr<const edge::EdgeBatch> batch, uint64_t link,
                 size_t bytes) override {
    for (const auto& progress : batch->progress) Took(progress.slot);
    auto left = std::make_shared<size_t>(workers());
    ToAll([this, batch, link, bytes, left](size_t w, MonoTime now) {
      hubs[w]->OnBatch(*batch, now);
      if (--*left == 0) {
        link_tasks.push_back([this, link, bytes](MonoTime) { core.OnBatchReleased(link, bytes); });
      }
    });
  }
  void PostSlots(std::shared_ptr<const edge::SlotTable> slots) override {
    table = slots;
    for (const auto& entry : slots->slots) {
      if (entry != nullptr) sources[entry->number] = entry->source;
    }
    ToAll([this, slots](size_t w, MonoTime now) { hubs[w]->OnSlots(slots, now); });
  }
  void PostGap(SlotNumber slot, int64_t from, int64_t to, std::string reason) override {
    ToAll([=, this](size_t w, MonoTime now) { hubs[w]->OnGap(slot, from, to, reason, now); });
  }
  void PostEphemeral(std::vector<Ref<edge::EdgeEvent>> events, uint64_t, size_t) override {
    ToAll([=, this](size_t w, MonoTime) {
      for (const auto& event : events) hubs[w]->DeliverEphemeral(*event);
    });
  }
  void PostEphemeralGap() override {
    ToAll([this](size_t w, MonoTime) { hubs[w]->OnEphemeralGap(); });
  }
  void PostInterest(size_t w, std::vector<edge::ChannelCoverage> covered) override {
    mail[w].push_back([=, this](MonoTime now) {
      for (const auto& one : covered) {
        hubs[w]->OnInterest(one.channel, one.slot, one.after, now, one.interest);
      }
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
  void AddInterest(size_t worker, std::string channel, uint64_t interest) override {
    link_tasks.push_back(
        [=, this](MonoTime now) { core.AddInterest(worker, channel, now, interest); });
  }
  void RemoveInterest(size_t worker, std::string channel) override {
    link_tasks.push_back([=, this](MonoTime now) { core.RemoveInterest(worker, channel, now); });
  }
  void Read(size_t worker, uint64_t id, std::string channel, bool history,
            std::vector<std::pair<SlotNumber, int64_t>> from) override {
    link_tasks.push_back(
        [=, this](MonoTime now) { core.Read(worker, id, channel, history, from, now); });
  }
  void Judge(size_t worker, uint64_t id, std::vector<edge::SlotClaim> claims) override {
    link_tasks.push_back([=, this](MonoTime now) { core.Judge(worker, id, claims, now); });
  }

 private:
  void Took(SlotNumber slot) {
    Generation& generation = generations[slot];
    if (generation.next < 0) return;
    generation.number = std::exchange(generation.next, -1);
    generation.crossed = true;
    if (!generation.may_cross) {
      broken.push_back(absl::StrCat("slot ", slot, " went on in another topic"));
    }
  }

  template <typename F>
  void ToAll(F task) {
    for (size_t w = 0; w < workers(); ++w) {
      mail[w].push_back([task, w](MonoTime now) { task(w, now); });
    }
  }
};

}  // namespace spillway::model
