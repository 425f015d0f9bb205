#include "services/edge/hub/ring_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace spillway::edge {
namespace {

TEST(RingQueueTest, IsADeque) {
  RingQueue<int> queue;
  std::deque<int> wanted;
  std::mt19937 random(7);
  for (int n = 0; n < 20'000; ++n) {
    // Grows for a while, then shrinks, and is emptied now and then.
    if (random() % 8 < (n / 1000 % 2 == 0 ? 5u : 3u)) {
      queue.push_back(n);
      wanted.push_back(n);
    } else if (!wanted.empty()) {
      queue.pop_front();
      wanted.pop_front();
    }
    if (random() % 3000 == 0) {
      queue.clear();
      wanted.clear();
    }
    ASSERT_EQ(queue.size(), wanted.size());
    ASSERT_EQ(queue.empty(), wanted.empty());
    if (wanted.empty()) continue;
    ASSERT_EQ(queue.front(), wanted.front());
    ASSERT_EQ(queue.back(), wanted.back());
    const size_t i = random() % wanted.size();
    ASSERT_EQ(queue[i], wanted[i]);
  }
}

TEST(RingQueueTest, WhatWasTakenIsGoneAtOnce) {
  RingQueue<std::shared_ptr<int>> queue;
  const auto value = std::make_shared<int>(1);
  for (int n = 0; n < 3; ++n) queue.push_back(value);
  EXPECT_EQ(value.use_count(), 4);
  queue.pop_front();
  EXPECT_EQ(value.use_count(), 3);
  queue.clear();
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace spillway::edge
