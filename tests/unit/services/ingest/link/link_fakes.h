#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/ingest/link/shard_core.h"
#include "tests/unit/services/ingest/history/history_fakes.h"

namespace spillway::ingest {

// A serialised Batch as text: its events as "slot:offset", then its progress as
// "slot#attach_id<=upto", with " interest S after O" where it has news of the interest.
inline std::string Text(std::string_view batch) {
  std::vector<std::string> parts;
  wire::ProgressView progress;
  std::string_view bytes;
  wire::EventView event;
  for (wire::BatchReader reader(batch);;) {
    switch (reader.Next(&progress, &bytes)) {
      case wire::BatchReader::Kind::kEnd:
        return absl::StrJoin(parts, " ");
      case wire::BatchReader::Kind::kMalformed:
        return "malformed";
      case wire::BatchReader::Kind::kEvent:
        EXPECT_TRUE(wire::ParseEvent(bytes, &event));
        parts.push_back(absl::StrCat(event.slot, ":", event.offset));
        break;
      case wire::BatchReader::Kind::kProgress:
        parts.push_back(absl::StrCat(progress.slot, "#", progress.attach_id, "<=", progress.upto));
        if (progress.interest_sequence != 0) {
          absl::StrAppend(&parts.back(), " interest ", progress.interest_sequence, " after ",
                          progress.interest_after);
        }
        break;
    }
  }
}

inline v1::Interest FullInterest(uint64_t sequence, std::vector<std::string> channels) {
  v1::Interest interest;
  interest.set_sequence(sequence);
  interest.set_full(true);
  for (std::string& channel : channels) interest.add_add(std::move(channel));
  return interest;
}

inline v1::SlotOffset At(SlotId slot, int64_t offset) {
  v1::SlotOffset at;
  at.set_slot(slot);
  at.set_offset(offset);
  return at;
}

// Writes down what a shard asks of Kafka, as text: "resolve 1", "live 1 from 7", "stop live 1",
// "scan 1 from 0", "scan 1 from 0 time 5", "stop scan 1".
class FakeSource final : public RecordSource {
 public:
  std::vector<std::string> calls;

  std::vector<std::string> Take() { return std::exchange(calls, {}); }

  void Resolve(SlotId slot) override { calls.push_back(absl::StrCat("resolve ", slot)); }
  int64_t earliest = -1;  // of the last reader or scan

  void StartLive(SlotId slot, int64_t from, int64_t first) override {
    earliest = first;
    calls.push_back(absl::StrCat("live ", slot, " from ", from));
  }
  void StopLive(SlotId slot) override { calls.push_back(absl::StrCat("stop live ", slot)); }
  void StartScan(SlotId slot, int64_t from, int64_t from_time_ms, int64_t first) override {
    earliest = first;
    calls.push_back(absl::StrCat("scan ", slot, " from ", from));
    if (from_time_ms >= 0) absl::StrAppend(&calls.back(), " time ", from_time_ms);
  }
  void StopScan(SlotId slot) override { calls.push_back(absl::StrCat("stop scan ", slot)); }
};

// Writes down what a shard sends, by link, as text; see Text() for batches.
class FakeSink final : public LinkSink {
 public:
  std::map<LinkId, std::vector<std::string>> sent;
  std::map<LinkId, std::string> cut;
  std::map<LinkId, std::vector<v1::ReaderBeat>> states;
  std::map<uint64_t, ReadResult> reads;

  std::vector<std::string> Take(LinkId link) { return std::exchange(sent[link], {}); }

  void SendBatch(LinkId link, size_t, std::string batch) override {
    sent[link].push_back(Text(batch));
  }
  void SendAnswer(LinkId link, v1::LinkResponse answer) override {
    std::string text;
    if (answer.has_attached()) {
      const v1::Attached& attached = answer.attached();
      text = absl::StrCat("attached ", attached.slot(), "#", attached.attach_id(), " after ",
                          attached.after(), " interest ", attached.interest_sequence());
      if (attached.has_gap()) {
        absl::StrAppend(&text, " gap ", attached.gap().from(), "..", attached.gap().to(), " ",
                        attached.gap().reason());
      }
    } else if (answer.has_attach_refused()) {
      const v1::AttachRefused& refused = answer.attach_refused();
      text =
          absl::StrCat("refused ", refused.slot(), "#", refused.attach_id(), " ", refused.code());
    } else if (answer.has_prepared()) {
      text =
          absl::StrCat("prepared ", answer.prepared().slot(), " after ", answer.prepared().after());
    } else {
      text = "something else";
    }
    sent[link].push_back(std::move(text));
  }
  void SetReaderStates(LinkId link, size_t, std::vector<v1::ReaderBeat> beats) override {
    states[link] = std::move(beats);
  }
  void Cut(LinkId link, std::string_view reason) override { cut[link] = std::string(reason); }
  void ReadDone(uint64_t read_id, size_t, ReadResult result) override {
    EXPECT_FALSE(reads.contains(read_id)) << "answered twice";
    reads[read_id] = std::move(result);
  }
};

// A shard with slot 1 (Kafka holds [begin, end) of it, as each test says) and links as tests open
// them. Time stands still but for Pass().
class ShardTest : public ::testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  // Called by Build() and by tests that want other options.
  void Build(ShardCore::Options options, bool keeps_latest = false, int64_t horizon_ms = 0) {
    core_ = std::make_unique<ShardCore>(options, source_, sink_);
    core_->AddSlot({.id = 1,
                    .topic = "t",
                    .partition = 0,
                    .keeps_latest = keeps_latest,
                    .horizon_ms = horizon_ms});
  }
  void SetUp() override { Build({}); }
  // A log that holds `records` small records.
  static ShardCore::Options SmallLog(size_t records) {
    ShardCore::Options options;
    options.history.log.max_bytes = records * EventRecord(100, "c", "{}", 1).cost();
    return options;
  }

  // Opens a link that wants channel "c".
  void Open(LinkId link) {
    core_->OpenLink(link);
    core_->OnInterest(link, FullInterest(1, {"c"}));
  }
  v1::Attach Request(uint64_t attach_id, SlotId slot = 1) {
    v1::Attach attach;
    attach.set_slot(slot);
    attach.set_attach_id(attach_id);
    return attach;
  }
  void AttachAfter(LinkId link, uint64_t attach_id, int64_t after) {
    v1::Attach attach = Request(attach_id);
    attach.set_after(after);
    core_->OnAttach(link, attach, now_);
  }
  void AttachEnd(LinkId link, uint64_t attach_id) {
    v1::Attach attach = Request(attach_id);
    attach.set_end(true);
    core_->OnAttach(link, attach, now_);
  }
  void AttachBegin(LinkId link, uint64_t attach_id) {
    v1::Attach attach = Request(attach_id);
    attach.set_begin(true);
    core_->OnAttach(link, attach, now_);
  }
  // Link 1 is attached at the end of a partition that holds [begin, end).
  void TakeUpAtEnd(int64_t begin, int64_t end) {
    Open(1);
    AttachEnd(1, 11);
    core_->OnResolved(1, begin, end, now_);
    source_.Take();
    sink_.Take(1);
  }
  void Live(int64_t offset, std::string_view payload = "{}") {
    core_->OnLiveRecord(1, KeyedRecord(offset, "c", "k", payload, 1), now_);
  }
  void Scanned(int64_t offset) {
    core_->OnScanRecord(1, KeyedRecord(offset, "c", absl::StrCat("k", offset), "{}", 1), now_);
  }
  // Ends the turn; what link 1 was sent, all of it taken.
  Lines Pump(LinkId link = 1) {
    core_->Pump(now_);
    core_->OnBatchTaken(link);
    return sink_.Take(link);
  }
  void Pass(std::chrono::milliseconds time) {
    now_ += time;
    wall_us_ += time.count() * 1'000;
    core_->Tick(now_, wall_us_);
  }

  FakeSource source_;
  FakeSink sink_;
  std::unique_ptr<ShardCore> core_;
  MonoTime now_{std::chrono::hours(1)};
  int64_t wall_us_ = 1'000'000'000;
};

}  // namespace spillway::ingest
