#include "services/ingest/kafka/lookup_queue.h"

#include <gtest/gtest.h>

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;

class LookupQueueTest : public ::testing::Test {
 protected:
  void Add(int32_t leader, const std::string& topic, int32_t partition) {
    queue_.Add(leader, {.topic = topic, .partition = partition});
  }
  LookupQueue::Batch Next() { return queue_.Next(now_); }

  LookupQueue queue_{{.batch = 3, .silence = milliseconds(100)}};
  MonoTime now_ = MonoTime() + std::chrono::hours(1);
};

TEST_F(LookupQueueTest, LeadersTakeTurnsWithAsManyAsACallTakes) {
  for (int partition = 0; partition < 5; ++partition) Add(1, "a", partition);
  Add(2, "a", 9);
  Add(2, "b", 9);
  LookupQueue::Batch batch = Next();
  EXPECT_EQ(batch.leader, 1);
  EXPECT_EQ(batch.lookups.size(), 3u);
  batch = Next();
  EXPECT_EQ(batch.leader, 2);
  EXPECT_EQ(batch.lookups.size(), 2u) << "topics share a call";
  batch = Next();
  EXPECT_EQ(batch.leader, 1);
  ASSERT_EQ(batch.lookups.size(), 2u);
  EXPECT_EQ(batch.lookups[0].partition, 3) << "in the order in which they came";
  EXPECT_TRUE(queue_.empty());
}

TEST_F(LookupQueueTest, ACallAsksForAPartitionOnce) {
  Add(1, "a", 0);
  Add(1, "a", 0);
  Add(1, "a", 1);
  EXPECT_EQ(Next().lookups.size(), 2u);
  EXPECT_EQ(Next().lookups.size(), 1u);
}

TEST_F(LookupQueueTest, WithoutAKnownLeaderEachIsAskedAlone) {
  Add(LookupQueue::kUnknownLeader, "a", 0);
  Add(LookupQueue::kUnknownLeader, "b", 0);
  EXPECT_EQ(Next().lookups.size(), 1u);
  queue_.OnSilent(LookupQueue::kUnknownLeader, now_);
  const LookupQueue::Batch batch = Next();
  EXPECT_FALSE(batch.silent) << "the next may have another leader";
  EXPECT_EQ(batch.lookups.size(), 1u);
}

TEST_F(LookupQueueTest, WhatWaitsForASilentLeaderFailsAtOnceForAWhile) {
  for (int partition = 0; partition < 8; ++partition) Add(1, "a", partition);
  Add(2, "a", 9);
  EXPECT_EQ(Next().lookups.size(), 3u);
  queue_.OnSilent(1, now_);
  EXPECT_EQ(Next().leader, 2);
  LookupQueue::Batch batch = Next();
  EXPECT_TRUE(batch.silent);
  EXPECT_EQ(batch.lookups.size(), 5u) << "all of them";
  EXPECT_TRUE(queue_.empty());
  now_ += milliseconds(99);
  Add(1, "a", 0);
  EXPECT_TRUE(Next().silent);
  now_ += milliseconds(1);
  Add(1, "a", 0);
  EXPECT_FALSE(Next().silent);
}

TEST_F(LookupQueueTest, APartitionWithoutALeaderIsNotAskedFor) {
  Add(LookupQueue::kNoLeader, "a", 0);
  EXPECT_TRUE(Next().silent);
}

TEST_F(LookupQueueTest, GivesUpAllThatWaits) {
  Add(1, "a", 0);
  Add(2, "a", 1);
  EXPECT_EQ(queue_.TakeAll().size(), 2u);
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace spillway::ingest
