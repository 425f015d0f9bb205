// permessage-deflate: what compressing a message costs, once for all who get it, and what inflating
// a client's message does. The compressed size is given beside the time.
#include <benchmark/benchmark.h>

#include <string>

#include "services/edge/frame/compressor.h"
#include "services/edge/frame/deflate.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge {
namespace {

// JSON as market data has it: members that come again, digits that do not.
std::string Ticks(size_t size) {
  std::string text = R"({"type":"event","channel":"price:BTC","data":[)";
  uint32_t random = 1;
  while (text.size() < size) {
    random = random * 1664525 + 1013904223;
    text += R"({"symbol":"BTC-USD","bid":)" + std::to_string(random >> 12) + R"(,"size":)" +
            std::to_string((random >> 4) % 10'000) + "},";
  }
  text.resize(size);
  return text;
}

void BM_Compress(benchmark::State& state) {
  Compressor compressor(CompressionOptions::kDefaultLevel);
  const Ref<Frame> plain = Frame::Make(Opcode::kText, Ticks(static_cast<size_t>(state.range(0))));
  size_t size = 0;
  for (auto _ : state) {
    const Ref<Frame> compressed = compressor.Compress(*plain, Compressor::kWideWindowBits);
    size = compressed ? compressed->payload().size() : plain->payload().size();
    benchmark::DoNotOptimize(size);
  }
  state.counters["bytes"] = static_cast<double>(size);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Compress)->Arg(128)->Arg(256)->Arg(512)->Arg(1024)->Arg(4096)->Arg(16'384);

void BM_Inflate(benchmark::State& state) {
  const std::string text = Ticks(static_cast<size_t>(state.range(0)));
  Deflater deflater;
  const std::string compressed(deflater.Compress(text));
  Inflater inflater;
  for (auto _ : state) {
    const Inflater::Result result = inflater.Inflate(compressed, 1 << 20);
    if (result.payload.size() != text.size()) state.SkipWithError("not what was deflated");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Inflate)->Arg(128)->Arg(1024)->Arg(16'384);

}  // namespace
}  // namespace spillway::edge

BENCHMARK_MAIN();
