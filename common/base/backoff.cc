#include "common/base/backoff.h"

#include <algorithm>
#include <utility>

namespace spillway {

Backoff::Backoff(const Options& options, Random random)
    : options_(options),
      random_(std::move(random)),
      base_ms_(static_cast<double>(options.initial.count())) {}

std::chrono::milliseconds Backoff::Next() {
  const auto max_ms = static_cast<double>(options_.max.count());
  const double base = std::min(base_ms_, max_ms);
  base_ms_ = std::min(base * options_.multiplier, max_ms);
  ++attempts_;
  const double factor = 1.0 + options_.jitter * (2.0 * random_() - 1.0);
  const double wait = std::clamp(base * factor, 0.0, max_ms);
  return std::chrono::milliseconds(static_cast<int64_t>(wait));
}

void Backoff::Reset() {
  base_ms_ = static_cast<double>(options_.initial.count());
  attempts_ = 0;
}

}  // namespace spillway
