#include "services/ingest/history/partition_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>

#include "tests/unit/services/ingest/history/history_fakes.h"

namespace spillway::ingest {
namespace {

const size_t kCost = EventRecord(1).cost();

TEST(PartitionLog, BeginsEmptyAtItsPosition) {
  const PartitionLog log({}, 41);
  EXPECT_EQ(log.floor(), 41);
  EXPECT_EQ(log.head(), 41);
  EXPECT_EQ(log.first_sequence(), log.end_sequence());
  EXPECT_EQ(log.SequenceAfter(41), log.end_sequence());
}

TEST(PartitionLog, RecordsThatYieldNothingMoveTheHeadOnly) {
  PartitionLog log({}, -1);
  log.Append(EmptyRecord(3));
  EXPECT_EQ(log.head(), 3);
  EXPECT_EQ(log.head_fingerprint(), 4);
  EXPECT_EQ(log.size(), 0u);
  EXPECT_EQ(log.bytes(), 0u);
}

TEST(PartitionLog, WhatWasReadBeforeIsIgnored) {
  PartitionLog log({}, 9);
  log.Append(EventRecord(10));
  log.Append(EventRecord(10));
  log.Append(EventRecord(7));
  log.AdvanceHead(8, 1);
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(log.head(), 10);
  EXPECT_EQ(log.head_fingerprint(), 11);
}

TEST(PartitionLog, AHoleAtTheEndKeepsTheLastRecordsFingerprint) {
  PartitionLog log({}, -1);
  log.Append(EventRecord(4));
  log.AdvanceHead(6, 0);
  EXPECT_EQ(log.head(), 6);
  EXPECT_EQ(log.head_fingerprint(), 5);
}

TEST(PartitionLog, FindsARecordThoughOffsetsHaveHoles) {
  PartitionLog log({}, -1);
  for (int64_t offset : {2, 3, 10, 20}) log.Append(EventRecord(offset));
  EXPECT_EQ(log.At(log.SequenceAfter(-1)).offset, 2);
  EXPECT_EQ(log.At(log.SequenceAfter(2)).offset, 3);
  EXPECT_EQ(log.At(log.SequenceAfter(3)).offset, 10);
  EXPECT_EQ(log.At(log.SequenceAfter(9)).offset, 10);
  EXPECT_EQ(log.At(log.SequenceAfter(15)).offset, 20);
  EXPECT_EQ(log.SequenceAfter(20), log.end_sequence());
}

TEST(PartitionLog, EvictsByBytesFromTheFront) {
  PartitionLog log({.max_bytes = 2 * kCost}, -1);
  for (int64_t offset : {5, 6, 7, 8}) log.Append(EventRecord(offset));
  EXPECT_EQ(log.size(), 2u);
  EXPECT_EQ(log.bytes(), 2 * kCost);
  EXPECT_EQ(log.floor(), 6);
  EXPECT_EQ(log.head(), 8);
  // A sequence means the same record before and after.
  EXPECT_EQ(log.first_sequence(), 2u);
  EXPECT_EQ(log.At(3).offset, 8);
}

TEST(PartitionLog, ARecordLargerThanTheBoundStays) {
  PartitionLog log({.max_bytes = 10}, -1);
  log.Append(EventRecord(1));
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(log.floor(), -1);
  log.Append(EventRecord(2));
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(log.floor(), 1);
}

// Bytes lie in blocks that come and go with the records: of every size, they stay what they were.
TEST(PartitionLog, KeepsTheBytesOfEveryRecordItHolds) {
  std::mt19937 random(7);
  PartitionLog log({.max_bytes = 300 << 10}, -1);
  std::deque<std::string> expected;
  for (int64_t offset = 0; offset < 3'000; ++offset) {
    const size_t size = offset % 97 == 0 ? random() % (200 << 10) : random() % 2'000;
    LogRecord record =
        EventRecord(offset, "c", std::string(size, static_cast<char>('a' + offset % 26)));
    log.Append(record);
    expected.push_back(record.bytes);
    record.bytes.assign(record.bytes.size(), '!');  // the log has a copy
    if (offset % 501 == 0) log.EvictBefore(log.end_sequence());
    while (expected.size() > log.size()) expected.pop_front();
    for (size_t n = 0; n < expected.size(); ++n) {
      const KeptRecord& kept = log.At(log.first_sequence() + n);
      ASSERT_EQ(kept.EventBytes(kept.events[0]), expected[n]) << kept.offset << " at " << offset;
      if (n == 2 && offset % 50 != 0) n = std::max<size_t>(n, expected.size() - 3);
    }
  }
  EXPECT_GT(log.size(), 1u);
}

TEST(PartitionLog, EvictsByAge) {
  PartitionLog log({.max_bytes = 1 << 20, .max_age_us = 100}, -1);
  for (int64_t offset : {1, 2, 3}) {
    LogRecord record = EventRecord(offset);
    record.time_us = offset * 100;
    log.Append(std::move(record));
  }
  log.EvictOlderThan(300);
  EXPECT_EQ(log.floor(), 1);
  log.EvictOlderThan(1'000);
  EXPECT_EQ(log.size(), 0u);
  EXPECT_EQ(log.floor(), 3);
  EXPECT_EQ(log.bytes(), 0u);
}

TEST(PartitionLog, EvictsBeforeASequence) {
  PartitionLog log({}, -1);
  for (int64_t offset : {1, 2, 3}) log.Append(EventRecord(offset));
  log.EvictBefore(2);
  EXPECT_EQ(log.floor(), 2);
  log.EvictBefore(1);
  EXPECT_EQ(log.first_sequence(), 2u);
  log.EvictBefore(99);
  EXPECT_EQ(log.floor(), 3);
  EXPECT_EQ(log.end_sequence(), 3u);
}

TEST(Fingerprint, TellsRecordsApart) {
  const uint16_t one = Fingerprint("key", "value", 1);
  EXPECT_EQ(one, Fingerprint("key", "value", 1));
  EXPECT_NE(one, Fingerprint("key", "value", 2));
  EXPECT_NE(one, Fingerprint("key", "valuf", 1));
  EXPECT_NE(one, Fingerprint("kez", "value", 1));
  EXPECT_NE(one, Fingerprint("keyv", "alue", 1));  // the border between the two counts
  EXPECT_NE(Fingerprint("", "", 0), 0);            // 0 means unknown
}

TEST(Fingerprint, SeesTheEndsOfALongValue) {
  const std::string value(1'000, 'x');
  std::string other = value;
  other.back() = 'y';
  EXPECT_NE(Fingerprint("", value, 0), Fingerprint("", other, 0));
  other = value;
  other.front() = 'y';
  EXPECT_NE(Fingerprint("", value, 0), Fingerprint("", other, 0));
  EXPECT_NE(Fingerprint("", value, 0), Fingerprint("", value + "x", 0));
}

TEST(Fingerprint, IsNeverUnknown) {
  for (int64_t n = 0; n < 200'000; ++n) ASSERT_NE(Fingerprint("k", "v", n), 0) << n;
}

}  // namespace
}  // namespace spillway::ingest
