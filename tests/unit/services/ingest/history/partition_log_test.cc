#include "services/ingest/history/partition_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/channel/channel_hash.h"
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
  EXPECT_EQ(log.head_mark().fingerprint, 4);
  EXPECT_EQ(log.size(), 0u);
  EXPECT_EQ(log.bytes(), 0u);
}

TEST(PartitionLog, WhatWasReadBeforeIsIgnored) {
  PartitionLog log({}, 9);
  log.Append(EventRecord(10));
  log.Append(EventRecord(10));
  log.Append(EventRecord(7));
  log.AdvanceHead(8);
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(log.head(), 10);
  EXPECT_EQ(log.head_mark().fingerprint, 11);
}

TEST(PartitionLog, AHoleAtTheEndKeepsTheLastRecordsFingerprint) {
  PartitionLog log({}, -1);
  log.Append(EventRecord(4));
  log.AdvanceHead(6);
  EXPECT_EQ(log.head(), 6);
  EXPECT_EQ(log.head_mark().fingerprint, 5);
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

// Offsets of a channel's records, as a reader of one channel finds them.
std::string Read(const PartitionLog& log, std::string_view channel, int64_t after) {
  const uint64_t hash = ChannelHash(channel);
  std::string text;
  for (uint64_t n = log.FirstOf(hash, log.SequenceAfter(after), 1'000); n < log.end_sequence();
       n = log.NextOf(hash, n)) {
    absl::StrAppend(&text, text.empty() ? "" : " ", log.At(n).offset);
  }
  return text;
}

TEST(PartitionLog, FindsTheRecordsOfAChannel) {
  PartitionLog log({}, -1);
  for (int64_t offset = 0; offset < 10; ++offset) {
    log.Append(EventRecord(offset, offset % 3 == 0 ? "a" : "b"));
  }
  EXPECT_EQ(Read(log, "a", -1), "0 3 6 9");
  EXPECT_EQ(Read(log, "a", 3), "6 9");
  EXPECT_EQ(Read(log, "b", 4), "5 7 8");
  EXPECT_EQ(Read(log, "b", 8), "");
  EXPECT_EQ(Read(log, "c", -1), "");
  log.EvictBefore(5);
  EXPECT_EQ(Read(log, "a", -1), "6 9");
  log.EvictBefore(9);
  EXPECT_EQ(Read(log, "b", -1), "");
  log.Append(EventRecord(11, "b"));
  EXPECT_EQ(Read(log, "b", -1), "11");
}

TEST(PartitionLog, ARecordMayHaveAChannelTwice) {
  PartitionLog log({}, -1);
  log.Append(EventRecord(1, "a"));
  LogRecord twice = EventRecord(2, "a");
  twice.events.push_back(twice.events[0]);
  twice.events.back().channels.push_back(ChannelHash("b"));
  log.Append(twice);
  log.Append(EventRecord(3, "a"));
  log.Append(EventRecord(4, "b"));
  EXPECT_EQ(Read(log, "a", -1), "1 2 3");
  EXPECT_EQ(Read(log, "b", -1), "2 4");
}

TEST(PartitionLog, LooksAtABoundedNumberOfRecordsToFindAChannel) {
  PartitionLog log({}, -1);
  for (int64_t offset = 0; offset < 10; ++offset) log.Append(EventRecord(offset, "a"));
  log.Append(EventRecord(10, "b"));
  EXPECT_EQ(log.FirstOf(ChannelHash("b"), 0, 4), 4u);
  EXPECT_EQ(log.FirstOf(ChannelHash("b"), 4, 100), 10u);
  EXPECT_EQ(log.FirstOf(ChannelHash("a"), 10, 100), log.end_sequence());
}

// Whoever has the last event of a quiet channel misses nothing, however far the log has moved on.
TEST(PartitionLog, KnowsWhichChannelsItStillCovers) {
  PartitionLog log({.max_bytes = 2 * EventRecord(1, "busy").cost()}, 4);
  for (int64_t offset = 5; offset < 20; ++offset) {
    log.Append(EventRecord(offset, offset == 6 ? "quiet" : "busy"));
  }
  ASSERT_EQ(log.floor(), 17);
  EXPECT_TRUE(log.Covers(ChannelHash("busy"), 17));
  EXPECT_FALSE(log.Covers(ChannelHash("busy"), 16));
  EXPECT_TRUE(log.Covers(ChannelHash("quiet"), 6));
  EXPECT_FALSE(log.Covers(ChannelHash("quiet"), 5));
  EXPECT_TRUE(log.Covers(ChannelHash("unheard of"), 4));
  EXPECT_FALSE(log.Covers(ChannelHash("unheard of"), 3)) << "before the log began";
}

TEST(PartitionLog, TooManyEvictedChannelsAreAllTakenToBeEvicted) {
  PartitionLog log({.max_bytes = kCost, .evicted_channels = 3}, -1);
  for (int64_t offset = 0; offset < 4; ++offset) {
    log.Append(EventRecord(offset, absl::StrCat("c", offset)));
  }
  EXPECT_TRUE(log.Covers(ChannelHash("c0"), 0));
  log.Append(EventRecord(4, "c4"));  // c3 is the fourth
  EXPECT_FALSE(log.Covers(ChannelHash("c0"), 0));
  EXPECT_TRUE(log.Covers(ChannelHash("c0"), 3));
  PartitionLog none({.max_bytes = kCost, .evicted_channels = 0}, -1);
  for (int64_t offset : {0, 1, 2}) none.Append(EventRecord(offset, "a"));
  EXPECT_FALSE(none.Covers(ChannelHash("b"), 0));
  EXPECT_TRUE(none.Covers(ChannelHash("b"), 1));
}

TEST(PartitionLog, SaysWhetherARecordStandsWhereItIsSaidTo) {
  using enum PartitionLog::Compared;
  PartitionLog log({.max_bytes = 2 * kCost}, 4);
  EXPECT_EQ(log.Compare({4, 5}), kUnknown) << "read by nobody here";
  log.Append(EmptyRecord(5));
  log.Append(EventRecord(7));
  log.Append(EmptyRecord(8));
  log.AdvanceHead(10);
  EXPECT_EQ(log.Compare({5, 6}), kSame);
  EXPECT_EQ(log.Compare({5, 7}), kOther);
  EXPECT_EQ(log.Compare({6, 6}), kAbsent) << "a hole";
  EXPECT_EQ(log.Compare({7, 8}), kSame);
  EXPECT_EQ(log.Compare({7, 9}), kOther);
  EXPECT_EQ(log.Compare({8, 9}), kSame);
  EXPECT_EQ(log.Compare({10, 9}), kAbsent);
  EXPECT_EQ(log.Compare({11, 12}), kAhead);
  for (int64_t offset : {11, 12, 13}) log.Append(EventRecord(offset));
  ASSERT_EQ(log.floor(), 11);
  EXPECT_EQ(log.Compare({7, 8}), kUnknown);
  EXPECT_EQ(log.Compare({10, 9}), kUnknown) << "a record that was evicted may have stood there";
  EXPECT_EQ(log.Compare({8, 9}), kSame) << "a record that yielded nothing is not evicted";
  EXPECT_EQ(log.Compare({11, 12}), kUnknown);
  EXPECT_EQ(log.Compare({12, 13}), kSame);
}

TEST(PartitionLog, KnowsTheLastRecordBeforeAnOffset) {
  PartitionLog log({}, 4);
  EXPECT_EQ(log.MarkAt(4).fingerprint, 0);
  log.Append(EventRecord(5));
  log.Append(EmptyRecord(7));
  log.AdvanceHead(9);
  EXPECT_EQ(log.MarkAt(4).fingerprint, 0);
  EXPECT_EQ(log.MarkAt(6).offset, 5);
  EXPECT_EQ(log.MarkAt(6).fingerprint, 6);
  EXPECT_EQ(log.MarkAt(9).offset, 7);
  EXPECT_EQ(log.head_mark().offset, 7);
}

TEST(PartitionLog, MarksOfRecordsThatYieldNothingAreBounded) {
  using enum PartitionLog::Compared;
  PartitionLog log({}, -1);
  log.Append(EventRecord(0));
  for (int64_t offset = 1; offset <= 5'000; ++offset) log.Append(EmptyRecord(offset));
  EXPECT_EQ(log.Compare({5'000, static_cast<uint16_t>(5'001)}), kSame);
  EXPECT_EQ(log.Compare({1'000, 1'001}), kSame);
  EXPECT_EQ(log.Compare({900, 901}), kUnknown);
  EXPECT_EQ(log.Compare({0, 1}), kSame) << "it is in the log still";
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

std::string Hole(const PartitionLog& log, int64_t after, int64_t before) {
  const std::optional<PartitionLog::Range> hole = log.HoleBetween(after, before);
  return hole.has_value() ? absl::StrCat(hole->from, "..", hole->to) : "none";
}

TEST(PartitionLogHoles, AreNotNotedUnlessAskedFor) {
  PartitionLog log({}, -1);
  log.Append(EventRecord(5));
  EXPECT_EQ(Hole(log, -1, 6), "none");
}

TEST(PartitionLogHoles, AreNotedUpToAnOffset) {
  PartitionLog log({}, 0);
  log.NoteHolesBefore(10);
  for (int64_t offset : {1, 4, 9, 20, 30}) log.Append(EventRecord(offset));
  EXPECT_EQ(Hole(log, 0, 4), "2..3");
  EXPECT_EQ(Hole(log, 4, 9), "5..8");
  EXPECT_EQ(Hole(log, 9, 20), "none") << "10 to 19 begin no earlier than 10";
  EXPECT_EQ(Hole(log, 0, 31), "2..8") << "from the first to the last";
}

TEST(PartitionLogHoles, AreCutToWhatIsAskedFor) {
  PartitionLog log({}, 0);
  log.NoteHolesBefore(100);
  for (int64_t offset : {1, 10}) log.Append(EventRecord(offset));
  EXPECT_EQ(Hole(log, 4, 8), "5..7");
  EXPECT_EQ(Hole(log, 9, 100), "none");
  EXPECT_EQ(Hole(log, 0, 2), "none");
}

TEST(PartitionLogHoles, AreOneWhereNoRecordThatIsKeptLiesBetween) {
  PartitionLog log({}, 0);
  log.NoteHolesBefore(100);
  for (int64_t offset : {3, 7}) log.Append(EmptyRecord(offset));
  log.Append(EventRecord(9));
  log.Append(EmptyRecord(11));
  log.Append(EventRecord(12));
  EXPECT_EQ(Hole(log, 0, 9), "1..8");
  EXPECT_EQ(Hole(log, 9, 12), "10..10");
}

TEST(PartitionLogHoles, WhatWasReadToItsEndIsNone) {
  PartitionLog log({}, 0);
  log.NoteHolesBefore(100);
  log.AdvanceHead(5);
  log.Append(EventRecord(6));
  EXPECT_EQ(Hole(log, 0, 7), "none");
}

TEST(PartitionLogHoles, GoWithTheRecordsAfterThem) {
  PartitionLog log({.max_bytes = 2 * kCost}, 0);
  log.NoteHolesBefore(100);
  for (int64_t offset : {2, 4, 6, 8}) log.Append(EventRecord(offset));
  ASSERT_EQ(log.floor(), 4);
  EXPECT_EQ(Hole(log, 0, 9), "5..7");
}

}  // namespace
}  // namespace spillway::ingest
