#include "tools/load/latency_histogram.h"

#include <gmock/gmock.h>

namespace spillway::load {
namespace {

TEST(LatencyHistogramTest, IsEmptyAtFirst) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Percentile(0.99), 0u);
  EXPECT_EQ(histogram.Mean(), 0);
}

TEST(LatencyHistogramTest, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Percentile(0.5), 50u);
  EXPECT_EQ(histogram.Percentile(0.01), 1u);
  EXPECT_EQ(histogram.Percentile(1), 100u);
  EXPECT_EQ(histogram.Mean(), 50.5);
}

TEST(LatencyHistogramTest, APercentileIsNeverBelowTheTruthAndHardlyAbove) {
  for (const uint64_t value : {63u, 64u, 65u, 127u, 128u, 1'000'000u, 123'456'789u}) {
    LatencyHistogram histogram;
    histogram.Record(static_cast<int64_t>(value));
    histogram.Record(static_cast<int64_t>(value) * 1000);  // so that the maximum does not help
    EXPECT_GE(histogram.Percentile(0.5), value);
    EXPECT_LE(static_cast<double>(histogram.Percentile(0.5)), static_cast<double>(value) * 1.016);
  }
}

TEST(LatencyHistogramTest, AddsAnother) {
  LatencyHistogram one;
  LatencyHistogram other;
  one.Record(1);
  other.Record(3);
  other.Record(2);
  one.Add(other);
  EXPECT_EQ(one.count(), 3u);
  EXPECT_EQ(one.max(), 3u);
  EXPECT_EQ(one.Percentile(0.5), 2u);
  EXPECT_EQ(one.Mean(), 2);
}

TEST(LatencyHistogramTest, TakesTheExtremes) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.Percentile(0.5), 0u);
  EXPECT_EQ(histogram.Percentile(1), static_cast<uint64_t>(INT64_MAX));
}

}  // namespace
}  // namespace spillway::load
