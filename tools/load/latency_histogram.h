#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace spillway::load {

// Counts of durations in log-linear buckets, as HdrHistogram does: 64 buckets for each power of
// two, so a percentile is at most 1.6 % above the truth, at any size. Plain data, one thread.
class LatencyHistogram {
 public:
  // Nanoseconds; below zero counts as zero.
  void Record(int64_t ns) {
    const uint64_t value = ns < 0 ? 0 : static_cast<uint64_t>(ns);
    ++buckets_[BucketOf(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    if (value > max_) max_ = value;
  }

  void Add(const LatencyHistogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  double Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The duration that `share` (0 to 1) of all are not above; 0 if there are none.
  uint64_t Percentile(double share) const;

 private:
  static constexpr int kSubBits = 6;
  static constexpr uint64_t kSub = 1 << kSubBits;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) * kSub;

  // Values below kSub have a bucket each; above, the highest kSubBits + 1 bits choose it.
  static size_t BucketOf(uint64_t value) {
    if (value < kSub) return value;
    const int shift = static_cast<int>(std::bit_width(value)) - kSubBits - 1;
    return static_cast<size_t>(shift) * kSub + static_cast<size_t>(value >> shift);
  }
  static uint64_t LargestIn(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace spillway::load
