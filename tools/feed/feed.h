#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/feed/assessment.h"
#include "tools/feed/market.h"

namespace spillway::feed {

// The preset "assessment": the mix of market and trading events. Pure and seeded; one thread.
class Feed {
 public:
  Feed(const std::vector<std::string>& assessments, uint64_t seed);

  // Appends the messages of one step (one to a handful). Of 20 steps, 13 are ticks of the coins, 2
  // are odds, and 5 belong to the assessments in turn.
  void Step(int64_t now_ms, std::vector<Message>* out);

  // Every topic that Step may use.
  static std::vector<std::string> Topics();

 private:
  Market market_;
  std::vector<Assessment> assessments_;
  uint64_t step_ = 0;
  uint64_t ticks_ = 0;
  uint64_t turns_ = 0;
};

}  // namespace spillway::feed
