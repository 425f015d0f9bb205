#include "tools/feed/market.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"

namespace spillway::feed {

std::string Decimal(double value, int digits) { return absl::StrFormat("%.*f", digits, value); }

Market::Market(uint64_t seed)
    : random_(seed),
      symbols_{{"btc", "BTC-USD", 97'350.0, 97'350.0, 0.00016, 0.00004, 2},
               {"eth", "ETH-USD", 3'412.0, 3'412.0, 0.00022, 0.00008, 2},
               {"sol", "SOL-USD", 184.5, 184.5, 0.00035, 0.00015, 3}},
      events_{{"polymarket", "fed-cut-march", "Will the Fed cut rates in March?", 0.62},
              {"kalshi", "CPI-ABOVE-3", "CPI above 3 % this month?", 0.31},
              {"polymarket", "btc-120k-eoy", "Bitcoin above 120k at year's end?", 0.27},
              {"kalshi", "NYC-RAIN", "Rain in New York tomorrow?", 0.48}} {}

Message Market::Tick(size_t symbol, int64_t now_ms) {
  Symbol& s = symbols_[symbol];
  // The pull keeps a walk of days near where it began.
  s.price *= std::exp(s.volatility * Normal() + 0.00002 * std::log(s.start / s.price));
  const double half = s.price * s.spread * (0.75 + 0.25 * std::abs(Normal())) / 2;
  const double volume = std::exp(0.9 * Normal()) * 12'000.0 / s.price;
  const double change = (s.price / s.start - 1) * 100;
  return {absl::StrCat("market-data.", Abs(s.coin), "-ticks"), std::string(s.name),
          absl::StrCat(
              "{\"symbol\":", JsonString(s.name), ",\"price\":", Decimal(s.price, s.digits),
              ",\"bid\":", Decimal(s.price - half, s.digits),
              ",\"ask\":", Decimal(s.price + half, s.digits), ",\"volume\":", Decimal(volume, 4),
              ",\"change\":", Decimal(change, 3), ",\"timestamp\":", now_ms, "}")};
}

Message Market::Odds(int64_t now_ms) {
  Event& e = events_[next_event_];
  next_event_ = (next_event_ + 1) % events_.size();
  const double odds = std::log(e.probability / (1 - e.probability)) + 0.04 * Normal();
  e.probability = std::clamp(1 / (1 + std::exp(-odds)), 0.02, 0.98);
  return {absl::StrCat("market-data.", Abs(e.source), "-ticks"), std::string(e.id),
          absl::StrCat("{\"symbol\":", JsonString(e.id), ",\"question\":", JsonString(e.question),
                       ",\"price\":", Decimal(e.probability, 4),
                       ",\"bid\":", Decimal(e.probability - 0.005, 4),
                       ",\"ask\":", Decimal(e.probability + 0.005, 4), ",\"volume\":",
                       Decimal(std::exp(1.1 * Normal()) * 350, 2), ",\"timestamp\":", now_ms, "}")};
}

}  // namespace spillway::feed
