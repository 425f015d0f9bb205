#include "services/edge/ws/outbox.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace spillway::edge::ws {
namespace {

std::string Gathered(const Outbox& outbox, size_t max = 100) {
  iovec pieces[100];
  const size_t count = outbox.Gather(pieces, max);
  std::string all;
  for (size_t i = 0; i < count; ++i) {
    all.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return all;
}

Ref<Frame> MakeFrame(std::string_view payload) { return Frame::Make(Opcode::kText, payload); }

TEST(OutboxTest, KeepsOrderThroughPartialWrites) {
  std::mt19937 random(2);
  Outbox outbox;
  std::string expected;
  std::string sent;
  for (int step = 0; step < 5000; ++step) {
    if (random() % 2 == 0) {
      const Ref<Frame> frame =
          MakeFrame(std::string(random() % 300, static_cast<char>('a' + step % 26)));
      expected += frame->bytes();
      outbox.Push(frame);
    } else {
      const std::string next = Gathered(outbox, 1 + random() % 20);
      const size_t taken = next.empty() ? 0 : random() % (next.size() + 1);
      sent += next.substr(0, taken);
      outbox.Consume(taken);
    }
    ASSERT_EQ(outbox.bytes(), expected.size() - sent.size());
  }
  while (!outbox.empty()) {
    const std::string next = Gathered(outbox);
    sent += next;
    outbox.Consume(next.size());
  }
  EXPECT_EQ(sent, expected);
  EXPECT_EQ(outbox.messages(), 0u);
}

TEST(OutboxTest, StartsInsideAFrame) {
  Outbox outbox;
  outbox.Push(MakeFrame("hello"), 3);
  EXPECT_EQ(Gathered(outbox), "ello");
  EXPECT_EQ(outbox.bytes(), 4u);
  EXPECT_EQ(outbox.Consume(4), 1u);
  EXPECT_TRUE(outbox.empty());
}

TEST(OutboxTest, DroppingLeavesAFrameThatWasBegun) {
  Outbox outbox;
  outbox.Push(MakeFrame("one"));
  outbox.Push(MakeFrame("two"));
  outbox.Consume(1);
  outbox.DropUnstarted();
  EXPECT_EQ(outbox.messages(), 1u);
  EXPECT_EQ(Gathered(outbox), "\x03one");
  outbox.Consume(4);
  outbox.Push(MakeFrame("three"));
  outbox.DropUnstarted();
  EXPECT_TRUE(outbox.empty());
}

TEST(OutboxTest, SharesFrames) {
  const Ref<Frame> frame = MakeFrame("shared");
  Outbox a;
  {
    Outbox b;
    a.Push(frame);
    b.Push(frame);
  }
  EXPECT_EQ(Gathered(a), frame->bytes());
}

}  // namespace
}  // namespace spillway::edge::ws
