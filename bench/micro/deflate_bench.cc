// Compressing one message: by its size and the level (arguments of each benchmark). Done once for
// an event, whatever the number of compressing clients. `ratio` is what is left of the payload.
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/frame/compressor.h"
#include "services/edge/frame/deflate.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge {
namespace {

constexpr size_t kMessages = 64;  // different ones, so that branches are not learned by heart
constexpr std::array kSymbols = {"BTC-USD", "ETH-USD", "SOL-USD", "AAPL",
                                 "MSFT",    "TSLA",    "EUR-USD", "GBP-USD"};

class Source {
 public:
  // A frame of the JSON dialect with about so many bytes of payload.
  Ref<Frame> Message(size_t size) {
    std::string data;
    if (size <= 150) {
      data = R"({"price":)" + Number(70000) + R"(,"volume":)" + Number(100) + "}";
    } else if (size <= 400) {
      data = Order();
    } else {
      data = "[";
      while (data.size() + 100 < size) data += (data.size() > 1 ? "," : "") + Order();
      data += "]";
    }
    return Frame::Make(Opcode::kText, R"({"type":"event","channel":"orders:)" + Symbol() +
                                          R"(","slot":3,"offset":)" + std::to_string(random_()) +
                                          R"(,"data":)" + data + "}");
  }

 private:
  std::string Symbol() { return kSymbols[random_() % kSymbols.size()]; }
  std::string Number(uint_fast32_t below) {
    return std::to_string(random_() % below) + "." + std::to_string(10 + random_() % 90);
  }
  std::string Order() {
    return R"({"order_id":"ord-)" + std::to_string(random_()) + R"(","symbol":")" + Symbol() +
           R"(","side":")" + (random_() % 2 == 0 ? "buy" : "sell") +
           R"(","status":"partially_filled","quantity":)" + Number(1000) + R"(,"price":)" +
           Number(70000) + R"(,"updated_at":17698464)" + std::to_string(10000 + random_() % 80000) +
           "}";
  }

  std::mt19937 random_{1};
};

void BM_Compress(benchmark::State& state) {
  Source source;
  std::vector<Ref<Frame>> messages;
  for (size_t i = 0; i < kMessages; ++i) {
    messages.push_back(source.Message(static_cast<size_t>(state.range(0))));
  }
  Compressor compressor(static_cast<int>(state.range(1)));
  size_t next = 0;
  size_t before = 0;
  size_t after = 0;
  for (auto _ : state) {
    const Frame& plain = *messages[next++ % kMessages];
    const Ref<Frame> frame = compressor.Compress(plain, Compressor::kWideWindowBits);
    before += plain.payload().size();
    after += (frame ? *frame : plain).payload().size();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<int64_t>(before));
  state.counters["ratio"] = static_cast<double>(after) / static_cast<double>(before);
}
BENCHMARK(BM_Compress)
    ->ArgNames({"bytes", "level"})
    ->ArgsProduct({{128, 300, 1024, 10240}, {1, 3, 6, 9}});

void BM_Inflate(benchmark::State& state) {
  Source source;
  const Ref<Frame> plain = source.Message(static_cast<size_t>(state.range(0)));
  const std::string_view text = plain->payload();
  Deflater deflater;
  const std::string compressed(deflater.Compress(text));
  Inflater inflater;
  for (auto _ : state) {
    const Inflater::Result result = inflater.Inflate(compressed, 1 << 20);
    if (result.payload != text) state.SkipWithError("not what was deflated");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(BM_Inflate)->Arg(128)->Arg(300)->Arg(1024)->Arg(10240);

}  // namespace
}  // namespace spillway::edge

BENCHMARK_MAIN();
