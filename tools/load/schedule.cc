#include "tools/load/schedule.h"

#include <algorithm>
#include <cmath>

namespace spillway::load {

Schedule::Schedule(const StreamOptions& stream, double seconds)
    : rate_(stream.rate),
      count_(stream.count),
      seconds_(seconds),
      burst_(stream.burst),
      burst_from_(stream.burst_at),
      burst_for_(stream.burst_for) {}

double Schedule::SecondsOf(double n) const {
  const double before = rate_ * burst_from_;
  const double within = rate_ * burst_ * burst_for_;
  if (n < before || within <= 0) return n / rate_;
  if (n < before + within) return burst_from_ + (n - before) / (rate_ * burst_);
  return burst_from_ + burst_for_ + (n - before - within) / rate_;
}

std::optional<int64_t> Schedule::Due(uint64_t n) const {
  if (count_ > 0 && n >= count_) return std::nullopt;
  if (rate_ <= 0) return 0;
  const double due = SecondsOf(static_cast<double>(n));
  if (seconds_ > 0 && due >= seconds_) return std::nullopt;
  return static_cast<int64_t>(due * 1e9);
}

ChannelPicker::ChannelPicker(const StreamOptions& stream)
    : pick_(stream.pick), channels_(stream.channels) {
  if (pick_ != Pick::kZipf) return;
  double sum = 0;
  for (uint32_t i = 1; i <= channels_; ++i) sum += 1.0 / i;
  double share = 0;
  shares_.reserve(channels_);
  for (uint32_t i = 1; i <= channels_; ++i) {
    share += 1.0 / i / sum;
    shares_.push_back(static_cast<uint32_t>(std::min(share, 1.0) * 4294967295.0));
  }
  shares_.back() = UINT32_MAX;
}

uint32_t ChannelPicker::Next() {
  switch (pick_) {
    case Pick::kTurn: {
      const uint32_t channel = next_;
      next_ = next_ + 1 == channels_ ? 0 : next_ + 1;
      return channel;
    }
    case Pick::kRandom:
      return static_cast<uint32_t>(uint64_t{Random()} * channels_ >> 32);
    case Pick::kZipf:
      break;
  }
  return static_cast<uint32_t>(std::lower_bound(shares_.begin(), shares_.end(), Random()) -
                               shares_.begin());
}

uint32_t ChannelPicker::Random() {
  // SplitMix64 (Steele, Lea, Flood 2014).
  state_ += 0x9E3779B97F4A7C15;
  uint64_t word = state_;
  word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
  word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
  return static_cast<uint32_t>((word ^ (word >> 31)) >> 32);
}

}  // namespace spillway::load
