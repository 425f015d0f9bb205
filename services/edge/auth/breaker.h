#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace spillway::edge {

// Leaves a service alone that failed several times in a row: for a pause, after which one question
// is put, whose answer decides. Holds no lock: its owner has it.
class Breaker {
 public:
  struct Options {
    uint32_t failures = 5;  // in a row
    std::chrono::milliseconds pause{10'000};
  };
  enum class State : uint8_t { kClosed, kOpen, kProbing };

  explicit Breaker(const Options& options) : options_(options) {}

  // Whether a question may be put. If it may, OnGood(), OnFailure() or OnAbandoned() is to follow.
  bool Allow(MonoTime now);
  void OnGood();
  void OnFailure(MonoTime now);
  // The question was not put after all.
  void OnAbandoned();

  State state() const { return state_; }
  // Until a question may be put; zero: it may, or one is under way that decides.
  std::chrono::milliseconds Left(MonoTime now) const;

 private:
  const Options options_;
  State state_ = State::kClosed;
  uint32_t failures_ = 0;
  MonoTime until_;  // kOpen
};

}  // namespace spillway::edge
