#include "tools/feed/feed.h"

#include <iterator>
#include <utility>

namespace spillway::feed {

Feed::Feed(const std::vector<std::string>& assessments, uint64_t seed) : market_(seed) {
  for (size_t i = 0; i < assessments.size(); ++i)
    assessments_.emplace_back(assessments[i], seed * 1000 + i + 1);
}

void Feed::Step(int64_t now_ms, std::vector<Message>* out) {
  const uint64_t place = step_++ % 20;
  if (place == 9 || place == 19) {
    out->push_back(market_.Odds(now_ms));
  } else if (place % 4 == 0 && !assessments_.empty()) {
    std::vector<Message> messages =
        assessments_[turns_++ % assessments_.size()].Step(market_, now_ms);
    std::move(messages.begin(), messages.end(), std::back_inserter(*out));
  } else {
    out->push_back(market_.Tick(ticks_++ % market_.symbols(), now_ms));
  }
}

std::vector<std::string> Feed::Topics() {
  return {"market-data.btc-ticks",        "market-data.eth-ticks",    "market-data.sol-ticks",
          "market-data.polymarket-ticks", "market-data.kalshi-ticks", "trading.order-filled",
          "trading.position-opened",      "trading.position-closed",  "assessment.created",
          "assessment.started",           "assessment.completed",     "assessment.balance-updated",
          "assessment.pnl-updated",       "rules.violation-detected", "rules.drawdown-checked"};
}

}  // namespace spillway::feed
