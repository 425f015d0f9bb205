#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "services/edge/ws/connection_set.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/services/edge/ws/fake_stream.h"

namespace {
size_t allocations = 0;
}

// Not inlined: GCC would take the two halves for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace spillway::edge::ws {
namespace {

class Silent final : public TransportHandler {
 public:
  explicit Silent(std::vector<Transport*>& all) : all_(all) {}
  void OnOpen(Transport* transport) override { all_.push_back(transport); }
  void OnMessage(std::string_view, bool) override {}
  void OnPong() override {}
  void OnWritable() override {}
  void OnClosed(uint16_t, std::string_view) override {}

 private:
  std::vector<Transport*>& all_;
};

TEST(SendAllocationTest, DeliveriesAllocateNothing) {
  constexpr int kConnections = 500;
  constexpr int kFrames = 20;
  test::FakeClock clock;
  TimingWheel wheel(clock, std::chrono::milliseconds(100));
  FakeLoop loop;
  WorkerCounters counters;
  ConnectionSet set(loop, wheel, counters, ConnectionOptions(), 1);
  FakePeer peer;
  peer.room = size_t{1} << 60;
  std::vector<Transport*> transports;
  set.BeginTurn();
  for (int i = 0; i < kConnections; ++i) {
    auto stream = std::make_unique<FakeStream>(peer);
    stream->record = false;
    set.Add(std::move(stream), std::make_unique<Silent>(transports), std::nullopt, nullptr, 0);
  }
  set.EndTurn();
  const Ref<Frame> frame = Frame::Make(Opcode::kText, "{\"price\":1}");
  const auto deliver = [&] {
    set.BeginTurn();
    for (int i = 0; i < kFrames; ++i) {
      for (Transport* transport : transports) transport->Send(*frame, nullptr);
    }
    set.EndTurn();
  };
  deliver();  // the pool grows to what a turn needs
  const size_t before = allocations;
  for (int turn = 0; turn < 10; ++turn) deliver();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(counters.frames_out.Value(), 11u * kConnections * kFrames);
  EXPECT_EQ(counters.writes.Value(), 11u * kConnections);
  { const Ref<Frame> other = Frame::Make(Opcode::kText, "x"); }
  EXPECT_EQ(allocations, before + 1);  // the count does count, and a frame is one allocation
}

}  // namespace
}  // namespace spillway::edge::ws
