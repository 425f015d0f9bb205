// What a connection's queues cost: the list of a turn, which every delivery goes through, and the
// backlog, which holds what a slow client's socket did not take.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "services/edge/frame/channel_traits.h"
#include "services/edge/frame/frame.h"
#include "services/edge/ws/backlog.h"
#include "services/edge/ws/backlog_pool.h"
#include "services/edge/ws/send_scratch.h"

namespace spillway::edge::ws {
namespace {

// range(0) connections get range(1) frames each in a turn.
void BM_Turn(benchmark::State& state) {
  const Ref<Frame> frame = Frame::Make(Opcode::kText, std::string(200, 'x'));
  std::vector<SendScratch::List> lists(static_cast<size_t>(state.range(0)));
  SendScratch scratch;
  size_t bytes = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(1); ++i) {
      for (SendScratch::List& list : lists) scratch.Append(list, *frame, nullptr);
    }
    for (SendScratch::List& list : lists) {
      for (uint32_t node = list.head; node != SendScratch::kNone; node = scratch.next(node)) {
        bytes += scratch.frame(node).bytes().size();
      }
      list = {};
    }
    scratch.ClearNodes();
    scratch.Release();
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations() * state.range(0) * state.range(1));
}
BENCHMARK(BM_Turn)->Args({1000, 1})->Args({1000, 30})->Args({15'000, 1});

class NoGaps final : public GapFrames {
 public:
  Ref<Frame> MakeGap(const ChannelTraits&, const LostEvents&) override {
    return Frame::Make(Opcode::kText, "gap");
  }
};

// Events of a channel, each with a key of its own.
std::vector<Ref<Frame>> Events(size_t count) {
  std::vector<Ref<Frame>> events;
  for (size_t i = 0; i < count; ++i) {
    events.push_back(Frame::Make(Opcode::kText, std::string(200, 'x')));
    FrameMeta meta;
    meta.event = true;
    meta.offset = static_cast<int64_t>(i);
    meta.key_hash = (i + 1) * 0x9E3779B97F4A7C15;
    events.back()->set_meta(meta);
  }
  return events;
}

// range(0) frames wait, then leave in gather writes of at most 64 pieces.
void BM_BacklogFillAndDrain(benchmark::State& state) {
  const std::vector<Ref<Frame>> events = Events(static_cast<size_t>(state.range(0)));
  const auto traits = MakeRef<const ChannelTraits>("c", 1, ChannelSettings{});
  BacklogCounters counters;
  BacklogPool pool(counters);
  BacklogLimits limits;
  limits.messages = events.size();
  limits.bytes = 1 << 30;
  NoGaps gaps;
  Backlog backlog;
  std::array<iovec, 64> pieces;
  for (auto _ : state) {
    for (const Ref<Frame>& event : events) backlog.Push(pool, limits, *event, traits.get());
    while (!backlog.empty()) {
      const size_t count = backlog.Gather(pool, limits, gaps, pieces.data(), pieces.size());
      size_t bytes = 0;
      for (size_t i = 0; i < count; ++i) bytes += pieces[i].iov_len;
      backlog.Consume(pool, bytes, false);
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_BacklogFillAndDrain)->Arg(1)->Arg(64)->Arg(4096);

// A client that has stopped: each event replaces the one of its key among range(0) that wait.
void BM_BacklogConflate(benchmark::State& state) {
  const std::vector<Ref<Frame>> events = Events(static_cast<size_t>(state.range(0)));
  ChannelSettings settings;
  settings.slow = SlowPolicy::kConflate;
  const auto traits = MakeRef<const ChannelTraits>("c", 1, settings);
  BacklogCounters counters;
  BacklogPool pool(counters);
  BacklogLimits limits;
  limits.bytes = 1 << 30;
  limits.messages = 1 << 20;
  Backlog backlog;
  size_t next = 0;
  for (auto _ : state) {
    backlog.Push(pool, limits, *events[next], traits.get());
    next = next + 1 == events.size() ? 0 : next + 1;
  }
  state.SetItemsProcessed(state.iterations());
  backlog.Clear(pool);
}
BENCHMARK(BM_BacklogConflate)->Arg(100)->Arg(4000);

}  // namespace
}  // namespace spillway::edge::ws

BENCHMARK_MAIN();
