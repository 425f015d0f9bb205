// What edges say on their links, and ask beside them, to a shard of an ingest that reads two small
// partitions. By a byte: which of two links says something, or asks, with its length in the next
// byte; or time passes, records come, Kafka goes and comes back, topics are made anew.

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/channel/channel_hash.h"
#include "common/wire/event_wire.h"
#include "fuzz/input.h"
#include "services/ingest/link/link_outbox.h"
#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/wanted_channels.h"

namespace ingest = spillway::ingest;
namespace v1 = spillway::v1;
namespace wire = spillway::wire;
using spillway::MonoTime;
using spillway::fuzz::Input;
using spillway::fuzz::Require;

namespace {

constexpr int64_t kFirst = 3;  // of each partition, Kafka has [kFirst, end)
constexpr std::array<const char*, 3> kChannels = {"a:b", "a:c", "d"};

// A partition as Kafka has it; one in four of its offsets is a hole.
struct Partition {
  int64_t end = 40;
  uint16_t made = 1;  // how often: fingerprints tell

  ingest::NormalisedRecord Record(ingest::SlotId slot, int64_t offset) const {
    ingest::NormalisedRecord normalised;
    ingest::LogRecord& record = normalised.record;
    record.offset = offset;
    record.fingerprint = static_cast<uint16_t>(offset * 8 + made);
    record.time_us = 1'000'000;
    const char* channel = kChannels[static_cast<size_t>(offset) % kChannels.size()];
    wire::EventView view;
    view.slot = slot;
    view.offset = offset;
    view.channels.push_back(channel);
    view.payload = "{}";
    wire::AppendBatchEvent(view, &record.bytes);
    ingest::LogEvent& event = record.events.emplace_back();
    event.size = static_cast<uint32_t>(record.bytes.size());
    event.channels.push_back(spillway::ChannelHash(channel));
    normalised.latest.push_back({channel, std::to_string(offset % 5), 0, offset % 7 == 0});
    return normalised;
  }
};

// Two links of a shard, with what the session and the outbox do for each.
class Shard final : private ingest::RecordSource, private ingest::LinkSink {
 public:
  Shard() : core_(Options(), *this, *this) {
    for (ingest::SlotId slot = 1; slot <= 2; ++slot) AddSlot(slot);
    for (ingest::LinkId link = 1; link <= 2; ++link) Open(link);
    core_.Tick(now_, wall_us_);
  }

  void Say(ingest::LinkId link, const v1::LinkRequest& request) {
    Link& to = links_.at(link);
    if (request.has_hello()) to.outbox.AddCredit(request.hello().credit_bytes());
    if (request.has_credit()) to.outbox.AddCredit(request.credit().bytes());
    if (request.has_interest()) {
      to.wanted.Apply(request.interest());
      to.wanted.MatchesAny(kChannels);
      core_.OnInterest(link, request.interest());
    }
    if (request.has_attach()) core_.OnAttach(link, request.attach(), now_);
    if (request.has_detach()) core_.OnDetach(link, request.detach(), now_);
    if (request.has_prepare()) core_.OnPrepare(link, request.prepare(), now_);
  }
  void Ask(const v1::HistoryRequest& request) {
    const uint64_t id = ++asked_;
    const std::vector<v1::SlotOffset> after(request.after().begin(), request.after().end());
    const std::vector<v1::SlotOffset> not_before(request.not_before().begin(),
                                                 request.not_before().end());
    if (!request.claims().empty()) {
      core_.Judge(id, {request.claims().begin(), request.claims().end()}, now_);
    } else if (after.empty()) {
      core_.ReadSnapshot(id, request.channel(), not_before, now_);
    } else {
      core_.ReadHistory(id, request.channel(), after, not_before, now_);
    }
  }
  void Reopen(ingest::LinkId link) {
    core_.CloseLink(link, now_);
    links_.erase(link);
    Open(link);
  }
  void SetKafka(bool up) { core_.SetKafkaUp(up, now_); }
  void Grow(ingest::SlotId slot, uint8_t records) {
    Partition& partition = kafka_.at(slot);
    partition.end += records % 16;
    if (live_.contains(slot)) PlayLive(slot);
  }
  void MakeAnew(ingest::SlotId slot) {
    Partition& partition = kafka_.at(slot);
    partition.end = kFirst + 5;
    ++partition.made;
    if (live_.contains(slot)) {
      core_.OnLiveError(slot, /*lost_position=*/true, "offset_out_of_range", "it is gone", now_);
    }
  }
  void Remove(ingest::SlotId slot) {
    core_.RemoveSlot(slot, "it is gone");
    AddSlot(slot);
  }
  void Pass(std::chrono::milliseconds time) {
    now_ += time;
    wall_us_ += time.count() * 1'000;
    core_.Tick(now_, wall_us_);
  }
  // Ends the turn: Kafka answers, and edges take what they have credit for.
  void End() {
    for (int turn = 0; turn < 8; ++turn) {
      std::deque<std::function<void()>> answers;
      answers.swap(answers_);
      for (const auto& answer : answers) answer();
      core_.Pump(now_);
      for (auto& [link, to] : links_) {
        while (auto out = to.outbox.Next(now_)) {
          if (out->last_piece) core_.OnBatchTaken(link);
        }
      }
      if (answers_.empty()) return;
    }
  }
  // Every question has its time: by then each has one answer.
  void Finish() {
    for (int i = 0; i < 12; ++i) {
      Pass(std::chrono::seconds(1));
      End();
    }
    Require(answered_.size() == asked_, "what is asked is answered");
  }

 private:
  struct Link {
    ingest::LinkOutbox outbox{{.answer_bytes = 1 << 20}};
    ingest::WantedChannels wanted;
    std::map<ingest::SlotId, uint64_t> attached;  // the last of each slot
  };

  static ingest::ShardCore::Options Options() {
    ingest::ShardCore::Options options;
    options.history.log.max_bytes = 2'000;  // a dozen records
    options.history.reread_records = 1'000;
    options.history.catch_up_records = 30;
    options.history_records = 4;
    return options;
  }
  void AddSlot(ingest::SlotId slot) {
    core_.AddSlot({.id = slot,
                   .topic = "t",
                   .partition = 0,
                   .keeps_latest = slot == 1,
                   .compaction = slot == 1 ? ingest::Compaction::kNo : ingest::Compaction::kYes});
  }
  void Open(ingest::LinkId link) {
    v1::LinkResponse hello;
    hello.mutable_hello()->set_node_id("ingest");
    links_[link].outbox.Greet(hello);
    core_.OpenLink(link);
  }
  void PlayLive(ingest::SlotId slot) {
    answers_.push_back([this, slot] {
      const auto live = live_.find(slot);
      if (live == live_.end()) return;
      const Partition& partition = kafka_.at(slot);
      for (int64_t& at = live->second; at < partition.end; ++at) {
        if (at % 4 != 0) core_.OnLiveRecord(slot, partition.Record(slot, at), now_);
        if (!live_.contains(slot)) return;
      }
      core_.OnLiveEnd(slot, partition.end, now_);
    });
  }

  // RecordSource
  void Resolve(ingest::SlotId slot) override {
    answers_.push_back([this, slot] { core_.OnResolved(slot, kFirst, kafka_.at(slot).end, now_); });
  }
  void StartLive(ingest::SlotId slot, int64_t from, int64_t) override {
    Require(from >= 0 && from <= kafka_.at(slot).end, "Kafka is read where it has something");
    Require(live_.emplace(slot, from).second, "one reader for a slot");
    PlayLive(slot);
  }
  void StopLive(ingest::SlotId slot) override { live_.erase(slot); }
  void StartScan(ingest::SlotId slot, int64_t from, int64_t, int64_t) override {
    const uint64_t scan = ++last_scan_;
    Require(scans_.emplace(slot, scan).second, "one scan for a slot");
    answers_.push_back([this, slot, scan, from] {
      const auto runs = [&] { return scans_.contains(slot) && scans_[slot] == scan; };
      const Partition& partition = kafka_.at(slot);
      for (int64_t at = std::max(from, kFirst); at < partition.end && runs(); ++at) {
        if (at % 4 != 0) core_.OnScanRecord(slot, partition.Record(slot, at), now_);
      }
      if (runs()) core_.OnScanEnd(slot, partition.end, now_);
    });
  }
  void StopScan(ingest::SlotId slot) override { scans_.erase(slot); }

  // LinkSink
  void SendBatch(ingest::LinkId link, size_t shard, std::string batch) override {
    wire::BatchReader reader(batch);
    wire::ProgressView progress;
    std::string_view bytes;
    for (;;) {
      const auto kind = reader.Next(&progress, &bytes);
      Require(kind != wire::BatchReader::Kind::kMalformed, "a batch is one");
      if (kind == wire::BatchReader::Kind::kEnd) break;
      wire::EventView event;
      const bool is_event = kind == wire::BatchReader::Kind::kEvent;
      if (is_event) Require(wire::ParseEvent(bytes, &event), "an event is one");
      Require(links_.at(link).attached.contains(is_event ? event.slot : progress.slot),
              "of what was attached");
    }
    links_.at(link).outbox.AddBatch(shard, std::move(batch));
  }
  void SendAnswer(ingest::LinkId link, v1::LinkResponse answer) override {
    Link& to = links_.at(link);
    if (answer.has_attached()) {
      to.attached[answer.attached().slot()] = answer.attached().attach_id();
      const v1::Gap& gap = answer.attached().gap();
      if (answer.attached().has_gap()) {
        Require(gap.from() <= gap.to() && gap.to() == answer.attached().after(), "a gap is one");
      }
    }
    Require(to.outbox.AddAnswer(answer), "answers are few");
  }
  void SetReaderStates(ingest::LinkId, size_t, std::vector<v1::ReaderBeat>) override {}
  void Cut(ingest::LinkId link, std::string_view) override {
    answers_.push_back([this, link] { Reopen(link); });
  }
  void ReadDone(uint64_t read_id, size_t, ingest::ReadResult result) override {
    Require(answered_.insert(read_id).second, "it is answered once");
    for (const v1::Gap& gap : result.gaps) Require(gap.from() <= gap.to(), "a gap is one");
    for (const auto& event : result.events) {
      wire::ChannelViews channels;
      Require(wire::ParseBatchEventChannels(*event, &channels), "an event is one");
    }
  }

  MonoTime now_{std::chrono::hours(1)};
  int64_t wall_us_ = 1'000'000'000;
  std::map<ingest::SlotId, Partition> kafka_{{1, {}}, {2, {}}};
  std::map<ingest::SlotId, int64_t> live_;    // how far they have come
  std::map<ingest::SlotId, uint64_t> scans_;  // by number
  uint64_t last_scan_ = 0;
  std::deque<std::function<void()>> answers_;  // of Kafka, in the next turn
  std::map<ingest::LinkId, Link> links_;
  uint64_t asked_ = 0;
  std::set<uint64_t> answered_;
  ingest::ShardCore core_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Shard shard;
  for (int i = 0; i < 64 && !input.empty(); ++i) {
    const uint8_t what = input.TakeByte();
    const uint32_t one = 1 + (what >> 3 & 1);  // the link, or the slot
    v1::LinkRequest request;
    v1::HistoryRequest question;
    switch (what & 7) {
      case 0:
        if (request.ParseFromString(std::string(input.Take(input.TakeByte())))) {
          shard.Say(one, request);
        }
        break;
      case 1:
        if (question.ParseFromString(std::string(input.Take(input.TakeByte())))) {
          shard.Ask(question);
        }
        break;
      case 2:
        shard.Pass(std::chrono::milliseconds(50 * (what >> 3)));
        break;
      case 3:
        shard.Grow(one, what >> 4);
        break;
      case 4:
        shard.SetKafka(one == 1);
        break;
      case 5:
        shard.Reopen(one);
        break;
      case 6:
        shard.MakeAnew(one);
        break;
      default:
        shard.Remove(one);
    }
    if ((what & 0x80) == 0) shard.End();  // else more happens in this turn
  }
  shard.SetKafka(true);
  shard.Finish();
  return 0;
}
