#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::feed {

// What goes to Kafka.
struct Message {
  std::string topic;
  std::string key;
  std::string value;  // JSON
};

// A made-up market: prices of a few symbols as geometric random walks that pull back to where they
// began, with spreads and volumes, and the odds of a few events. Pure: the same seed gives the same
// numbers. One thread.
class Market {
 public:
  explicit Market(uint64_t seed);

  size_t symbols() const { return symbols_.size(); }
  std::string_view symbol(size_t i) const { return symbols_[i].name; }
  double price(size_t i) const { return symbols_[i].price; }

  // The next tick of a symbol on market-data.<coin>-ticks.
  Message Tick(size_t symbol, int64_t now_ms);
  // The next odds from polymarket or kalshi.
  Message Odds(int64_t now_ms);

 private:
  struct Symbol {
    std::string_view coin;
    std::string_view name;
    double start;
    double price;
    double volatility;  // per tick
    double spread;      // share of the price
    int digits;
  };
  struct Event {
    std::string_view source;
    std::string_view id;
    std::string_view question;
    double probability;
  };

  double Normal() { return normal_(random_); }

  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::vector<Symbol> symbols_;
  std::vector<Event> events_;
  size_t next_event_ = 0;
};

// Shortest form with `digits` decimals, "." always.
std::string Decimal(double value, int digits);

}  // namespace spillway::feed
