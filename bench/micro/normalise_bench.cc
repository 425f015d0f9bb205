// Records a second through one normaliser, that is on one core.
#include <benchmark/benchmark.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/ingest/normalise/normaliser.h"
#include "services/ingest/normalise/route_table.h"

namespace spillway::ingest {
namespace {

constexpr char kTick[] =
    R"({"symbol":"BTC-USD","price":64123.45,"volume":1.2345,"bid":64123.4,"ask":64123.5,"timestamp":1769846400250})";

std::shared_ptr<const CompiledRoute> Route(v1::EmitConfig emit,
                                           v1::ValueFormat format = v1::VALUE_FORMAT_JSON) {
  v1::IngestConfig config;
  config.mutable_limits()->set_max_event_bytes(1 << 20);
  v1::RouteConfig& route = *config.add_routes();
  route.set_name("bench");
  route.add_topics("market.ticks");
  route.mutable_decode()->set_format(format);
  if (emit.type().empty()) emit.set_type("market_price");
  *route.add_emit() = std::move(emit);
  return (*RouteTable::Compile(config, {}, config::Environment::Real()))->Resolve("market.ticks");
}

void Run(benchmark::State& state, const CompiledRoute& route, std::string_view value) {
  Normaliser normaliser;
  RecordInput record;
  record.key = "BTC-USD";
  record.value = value;
  record.timestamp_ms = 1769846400250;
  for (auto _ : state) {
    const NormaliseResult result = normaliser.Normalise(route, record);
    if (result.events.size() != 1) state.SkipWithError("not one event");
    benchmark::DoNotOptimize(result.events.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(value.size()));
}

v1::EmitConfig TickEmit() {
  v1::EmitConfig emit;
  emit.add_channels("price:{/symbol}");
  emit.set_key("{/symbol}");
  emit.mutable_event_time()->set_source("/timestamp");
  emit.mutable_event_time()->set_format(v1::TIME_FORMAT_MS);
  return emit;
}

void BM_RawByKey(benchmark::State& state) {
  v1::EmitConfig emit;
  emit.add_channels("price:{key}");
  emit.set_key("{key}");
  Run(state, *Route(emit, v1::VALUE_FORMAT_RAW), kTick);
}
BENCHMARK(BM_RawByKey);

void BM_JsonConstantChannel(benchmark::State& state) {
  v1::EmitConfig emit;
  emit.add_channels("ticks");
  Run(state, *Route(emit), kTick);
}
BENCHMARK(BM_JsonConstantChannel);

void BM_JsonTick(benchmark::State& state) { Run(state, *Route(TickEmit()), kTick); }
BENCHMARK(BM_JsonTick);

void BM_JsonTickPicked(benchmark::State& state) {
  v1::EmitConfig emit = TickEmit();
  (*emit.mutable_payload()->mutable_pick())["s"] = "/symbol";
  (*emit.mutable_payload()->mutable_pick())["p"] = "/price";
  Run(state, *Route(emit), kTick);
}
BENCHMARK(BM_JsonTickPicked);

void BM_JsonTickMaskedAndExtended(benchmark::State& state) {
  v1::EmitConfig emit = TickEmit();
  emit.mutable_payload()->add_mask("/volume");
  (*emit.mutable_payload()->mutable_add())["source"] = "{topic.1}";
  Run(state, *Route(emit), kTick);
}
BENCHMARK(BM_JsonTickMaskedAndExtended);

void BM_JsonLarge(benchmark::State& state) {
  std::string value = R"({"symbol":"BTC-USD","timestamp":1769846400250,"levels":[)";
  for (int i = 0; i < 500; ++i) {
    absl::StrAppend(&value, i == 0 ? "" : ",", "[64123.", i, ",1.5]");
  }
  value += "]}";
  Run(state, *Route(TickEmit()), value);
}
BENCHMARK(BM_JsonLarge);

}  // namespace
}  // namespace spillway::ingest

BENCHMARK_MAIN();
