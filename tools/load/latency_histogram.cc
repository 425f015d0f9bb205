#include "tools/load/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace spillway::load {

uint64_t LatencyHistogram::LargestIn(size_t bucket) {
  if (bucket < kSub) return bucket;
  const int shift = static_cast<int>(bucket / kSub) - 1;
  const uint64_t top = bucket - static_cast<uint64_t>(shift) * kSub;
  return ((top + 1) << shift) - 1;
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

uint64_t LatencyHistogram::Percentile(double share) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= std::max<uint64_t>(rank, 1)) return std::min(LargestIn(bucket), max_);
  }
  return max_;
}

}  // namespace spillway::load
