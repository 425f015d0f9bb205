#include "services/edge/dialect/edge_event.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/channel/channel_hash.h"

namespace spillway::edge {
namespace {

wire::EventView ViewOf(const std::vector<std::string>& channels, std::string_view payload) {
  wire::EventView view;
  for (const std::string& channel : channels) view.channels.push_back(channel);
  view.slot = 99;
  view.offset = 42;
  view.type = "market_price";
  view.key = "BTC";
  view.event_time_us = 1'700'000'000'123'456;
  view.payload = payload;
  view.encoding = 1;
  view.priority = 3;
  view.trace_id = "t-1";
  return view;
}

TEST(EdgeEvent, CopiesWhatTheViewPointsTo) {
  Ref<EdgeEvent> event;
  {
    const std::vector<std::string> channels = {"a.b", "c", "a.third.channel"};
    std::string payload(1000, 'x');
    event = EdgeEvent::Make(ViewOf(channels, payload), 7);
    payload.assign(1000, 'y');
  }
  EXPECT_EQ(event->slot(), 7u);
  EXPECT_FALSE(event->ephemeral());
  EXPECT_EQ(event->offset(), 42);
  ASSERT_EQ(event->channel_count(), 3u);
  EXPECT_EQ(event->channel(0), "a.b");
  EXPECT_EQ(event->channel(2), "a.third.channel");
  EXPECT_EQ(event->channel_hash(1), ChannelHash("c"));
  EXPECT_EQ(event->view().type, "market_price");
  EXPECT_EQ(event->view().key, "BTC");
  EXPECT_EQ(event->view().event_time_us, 1'700'000'000'123'456);
  EXPECT_EQ(event->view().payload, std::string(1000, 'x'));
  EXPECT_EQ(event->view().encoding, 1);
  EXPECT_EQ(event->view().priority, 3);
  EXPECT_EQ(event->view().trace_id, "t-1");
  EXPECT_FALSE(event->view().tombstone);
  EXPECT_GT(event->cost(), 1000 + sizeof(EdgeEvent));
}

TEST(EdgeEvent, EmptyFieldsAndNoChannelsAreFine) {
  const Ref<EdgeEvent> event = EdgeEvent::Make(wire::EventView(), kNoSlot);
  EXPECT_TRUE(event->ephemeral());
  EXPECT_EQ(event->channel_count(), 0u);
  EXPECT_EQ(event->view().payload, "");
}

TEST(EdgeEvent, TheFirstFrameStays) {
  const Ref<EdgeEvent> event = EdgeEvent::Make(ViewOf({"a", "b"}, "1"), 1);
  EXPECT_EQ(event->frame(1, 3), nullptr);
  const Ref<Frame> first = Frame::Make(Opcode::kText, "first");
  EXPECT_EQ(event->SetFrame(1, 3, first), first.get());
  EXPECT_EQ(event->SetFrame(1, 3, Frame::Make(Opcode::kText, "second")), first.get());
  EXPECT_EQ(event->frame(1, 3), first.get());
  EXPECT_EQ(event->frame(0, 3), nullptr);
  EXPECT_EQ(event->frame(1, 2), nullptr);
  EXPECT_EQ(event->SetFrame(0, 0, Ref<Frame>()), nullptr);
}

TEST(EdgeEvent, RacingThreadsAgreeOnOneFrame) {
  for (int round = 0; round < 50; ++round) {
    const Ref<EdgeEvent> event = EdgeEvent::Make(ViewOf({"a"}, "1"), 1);
    std::atomic<int> waiting{0};
    std::vector<const Frame*> seen(4);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < seen.size(); ++i) {
      threads.emplace_back([&, i] {
        waiting.fetch_add(1);
        while (waiting.load() < static_cast<int>(seen.size())) std::this_thread::yield();
        seen[i] = event->SetFrame(0, 0, Frame::Make(Opcode::kText, std::to_string(i)));
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Frame* frame : seen) EXPECT_EQ(frame, event->frame(0, 0));
  }
}

TEST(EdgeEvent, HasRoomForAsManyVariantsAsThereAre) {
  const std::vector<std::string> channels = {"a", "b", "c"};  // the view points to them
  const wire::EventView view = ViewOf(channels, "1");
  const size_t least = EdgeEvent::Make(view, 1, 1)->cost();
  EXPECT_EQ(EdgeEvent::Make(view, 1, 3)->cost(), least + 3 * 2 * sizeof(void*));
  const Ref<EdgeEvent> event = EdgeEvent::Make(view, 1, 1);
  for (size_t i = 0; i < 3; ++i) {
    const Ref<Frame> frame = Frame::Make(Opcode::kText, event->channel(i));
    EXPECT_EQ(event->SetFrame(i, 0, frame), frame.get());
  }
  EXPECT_EQ(event->frame(2, 0)->payload(), "c");
  EXPECT_EQ(event->channel_hash(2), ChannelHash("c"));
  EXPECT_EQ(event->view().payload, "1");
}

}  // namespace
}  // namespace spillway::edge
