#include "tools/load/sequence_check.h"

#include <gmock/gmock.h>

#include <initializer_list>

namespace spillway::load {
namespace {

SequenceCounts After(std::initializer_list<uint32_t> numbers, bool from_start = true) {
  SequenceCheck check;
  if (from_start) check.Expect(1);
  SequenceCounts counts;
  for (const uint32_t number : numbers) check.Take(number, false, &counts);
  return counts;
}

void ExpectCounts(const SequenceCounts& counts, uint64_t in_order, uint64_t skipped,
                  uint64_t duplicates, uint64_t out_of_order) {
  EXPECT_EQ(counts.in_order, in_order);
  EXPECT_EQ(counts.skipped, skipped);
  EXPECT_EQ(counts.duplicates, duplicates);
  EXPECT_EQ(counts.out_of_order, out_of_order);
}

TEST(SequenceCheckTest, AscendingNumbersAreFine) { ExpectCounts(After({1, 2, 3, 4}), 4, 0, 0, 0); }

TEST(SequenceCheckTest, WhoWasThereFromTheStartMissesTheFirst) {
  ExpectCounts(After({3, 4}), 2, 2, 0, 0);
  ExpectCounts(After({3, 4}, false), 2, 0, 0, 0);
}

TEST(SequenceCheckTest, AGapIsSkippedUntilItComesLate) {
  ExpectCounts(After({1, 2, 5}), 3, 2, 0, 0);
  ExpectCounts(After({1, 2, 5, 3}), 3, 1, 0, 1);
  ExpectCounts(After({1, 2, 5, 4, 3, 6}), 4, 0, 0, 2);
}

TEST(SequenceCheckTest, WhatAGapStoodForIsToldAndNotLost) {
  SequenceCheck check;
  SequenceCounts counts;
  check.Take(1, false, &counts);
  check.Take(5, true, &counts);
  check.Take(7, false, &counts);
  EXPECT_EQ(counts.told, 3u);
  EXPECT_EQ(counts.skipped, 1u);
}

TEST(SequenceCheckTest, WhatCameTwiceIsADuplicate) {
  ExpectCounts(After({1, 1}), 1, 0, 1, 0);
  ExpectCounts(After({1, 2, 3, 2}), 3, 0, 1, 0);
  ExpectCounts(After({1, 2, 5, 3, 3}), 3, 1, 1, 1);
  ExpectCounts(After({7, 8, 6}, false), 2, 0, 1, 0);  // from before it looked
}

TEST(SequenceCheckTest, RemembersTheLast32) {
  ExpectCounts(After({1, 34, 2}), 2, 31, 0, 1);  // 32 back
  ExpectCounts(After({1, 35, 2}), 2, 33, 1, 0);  // 33 back: unknown, so taken for a duplicate
  ExpectCounts(After({1, 33, 1}), 2, 31, 1, 0);
  ExpectCounts(After({1, 1000, 999, 999}), 2, 997, 1, 1);
}

}  // namespace
}  // namespace spillway::load
