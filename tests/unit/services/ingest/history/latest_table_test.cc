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

TEST(LatestTable, AtTheBoundNewKeysAreRefusedAndItSaysSo) {
  LatestTable table(250);
  table.BackfillJoined(true, 0);
  table.Apply(KeyedRecord(1, "c", "a"));
  ASSERT_TRUE(table.complete());
  NormalisedRecord late = KeyedRecord(2, "c", "b", std::string(200, 'x'));
  late.record.time_us = 7'000;
  table.Apply(late);
  EXPECT_EQ(table.refused(), 1u);
  EXPECT_FALSE(table.complete());
  EXPECT_EQ(table.since_us(), 7'000);
  EXPECT_EQ(Offsets(table, "c"), (Expected{1}));
  // Keys that are in it go on.
  table.Apply(KeyedRecord(3, "c", "a"));
  EXPECT_EQ(Offsets(table, "c"), (Expected{3}));
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
}

}  // namespace
}  // namespace spillway::ingest
