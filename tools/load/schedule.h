#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/load/run_options.h"

namespace spillway::load {

// When a stream's publications are due: at its rate, whatever became of the earlier ones, with a
// burst if there is one. Pure.
class Schedule {
 public:
  // `seconds`: how long the run publishes; unlimited if 0.
  Schedule(const StreamOptions& stream, double seconds);

  // Nanoseconds after the beginning at which the n-th (from 0) is due; 0 without a rate. Nothing
  // when there is no such publication any more.
  std::optional<int64_t> Due(uint64_t n) const;

 private:
  double SecondsOf(double n) const;

  const double rate_;
  const uint64_t count_;
  const double seconds_;
  const double burst_;
  const double burst_from_;  // seconds
  const double burst_for_;
};

// Which channel each publication of a stream is for. Pure; the same numbers in every run.
class ChannelPicker {
 public:
  explicit ChannelPicker(const StreamOptions& stream);
  uint32_t Next();

 private:
  uint32_t Random();

  const Pick pick_;
  const uint32_t channels_;
  uint32_t next_ = 0;
  uint64_t state_ = 0x9E3779B97F4A7C15;
  // Zipf with exponent 1: the share of the channels up to each, in 1/2^32.
  std::vector<uint32_t> shares_;
};

}  // namespace spillway::load
