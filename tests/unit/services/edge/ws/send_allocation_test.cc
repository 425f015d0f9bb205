#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "services/edge/ws/connection_set.h"
#include "tests/support/allocations.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/services/edge/ws/backlog_fixture.h"
#include "tests/unit/services/edge/ws/fake_stream.h"

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
  ConnectionSet set(loop, wheel, counters, ConnectionOptions());
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
  const size_t before = test::AllocationsSoFar().count;
  for (int turn = 0; turn < 10; ++turn) deliver();
  EXPECT_EQ(test::AllocationsSoFar().count, before);
  EXPECT_EQ(counters.frames_out.Value(), 11u * kConnections * kFrames);
  EXPECT_EQ(counters.writes.Value(), 11u * kConnections);
  { const Ref<Frame> other = Frame::Make(Opcode::kText, "x"); }
  EXPECT_EQ(test::AllocationsSoFar().count,
            before + 1);  // the count does count, and a frame is one allocation
}

// Their backlogs are as full as they may be, so every event takes the place of another.
TEST(SendAllocationTest, NorDoTheyForStalledClients) {
  constexpr int kConnections = 100;
  test::FakeClock clock;
  TimingWheel wheel(clock, std::chrono::milliseconds(100));
  FakeLoop loop;
  WorkerCounters counters;
  ConnectionOptions options;
  options.backlog = {.bytes = 64 * 1024, .messages = 200};
  FakePeer peer;
  peer.room = 0;
  std::vector<Transport*> transports;
  ConnectionSet set(loop, wheel, counters, options);
  set.BeginTurn();
  for (int i = 0; i < kConnections; ++i) {
    set.Add(std::make_unique<FakeStream>(peer), std::make_unique<Silent>(transports), std::nullopt,
            nullptr, 0);
  }
  set.EndTurn();
  std::vector<Ref<const ChannelTraits>> channels;
  for (const SlowPolicy slow :
       {SlowPolicy::kConflate, SlowPolicy::kDropOldest, SlowPolicy::kDropNewest}) {
    channels.push_back(Traits(std::string(1, static_cast<char>('a' + channels.size())), slow));
  }
  channels.push_back(Traits("silent", SlowPolicy::kConflate, Priority::kLow, /*silent=*/true));
  constexpr size_t kEvents = 2000;
  std::vector<Ref<Frame>> frames;
  for (size_t i = 0; i < kEvents; ++i) {
    // A key is always of the same slot.
    frames.push_back(
        EventFrame("x", static_cast<uint32_t>(i % 100 % 3), static_cast<int64_t>(i), i % 100 + 1));
  }
  const auto deliver = [&] {
    for (size_t i = 0; i < kEvents; i += 20) {
      set.BeginTurn();
      for (size_t n = i; n < i + 20; ++n) {
        for (Transport* transport : transports) {
          transport->Send(*frames[n], channels[n % channels.size()].get());
        }
      }
      set.EndTurn();
    }
  };
  deliver();
  const size_t before = test::AllocationsSoFar().count;
  for (int round = 0; round < 3; ++round) deliver();
  EXPECT_EQ(test::AllocationsSoFar().count, before);
  const BacklogCounters& backlog = counters.backlog;
  EXPECT_GT(backlog.conflated.Value(), kConnections * kEvents);
  EXPECT_GT(backlog.dropped_oldest.Value() + backlog.dropped_yielding.Value(),
            kConnections * kEvents);
  EXPECT_EQ(counters.slow_closes.Value(), 0u);
  EXPECT_LE(backlog.bytes.Value(), kConnections * 64 * 1024);
}

}  // namespace
}  // namespace spillway::edge::ws
