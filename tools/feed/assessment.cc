#include "tools/feed/assessment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"

namespace spillway::feed {
namespace {

constexpr double kStartBalance = 100'000;
constexpr double kProfitTarget = 0.08;
constexpr double kMaxDrawdown = 0.10;
constexpr double kDailyLossLimit = 0.004;  // low, so that a violation is seen now and then
constexpr int kStepsPerRun = 1200;
constexpr size_t kMaxPositions = 4;

const char* Side(bool buys) { return buys ? "buy" : "sell"; }

}  // namespace

Assessment::Assessment(std::string id, uint64_t seed) : id_(std::move(id)), random_(seed) {}

Message Assessment::Make(const char* topic, int64_t now_ms, const std::string& fields) const {
  return {
      topic, id_,
      absl::StrCat("{\"assessmentId\":", JsonString(id_), fields, ",\"timestamp\":", now_ms, "}")};
}

std::vector<Message> Assessment::Step(const Market& market, int64_t now_ms) {
  if (!running_) return Begin(now_ms);
  ++steps_;
  peak_ = std::max(peak_, Equity(market));
  if (Equity(market) > kStartBalance * (1 + kProfitTarget)) return End(market, now_ms, true);
  if (steps_ >= kStepsPerRun) return End(market, now_ms, false);
  const double dice = Uniform();
  if (dice < 0.10 && positions_.size() < kMaxPositions) return Open(market, now_ms);
  if (dice < 0.18 && !positions_.empty())
    return Close(market, now_ms,
                 static_cast<size_t>(Uniform() * 0.999 * static_cast<double>(positions_.size())));
  if (dice < 0.30) return CheckRules(market, now_ms);
  if (dice < 0.38) return {Balance(market, now_ms)};
  return {Pnl(market, now_ms)};
}

std::vector<Message> Assessment::Begin(int64_t now_ms) {
  running_ = true;
  ++run_;
  steps_ = 0;
  violations_ = 0;
  balance_ = kStartBalance;
  peak_ = kStartBalance;
  positions_.clear();
  const std::string about =
      absl::StrCat(",\"run\":", run_, ",\"initialBalance\":", Decimal(kStartBalance, 2));
  return {Make("assessment.created", now_ms,
               absl::StrCat(about,
                            ",\"status\":\"created\",\"profitTarget\":", Decimal(kProfitTarget, 2),
                            ",\"maxDrawdown\":", Decimal(kMaxDrawdown, 2))),
          Make("assessment.started", now_ms, absl::StrCat(about, ",\"status\":\"active\""))};
}

std::vector<Message> Assessment::End(const Market& market, int64_t now_ms, bool passed) {
  std::vector<Message> out;
  while (!positions_.empty()) {
    std::vector<Message> closing = Close(market, now_ms, positions_.size() - 1);
    std::move(closing.begin(), closing.end(), std::back_inserter(out));
  }
  out.push_back(Make(
      "assessment.completed", now_ms,
      absl::StrCat(",\"run\":", run_, ",\"status\":\"", passed ? "passed" : "ended",
                   "\",\"finalBalance\":", Decimal(balance_, 2), ",\"violations\":", violations_)));
  running_ = false;
  return out;
}

Message Assessment::Fill(const Market& market, int64_t now_ms, const Position& position,
                         bool opening) {
  ++orders_;
  return Make("trading.order-filled", now_ms,
              absl::StrCat(",\"orderId\":", JsonString(absl::StrCat(id_, "-o", orders_)),
                           ",\"positionId\":", JsonString(position.id), ",\"symbol\":\"",
                           std::string(market.symbol(position.symbol)), "\",\"side\":\"",
                           Side(opening == position.is_long),
                           "\",\"quantity\":", Decimal(position.quantity, 6),
                           ",\"price\":", Decimal(market.price(position.symbol), 3)));
}

std::vector<Message> Assessment::Open(const Market& market, int64_t now_ms) {
  Position position;
  position.symbol = static_cast<size_t>(Uniform() * 0.999 * static_cast<double>(market.symbols()));
  position.id = absl::StrCat(id_, "-p", run_, "-", steps_);
  position.is_long = Uniform() < 0.55;
  position.entry = market.price(position.symbol);
  position.quantity = (5'000 + 20'000 * Uniform()) / position.entry;
  std::vector<Message> out{Fill(market, now_ms, position, true)};
  out.push_back(Make("trading.position-opened", now_ms,
                     absl::StrCat(",\"positionId\":", JsonString(position.id), ",\"symbol\":\"",
                                  std::string(market.symbol(position.symbol)), "\",\"side\":\"",
                                  position.is_long ? "long" : "short",
                                  "\",\"quantity\":", Decimal(position.quantity, 6),
                                  ",\"entryPrice\":", Decimal(position.entry, 3))));
  positions_.push_back(std::move(position));
  return out;
}

std::vector<Message> Assessment::Close(const Market& market, int64_t now_ms, size_t index) {
  const Position position = positions_[index];
  positions_.erase(positions_.begin() + static_cast<std::ptrdiff_t>(index));
  const double profit = Profit(market, position);
  balance_ += profit;
  return {Fill(market, now_ms, position, false),
          Make("trading.position-closed", now_ms,
               absl::StrCat(",\"positionId\":", JsonString(position.id), ",\"symbol\":\"",
                            std::string(market.symbol(position.symbol)),
                            "\",\"exitPrice\":", Decimal(market.price(position.symbol), 3),
                            ",\"realizedPnl\":", Decimal(profit, 2))),
          Balance(market, now_ms)};
}

double Assessment::Profit(const Market& market, const Position& position) const {
  const double move = market.price(position.symbol) - position.entry;
  return (position.is_long ? move : -move) * position.quantity;
}

double Assessment::Unrealised(const Market& market) const {
  double sum = 0;
  for (const Position& position : positions_) sum += Profit(market, position);
  return sum;
}

Message Assessment::Pnl(const Market& market, int64_t now_ms) const {
  const double open = Unrealised(market);
  return Make("assessment.pnl-updated", now_ms,
              absl::StrCat(",\"realizedPnl\":", Decimal(balance_ - kStartBalance, 2),
                           ",\"unrealizedPnl\":", Decimal(open, 2),
                           ",\"totalPnl\":", Decimal(balance_ - kStartBalance + open, 2),
                           ",\"openPositions\":", positions_.size()));
}

Message Assessment::Balance(const Market& market, int64_t now_ms) const {
  return Make("assessment.balance-updated", now_ms,
              absl::StrCat(",\"balance\":", Decimal(balance_, 2), ",\"equity\":",
                           Decimal(Equity(market), 2), ",\"peakEquity\":", Decimal(peak_, 2)));
}

std::vector<Message> Assessment::CheckRules(const Market& market, int64_t now_ms) {
  const double drawdown = std::max(0.0, 1 - Equity(market) / peak_);
  std::vector<Message> out{
      Make("rules.drawdown-checked", now_ms,
           absl::StrCat(",\"rule\":\"max_drawdown\",\"drawdown\":", Decimal(drawdown, 5),
                        ",\"limit\":", Decimal(kMaxDrawdown, 2), ",\"status\":\"",
                        drawdown > kMaxDrawdown       ? "violated"
                        : drawdown > kMaxDrawdown / 2 ? "warning"
                                                      : "ok",
                        "\""))};
  if (drawdown > kDailyLossLimit && Uniform() < 0.25) {
    ++violations_;
    out.push_back(Make(
        "rules.violation-detected", now_ms,
        absl::StrCat(
            ",\"rule\":\"daily_loss\",\"severity\":\"warning\",\"value\":", Decimal(drawdown, 5),
            ",\"limit\":", Decimal(kDailyLossLimit, 4), ",\"count\":", violations_)));
  }
  return out;
}

}  // namespace spillway::feed
