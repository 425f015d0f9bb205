// Writing an event at ingest and reading it at an edge, without what comes before and after.
#include <benchmark/benchmark.h>

#include <string>

#include "common/wire/event_wire.h"

namespace spillway::wire {
namespace {

EventView Tick(const std::string& payload) {
  EventView event;
  event.slot = 7;
  event.offset = 123'456'789;
  event.channels.push_back("price:BTC-USD");
  event.type = "market_price";
  event.key = "BTC-USD";
  event.event_time_us = 1'769'846'400'250'000;
  event.payload = payload;
  return event;
}

void BM_AppendBatchEvent(benchmark::State& state) {
  const std::string payload(static_cast<size_t>(state.range(0)), 'x');
  const EventView event = Tick(payload);
  std::string out;
  for (auto _ : state) {
    out.clear();  // keeps its capacity, as a batch does
    AppendBatchEvent(event, &out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(out.size()));
}
BENCHMARK(BM_AppendBatchEvent)->Arg(128)->Arg(1024);

void BM_ReadBatch(benchmark::State& state) {
  constexpr int kEvents = 100;
  const std::string payload(static_cast<size_t>(state.range(0)), 'x');
  std::string batch;
  for (int i = 0; i < kEvents; ++i) AppendBatchEvent(Tick(payload), &batch);
  EventView event;
  ProgressView progress;
  std::string_view bytes;
  for (auto _ : state) {
    BatchReader reader(batch);
    while (reader.Next(&progress, &bytes) == BatchReader::Kind::kEvent) {
      if (!ParseEvent(bytes, &event)) state.SkipWithError("not an event");
      benchmark::DoNotOptimize(event.payload.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * kEvents);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(batch.size()));
}
BENCHMARK(BM_ReadBatch)->Arg(128)->Arg(1024);

}  // namespace
}  // namespace spillway::wire

BENCHMARK_MAIN();
