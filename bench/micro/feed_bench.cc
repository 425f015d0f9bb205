// Ingest behind the normaliser: records into a partition's log, and out of it into an edge's batch.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/channel/channel_hash.h"
#include "common/wire/event_wire.h"
#include "services/ingest/history/partition_log.h"
#include "services/ingest/link/edge_feed.h"
#include "services/ingest/link/shard_core.h"

namespace spillway::ingest {
namespace {

constexpr SlotId kSlot = 1;
constexpr int kRecords = 1000;

LogRecord MakeRecord(int64_t offset, std::string_view channel, const std::string& payload) {
  wire::EventView event;
  event.slot = kSlot;
  event.offset = offset;
  event.channels.push_back(channel);
  event.type = "market_price";
  event.payload = payload;
  LogRecord record;
  record.offset = offset;
  wire::AppendBatchEvent(event, &record.bytes);
  LogEvent& entry = record.events.emplace_back();
  entry.size = static_cast<uint32_t>(record.bytes.size());
  entry.channels.push_back(ChannelHash(channel));
  return record;
}

// What tells one record from another at the same offset; every record has one.
void BM_Fingerprint(benchmark::State& state) {
  const std::string value(static_cast<size_t>(state.range(0)), 'x');
  int64_t timestamp_ms = 1'769'846'400'250;
  for (auto _ : state) benchmark::DoNotOptimize(Fingerprint("BTC-USD", value, ++timestamp_ms));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Fingerprint)->Arg(128)->Arg(1024);

// In steady state: the log is full, every record pushes one out.
void BM_LogAppend(benchmark::State& state) {
  const std::string payload(static_cast<size_t>(state.range(0)), 'x');
  PartitionLog log({.max_bytes = 4 << 20}, -1);
  int64_t offset = -1;
  for (auto _ : state) log.Append(MakeRecord(++offset, "price:BTC-USD", payload));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LogAppend)->Arg(128)->Arg(1024);

class OneLog final : public EdgeFeed::Logs {
 public:
  explicit OneLog(const PartitionLog& log) : log_(log) {}
  const PartitionLog* LogOf(const Attachment&) const override { return &log_; }

 private:
  const PartitionLog& log_;
};

// range(0): of how many records the edge wants one; an item is a record.
void BM_BuildBatch(benchmark::State& state) {
  const std::string payload(128, 'x');
  PartitionLog log({}, -1);
  for (int i = 0; i < kRecords; ++i) {
    log.Append(MakeRecord(i, i % state.range(0) == 0 ? "wanted" : "other", payload));
  }
  OneLog logs(log);
  EdgeFeed feed(1, 1 << 20);
  v1::Interest interest;
  interest.set_sequence(1);
  interest.set_full(true);
  interest.add_add("wanted");
  for (int i = 0; i < 100; ++i) interest.add_add(absl::StrCat("others:", i));
  feed.ApplyInterest(interest);
  v1::Attach attach;
  attach.set_slot(kSlot);
  attach.set_attach_id(1);
  Attachment& attachment = feed.Add(attach);
  attachment.state = Attachment::State::kLog;
  for (auto _ : state) {
    attachment.cursor = -1;
    attachment.next_sequence = 0;
    bool behind = false;
    const std::string batch = feed.BuildBatch(logs, false, &behind);
    if (batch.empty() || attachment.cursor != kRecords - 1) state.SkipWithError("not all records");
    benchmark::DoNotOptimize(batch.data());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_BuildBatch)->Arg(1)->Arg(10)->Arg(1000);

class NoSource final : public RecordSource {
 public:
  void Resolve(SlotId) override {}
  void StartLive(SlotId, int64_t, int64_t) override {}
  void StopLive(SlotId) override {}
  void StartScan(SlotId, int64_t, int64_t, int64_t) override {}
  void StopScan(SlotId) override {}
};

class CountingSink final : public LinkSink {
 public:
  uint64_t bytes = 0;
  void SendBatch(LinkId, size_t, std::string batch) override { bytes += batch.size(); }
  void SendAnswer(LinkId, v1::LinkResponse) override {}
  void SetReaderStates(LinkId, size_t, std::vector<v1::ReaderBeat>) override {}
  void Cut(LinkId, std::string_view) override {}
  void ReadDone(uint64_t, size_t, ReadResult) override {}
};

// What an ingest's shard does behind the normaliser, without Kafka and sockets: records into the
// log, a batch for every edge every 100. range(0): edges; range(1): of how many records each edge
// wants one. An item is a record; the growth from one edge to the next is the cost of an edge.
void BM_ShardWithEdges(benchmark::State& state) {
  const std::string payload(300, 'x');
  std::vector<NormalisedRecord> records;
  for (int i = 0; i < 100; ++i) {
    records.push_back(
        {.record = MakeRecord(i, i % state.range(1) == 0 ? "wanted" : "other", payload),
         .latest = {}});
  }
  NoSource source;
  CountingSink sink;
  ShardCore::Options options;
  options.history.log.max_bytes = 4 << 20;
  ShardCore core(options, source, sink);
  core.AddSlot({.id = kSlot, .topic = "t"});
  const MonoTime now;
  const auto edges = static_cast<LinkId>(state.range(0));
  for (LinkId link = 1; link <= edges; ++link) {
    core.OpenLink(link);
    v1::Interest interest;
    interest.set_sequence(1);
    interest.set_full(true);
    interest.add_add("wanted");
    for (int i = 0; i < 1'000; ++i) interest.add_add(absl::StrCat("others:", i));
    core.OnInterest(link, interest);
    v1::Attach attach;
    attach.set_slot(kSlot);
    attach.set_attach_id(link);
    attach.set_end(true);
    core.OnAttach(link, attach, now);
  }
  core.OnResolved(kSlot, 0, 0, now);
  int64_t offset = -1;
  for (auto _ : state) {
    for (NormalisedRecord& record : records) {
      record.record.offset = ++offset;
      core.OnLiveRecord(kSlot, record, now);
    }
    core.Pump(now);
    for (LinkId link = 1; link <= edges; ++link) core.OnBatchTaken(link);
  }
  if (sink.bytes == 0 || core.counters().cuts != 0) state.SkipWithError("not everything was sent");
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(records.size()));
}
BENCHMARK(BM_ShardWithEdges)->ArgsProduct({{1, 2, 4, 8}, {1, 10, 100}});

}  // namespace
}  // namespace spillway::ingest

BENCHMARK_MAIN();
