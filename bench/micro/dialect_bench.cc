// An event as an edge takes it in: its own copy, and the frame that all subscribers share. Both are
// made once for each event, whatever the number of subscribers.
#include <benchmark/benchmark.h>

#include <string>

#include "services/edge/dialect/json_encoder.h"

namespace spillway::edge {
namespace {

constexpr char kTick[] =
    R"({"symbol":"BTC-USD","price":64123.45,"volume":1.2345,"bid":64123.4,"ask":64123.5,"timestamp":1769846400250})";

wire::EventView Tick() {
  wire::EventView view;
  view.offset = 123'456'789;
  view.channels.push_back("price:BTC-USD");
  view.type = "market_price";
  view.key = "BTC-USD";
  view.event_time_us = 1'769'846'400'250'000;
  view.payload = kTick;
  return view;
}

void Encode(benchmark::State& state,
            const std::map<std::string, std::string, std::less<>>& envelope) {
  const JsonEncoder encoder(*JsonEnvelope::Compile(envelope), {});
  const Ref<EdgeEvent> event = EdgeEvent::Make(Tick(), 3);
  for (auto _ : state) {
    const Ref<Frame> frame = encoder.EncodeEvent(*event, 0);
    benchmark::DoNotOptimize(frame->bytes().data());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_EdgeEventMake(benchmark::State& state) {
  const wire::EventView view = Tick();
  for (auto _ : state) {
    const Ref<EdgeEvent> event = EdgeEvent::Make(view, 3);
    benchmark::DoNotOptimize(event->cost());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_EdgeEventMake);

void BM_JsonEvent(benchmark::State& state) { Encode(state, {}); }
BENCHMARK(BM_JsonEvent);

void BM_JsonEventOfAPreset(benchmark::State& state) {
  Encode(state, {{"event", R"({"type":{type},"data":{data},"timestamp":{time_ms}})"}});
}
BENCHMARK(BM_JsonEventOfAPreset);

}  // namespace
}  // namespace spillway::edge

BENCHMARK_MAIN();
