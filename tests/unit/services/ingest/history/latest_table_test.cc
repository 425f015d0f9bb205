#include "services/ingest/history/latest_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/services/ingest/history/history_fakes.h"

namespace spillway::ingest {
namespace {

// Offsets of the channel's events, ascending.
std::vector<int64_t> Offsets(const LatestTable& table, std::string_view channel) {
  std::vector<int64_t> offsets;
  table.ForEach(channel, [&](const std::shared_ptr<const std::string>& bytes) {
    wire::BatchReader reader(*bytes);
    wire::ProgressView progress;
    std::string_view event_bytes;
    wire::EventView event;
    EXPECT_EQ(reader.Next(&progress, &event_bytes), wire::BatchReader::Kind::kEvent);
    EXPECT_TRUE(wire::ParseEvent(event_bytes, &event));
    offsets.push_back(event.offset);
  });
  std::sort(offsets.begin(), offsets.end());
  return offsets;
}

using Expected = std::vector<int64_t>;

TEST(LatestTable, KeepsTheLatestOfEveryKey) {
  LatestTable table(1 << 20);
  table.Apply(KeyedRecord(1, "c", "a"));
  table.Apply(KeyedRecord(2, "c", "b"));
  table.Apply(KeyedRecord(3, "c", "a"));
  table.Apply(KeyedRecord(4, "d", "a"));
  EXPECT_EQ(Offsets(table, "c"), (Expected{2, 3}));
  EXPECT_EQ(Offsets(table, "d"), (Expected{4}));
  EXPECT_EQ(Offsets(table, "e"), Expected{});
  EXPECT_EQ(table.size(), 3u);
}

TEST(LatestTable, BackfillAndLiveMayComeInAnyOrder) {
  std::vector<NormalisedRecord> records;
  records.push_back(KeyedRecord(1, "c", "a"));
  records.push_back(KeyedRecord(2, "c", "b"));
  records.push_back(Tombstone(3, "c", "a"));
  records.push_back(KeyedRecord(4, "c", "b"));
  records.push_back(KeyedRecord(5, "c", "d"));
  std::vector<size_t> order{0, 1, 2, 3, 4};
  do {
    LatestTable table(1 << 20);
    for (size_t n : order) table.Apply(records[n]);
    EXPECT_EQ(Offsets(table, "c"), (Expected{4, 5}));
    table.BackfillJoined(true, 0);
    EXPECT_EQ(Offsets(table, "c"), (Expected{4, 5}));
    EXPECT_EQ(table.size(), 2u);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(LatestTable, TombstonesAreKeptUntilTheBackfillJoined) {
  LatestTable table(1 << 20);
  table.Apply(Tombstone(10, "c", "a"));
  EXPECT_EQ(table.size(), 1u);
  table.Apply(KeyedRecord(3, "c", "a"));  // the backfill brings what it removed
  EXPECT_EQ(Offsets(table, "c"), Expected{});
  table.BackfillJoined(true, 0);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(LatestTable, ATombstoneAfterTheJoinRemovesAtOnce) {
  LatestTable table(1 << 20);
  table.BackfillJoined(true, 0);
  table.Apply(KeyedRecord(1, "c", "a", "some payload"));
  table.Apply(Tombstone(2, "c", "unknown"));
  EXPECT_EQ(table.size(), 1u);
  table.Apply(Tombstone(3, "c", "a"));
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.bytes(), 0u);
}

TEST(LatestTable, CountsItsBytes) {
  LatestTable table(1 << 20);
  table.Apply(KeyedRecord(1, "c", "a", "{}"));
  const size_t small = table.bytes();
  table.Apply(KeyedRecord(2, "c", "a", std::string(1'000, 'x')));
  EXPECT_GT(table.bytes(), small + 900);
  table.Apply(KeyedRecord(3, "c", "a", "{}"));
  EXPECT_EQ(table.bytes(), small);
  table.Apply(KeyedRecord(4, "c", "b", "{}"));
  EXPECT_EQ(table.bytes(), 2 * small);
}

TEST(LatestTable, SaysHowFarItReachesBack) {
  LatestTable table(1 << 20);
  table.StartsAt(500);
  EXPECT_FALSE(table.complete());
  EXPECT_EQ(table.since_us(), 500);
  table.BackfillJoined(/*whole_topic=*/false, 200);
  EXPECT_FALSE(table.complete());
  EXPECT_EQ(table.since_us(), 200);
  table.BackfillJoined(/*whole_topic=*/true, 0);
  EXPECT_TRUE(table.complete());
}

NormalisedRecord KeyedAt(int64_t time_us, int64_t offset, std::string key,
                         std::string payload = "{}") {
  NormalisedRecord record = KeyedRecord(offset, "c", std::move(key), std::move(payload));
  record.record.time_us = time_us;
  return record;
}

// What a table of three small entries takes, whatever their keys and offsets.
size_t BytesOfThree() {
  LatestTable table(1 << 20);
  for (int64_t n = 1; n <= 3; ++n) table.Apply(KeyedAt(0, n, std::to_string(n)));
  return table.bytes() + 30;
}

TEST(LatestTable, AtTheBoundTheOldestGoAndItSaysSo) {
  LatestTable table(BytesOfThree());
  table.BackfillJoined(true, 0);
  table.Apply(KeyedAt(1'000, 1, "a"));
  table.Apply(KeyedAt(2'000, 2, "b"));
  table.Apply(KeyedAt(3'000, 3, "c"));
  table.Apply(KeyedAt(4'000, 4, "a"));  // no longer the oldest
  ASSERT_TRUE(table.complete());
  table.Apply(KeyedAt(5'000, 5, "d"));
  EXPECT_EQ(Offsets(table, "c"), (Expected{3, 4, 5}));
  EXPECT_EQ(table.evicted(), 1u);
  EXPECT_FALSE(table.complete());
  EXPECT_EQ(table.since_us(), 2'001);
  // What is new always has its place, for ever.
  for (int64_t n = 6; n < 1'000; ++n) table.Apply(KeyedAt(n * 1'000, n, std::to_string(n % 10)));
  EXPECT_EQ(Offsets(table, "c"), (Expected{997, 998, 999}));
  EXPECT_EQ(table.since_us(), 996'001);
}

TEST(LatestTable, KeysThatGrowAreBoundedToo) {
  LatestTable table(BytesOfThree() + 1'000);
  for (int64_t n = 1; n <= 3; ++n) table.Apply(KeyedAt(n, n, std::to_string(n)));
  table.Apply(KeyedAt(4, 4, "3", std::string(900, 'x')));
  EXPECT_EQ(Offsets(table, "c"), (Expected{1, 2, 4}));
  table.Apply(KeyedAt(5, 5, "2", std::string(900, 'x')));
  EXPECT_EQ(Offsets(table, "c"), (Expected{5})) << "1 was the oldest, then 4";
  table.Apply(KeyedAt(6, 6, "2", std::string(9'000, 'x')));
  EXPECT_EQ(table.size(), 0u) << "larger than the table";
  EXPECT_EQ(table.bytes(), 0u);
}

// The backfill runs behind live: what it brings is older than what live has brought.
TEST(LatestTable, TheBackfillDoesNotDisplaceWhatIsNewer) {
  LatestTable table(BytesOfThree());
  table.Apply(KeyedAt(10'000, 10, "x"));
  table.Apply(KeyedAt(11'000, 11, "y"));
  table.Apply(KeyedAt(1'000, 1, "a"));
  table.Apply(KeyedAt(2'000, 2, "b"));
  EXPECT_EQ(Offsets(table, "c"), (Expected{2, 10, 11}));
  table.BackfillJoined(true, 0);
  EXPECT_FALSE(table.complete());
  EXPECT_EQ(table.since_us(), 1'001);
}

TEST(LatestTable, WhatATombstoneRemovedDoesNotComeBackWhenTheTombstoneIsGivenUp) {
  LatestTable table(BytesOfThree());
  table.Apply(Tombstone(10, "c", "a"));
  for (int64_t n = 11; n <= 13; ++n) table.Apply(KeyedAt(n, n, std::to_string(n)));
  table.Apply(KeyedAt(1, 1, "a"));
  table.BackfillJoined(true, 0);
  EXPECT_EQ(Offsets(table, "c"), (Expected{11, 12, 13}));
  EXPECT_FALSE(table.complete());
}

TEST(LatestTable, WhatIsOlderThanTheHorizonGoes) {
  LatestTable table(1 << 20, /*horizon_us=*/1'000);
  table.BackfillJoined(/*whole_topic=*/false, 4'000);
  table.Apply(KeyedAt(4'500, 1, "a"));
  table.Apply(KeyedAt(5'000, 2, "b"));
  table.Expire(5'000);
  EXPECT_EQ(table.since_us(), 4'000);
  EXPECT_EQ(table.size(), 2u);
  table.Apply(KeyedAt(5'400, 3, "b"));
  table.Expire(6'000);
  EXPECT_EQ(Offsets(table, "c"), (Expected{3}));
  EXPECT_EQ(table.since_us(), 5'000);
  EXPECT_EQ(table.evicted(), 0u) << "that is not the bound";
  table.Expire(7'000);
  EXPECT_EQ(table.bytes(), 0u);
  LatestTable for_ever(1 << 20);
  for_ever.Apply(KeyedAt(1, 1, "a"));
  for_ever.Expire(1'000'000'000);
  EXPECT_EQ(for_ever.size(), 1u);
}

// What was read back first may have been replaced, or deleted, by what is still to be read.
TEST(LatestTable, DoesNotShowWhatIsReadBackBeforeThatHasJoined) {
  LatestTable table(1 << 20);
  table.StartsAt(500, /*live_from=*/100);
  table.Apply(KeyedAt(1, 10, "a"));
  table.Apply(KeyedAt(501, 100, "b"));
  EXPECT_EQ(Offsets(table, "c"), (Expected{100}));
  table.Apply(Tombstone(20, "c", "a"));
  table.Apply(KeyedAt(3, 30, "c"));
  table.BackfillJoined(/*whole_topic=*/true, 0);
  EXPECT_EQ(Offsets(table, "c"), (Expected{30, 100}));
}

// What the backfill began with may be gone by the time it joins.
TEST(LatestTable, DoesNotClaimWhatExpiredWhileItWasReadBack) {
  LatestTable table(1 << 20, /*horizon_us=*/1'000);
  table.StartsAt(5'000);
  table.Apply(KeyedAt(4'100, 1, "a"));
  table.Expire(5'500);
  table.BackfillJoined(/*whole_topic=*/false, 4'000);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.since_us(), 4'500);
}

TEST(LatestTable, ARecordWithSeveralEvents) {
  NormalisedRecord record = KeyedRecord(1, "c", "a");
  const LogRecord second = EventRecord(1, "d");
  LogEvent& event = record.record.events.emplace_back();
  event.begin = static_cast<uint32_t>(record.record.bytes.size());
  event.size = static_cast<uint32_t>(second.bytes.size());
  record.record.bytes += second.bytes;
  record.latest.push_back({"d", "", 1, false});
  LatestTable table(1 << 20);
  table.Apply(record);
  EXPECT_EQ(Offsets(table, "c"), (Expected{1}));
  EXPECT_EQ(Offsets(table, "d"), (Expected{1}));
  const size_t bytes = table.bytes();
  LatestTable apart(1 << 20);
  apart.Apply(KeyedRecord(1, "c", "a"));
  apart.Apply(KeyedRecord(2, "d", ""));
  EXPECT_GT(bytes, apart.bytes()) << "what came before the second is kept with it, and counted";
  table.BackfillJoined(true, 0);
  table.Apply(Tombstone(2, "c", "a"));
  table.Apply(Tombstone(3, "d", ""));
  EXPECT_EQ(table.bytes(), 0u);
}

}  // namespace
}  // namespace spillway::ingest
