// Frames made once for each variant: plain, and compressed for the two kinds of window.

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "services/edge/dialect/event_encoder.h"
#include "services/edge/frame/deflate.h"

namespace spillway::edge {
namespace {

// A frame of the channel's name and the payload.
class CountingEncoder final : public EventEncoder {
 public:
  Ref<Frame> EncodeEvent(const EdgeEvent& event, size_t channel) const override {
    calls.fetch_add(1);
    return Frame::Make(Opcode::kText,
                       std::string(event.channel(channel)) + std::string(event.view().payload));
  }
  Ref<Frame> EncodeCheckpoint(std::string_view, const std::vector<PositionEntry>&) const override {
    return {};
  }
  Ref<Frame> EncodeJoined(std::string_view, const PositionEntry&) const override { return {}; }
  Ref<Frame> EncodeGap(std::string_view, const GapInfo&) const override { return {}; }
  Ref<Frame> EncodeEphemeralGap(std::string_view) const override { return {}; }

  mutable std::atomic<int> calls{0};
};

std::string Repeated(size_t size) {
  std::string text;
  while (text.size() < size) text += "{\"price\":64123.45},";
  text.resize(size);
  return text;
}

class VariantTableTest : public ::testing::Test {
 protected:
  static Ref<EdgeEvent> EventOf(std::string_view payload, std::string_view channel = "a") {
    wire::EventView view;
    view.channels.push_back(channel);
    view.channels.push_back("b");
    view.payload = payload;
    return EdgeEvent::Make(view, 1);
  }
  void Use(VariantId id, int64_t connections = 1) { variants_[id].in_use.fetch_add(connections); }
  static std::string Inflated(const Frame& frame) {
    Inflater inflater;
    EXPECT_TRUE(frame.compressed());
    const Inflater::Result result = inflater.Inflate(frame.payload(), 1 << 20);
    EXPECT_EQ(result.status, Inflater::Status::kOk);
    return std::string(result.payload);
  }

  CountingEncoder encoder_;
  VariantTable variants_{{.threshold = 100, .level = 1}};
  const VariantId plain_ = variants_.Add(&encoder_, /*compressed=*/true);
  const VariantId wide_ = variants_.FormFor(plain_, 15);
  const VariantId narrow_ = variants_.FormFor(plain_, 9);
};

TEST_F(VariantTableTest, EncodesOnceForEachChannelAndVariant) {
  CountingEncoder one, two;
  VariantTable variants;
  EXPECT_EQ(variants.Add(&one), 0);
  EXPECT_EQ(variants.Add(&two), 1);
  EXPECT_EQ(variants.size(), 2u);
  const Ref<EdgeEvent> event = EventOf("1");
  const Frame* frame = variants.FrameOf(*event, 1, 0);
  EXPECT_EQ(frame->payload(), "b1");
  EXPECT_EQ(variants.FrameOf(*event, 1, 0), frame);
  EXPECT_EQ(one.calls, 1);
  EXPECT_NE(variants.FrameOf(*event, 1, 1), frame);
  EXPECT_EQ(variants.FrameOf(*event, 0, 0)->payload(), "a1");
  EXPECT_EQ(one.calls, 2);
  EXPECT_EQ(two.calls, 1);
}

TEST_F(VariantTableTest, AFormForEveryAgreement) {
  EXPECT_EQ(variants_.size(), 3u);
  EXPECT_EQ(variants_.FormFor(plain_, 0), plain_);
  EXPECT_EQ(variants_[wide_].window_bits, 15);
  EXPECT_EQ(variants_[narrow_].window_bits, 9);
  for (int bits = 9; bits < 15; ++bits) EXPECT_EQ(variants_.FormFor(plain_, bits), narrow_);

  // An encoder whose clients never compress has no such forms, whoever comes after it.
  const VariantId alone = variants_.Add(&encoder_);
  EXPECT_EQ(variants_.FormFor(alone, 15), alone);
  const VariantId next = variants_.Add(&encoder_, true);
  EXPECT_EQ(variants_.FormFor(alone, 15), alone);
  EXPECT_EQ(variants_[variants_.FormFor(next, 15)].plain, next);
}

TEST_F(VariantTableTest, CompressesOnceAndShares) {
  const std::string payload = Repeated(2000);
  const Ref<EdgeEvent> event = EventOf(payload);
  const Frame* frame = variants_.FrameOf(*event, 0, wide_);
  EXPECT_EQ(frame->opcode(), Opcode::kText);
  EXPECT_LT(frame->payload().size(), 200u);
  EXPECT_EQ(Inflated(*frame), "a" + payload);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(variants_.FrameOf(*event, 0, wide_), frame);
  const Frame* narrow = variants_.FrameOf(*event, 0, narrow_);
  EXPECT_NE(narrow, frame);
  EXPECT_EQ(Inflated(*narrow), "a" + payload);
  EXPECT_FALSE(variants_.FrameOf(*event, 0, plain_)->compressed());
  EXPECT_EQ(variants_.counters().compressed.Value(), 2u);
  EXPECT_EQ(variants_.counters().bytes_before.Value(), 2u * 2001);
  EXPECT_EQ(variants_.counters().bytes_after.Value(),
            frame->payload().size() + narrow->payload().size());
  EXPECT_GT(variants_.counters().nanoseconds.Value(), 0u);
}

TEST_F(VariantTableTest, ShortPayloadsNeedOneWindowOnly) {
  const Ref<EdgeEvent> event = EventOf(Repeated(511));
  const Frame* narrow = variants_.FrameOf(*event, 0, narrow_);
  EXPECT_EQ(Inflated(*narrow).size(), 512u);
  EXPECT_EQ(variants_.FrameOf(*event, 0, wide_), narrow);
  EXPECT_EQ(variants_.counters().compressed.Value(), 1u);
  const Ref<EdgeEvent> longer = EventOf(Repeated(512));
  EXPECT_NE(variants_.FrameOf(*longer, 0, narrow_), variants_.FrameOf(*longer, 0, wide_));
}

TEST_F(VariantTableTest, WhatDoesNotPayGoesOutAsItIs) {
  Use(plain_);
  const Ref<EdgeEvent> small = EventOf(Repeated(98));
  EXPECT_EQ(variants_.FrameOf(*small, 0, wide_), variants_.FrameOf(*small, 0, plain_));
  EXPECT_EQ(variants_.FrameOf(*small, 0, narrow_), variants_.FrameOf(*small, 0, plain_));
  EXPECT_EQ(variants_.counters().below.Value(), 2u);
  EXPECT_TRUE(variants_.FrameOf(*EventOf(Repeated(99)), 0, wide_)->compressed());

  std::string noise;
  uint32_t state = 1;
  for (int i = 0; i < 1000; ++i) noise += static_cast<char>((state = state * 1664525 + 1) >> 24);
  const Ref<EdgeEvent> event = EventOf(noise);
  EXPECT_EQ(variants_.FrameOf(*event, 0, wide_), variants_.FrameOf(*event, 0, plain_));
  EXPECT_EQ(variants_.counters().incompressible.Value(), 1u);
  EXPECT_EQ(encoder_.calls, 3);
}

TEST_F(VariantTableTest, APlainFrameThatNobodyGetsIsNotKept) {
  const Ref<EdgeEvent> event = EventOf(Repeated(2000));
  variants_.FrameOf(*event, 0, wide_);
  EXPECT_EQ(event->frame(0, plain_), nullptr);
  Use(plain_);
  variants_.FrameOf(*event, 1, wide_);
  EXPECT_NE(event->frame(1, plain_), nullptr);
}

TEST_F(VariantTableTest, EncodesAheadWhatWasAskedFor) {
  const std::string payload = Repeated(1000);
  Use(wide_);
  const Ref<EdgeEvent> first = EventOf(payload);
  variants_.EncodeAhead(*first, 0);
  EXPECT_EQ(first->frame(0, wide_), nullptr);  // nobody of this channel may want it
  variants_.FrameOf(*first, 0, wide_);         // a worker does

  const Ref<EdgeEvent> second = EventOf(payload);
  variants_.EncodeAhead(*second, 0);
  variants_.EncodeAhead(*second, 1);
  EXPECT_NE(second->frame(0, wide_), nullptr);
  EXPECT_EQ(second->frame(0, narrow_), nullptr);
  EXPECT_EQ(second->frame(1, wide_), nullptr);  // another channel

  Use(wide_, -1);  // its connection is gone
  const Ref<EdgeEvent> third = EventOf(payload);
  variants_.EncodeAhead(*third, 0);
  EXPECT_EQ(third->frame(0, wide_), nullptr);
  Use(wide_);
  variants_.ForgetWanted();
  variants_.EncodeAhead(*third, 0);
  EXPECT_EQ(third->frame(0, wide_), nullptr);

  EXPECT_EQ(third->frame(0, plain_), nullptr);
  Use(plain_);
  variants_.EncodeAhead(*third, 1);  // plain: every channel, at once
  EXPECT_NE(third->frame(1, plain_), nullptr);
}

TEST_F(VariantTableTest, PacksFramesOfOneConnection) {
  const Ref<Frame> large = Frame::Make(Opcode::kText, Repeated(500));
  EXPECT_EQ(variants_.Packed(plain_, large).get(), large.get());
  EXPECT_EQ(Inflated(*variants_.Packed(wide_, large)), large->payload());
  EXPECT_EQ(Inflated(*variants_.Packed(narrow_, large)), large->payload());
  const Ref<Frame> small = Frame::Make(Opcode::kText, Repeated(99));
  EXPECT_EQ(variants_.Packed(wide_, small).get(), small.get());
  const Ref<Frame> ping = Frame::Make(Opcode::kPing, Repeated(120));  // RFC 7692, section 6.1
  EXPECT_EQ(variants_.Packed(wide_, ping).get(), ping.get());
}

TEST_F(VariantTableTest, RacingThreadsGetOneFrame) {
  const std::string payload = Repeated(3000);
  for (int round = 0; round < 30; ++round) {
    const Ref<EdgeEvent> event = EventOf(payload);
    std::atomic<int> waiting{0};
    std::vector<const Frame*> seen(3);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < seen.size(); ++i) {
      threads.emplace_back([&, i] {
        waiting.fetch_add(1);
        while (waiting.load() < static_cast<int>(seen.size())) std::this_thread::yield();
        seen[i] = variants_.FrameOf(*event, 0, i == 2 ? narrow_ : wide_);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_EQ(Inflated(*seen[0]), "a" + payload);
    EXPECT_EQ(Inflated(*seen[2]), "a" + payload);
  }
  const CompressionCounters& counters = variants_.counters();
  EXPECT_EQ(counters.compressed.Value() - counters.raced.Value(), 60u);
}

TEST_F(VariantTableTest, FramesSayWhatEventTheyCarry) {
  wire::EventView view;
  view.channels.push_back("a");
  view.offset = 7;
  view.key = "BTC";
  const std::string payload = Repeated(500);
  view.payload = payload;
  const Ref<EdgeEvent> event = EdgeEvent::Make(view, 3);
  for (const VariantId id : {plain_, static_cast<VariantId>(plain_ + 1)}) {
    const FrameMeta meta = variants_.FrameOf(*event, 0, id)->meta();
    EXPECT_TRUE(meta.event);
    EXPECT_EQ(meta.slot, 3u);
    EXPECT_EQ(meta.offset, 7);
    EXPECT_EQ(meta.key_hash, event->key_hash());
    EXPECT_NE(meta.key_hash, 0u);
  }
  EXPECT_EQ(EdgeEvent::Make(view, 3)->key_hash(), event->key_hash());
  EXPECT_NE(EdgeEvent::Make(view, 4)->key_hash(), event->key_hash()) << "a key is one of its slot";
  view.key = "ETH";
  EXPECT_NE(EdgeEvent::Make(view, 3)->key_hash(), event->key_hash());
  view.key = {};
  EXPECT_EQ(EdgeEvent::Make(view, 3)->key_hash(), 0u);
  EXPECT_FALSE(Frame::Make(Opcode::kText, "x")->meta().event);
}

}  // namespace
}  // namespace spillway::edge
