#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tools/feed/market.h"

namespace spillway::feed {

// One trader under assessment: opens and closes positions at the market's prices, and is judged by
// profit, balance and drawdown. When it is over, a new run of the same assessment begins. Pure;
// belongs with its market to one thread.
class Assessment {
 public:
  Assessment(std::string id, uint64_t seed);

  // What happens next: one to three messages (an order that fills opens or closes a position and
  // moves the balance). The first ones are assessment.created and assessment.started.
  std::vector<Message> Step(const Market& market, int64_t now_ms);

 private:
  struct Position {
    std::string id;
    size_t symbol;
    bool is_long;
    double quantity;
    double entry;
  };

  Message Make(const char* topic, int64_t now_ms, const std::string& fields) const;
  std::vector<Message> Begin(int64_t now_ms);
  std::vector<Message> End(const Market& market, int64_t now_ms, bool passed);
  std::vector<Message> Open(const Market& market, int64_t now_ms);
  std::vector<Message> Close(const Market& market, int64_t now_ms, size_t index);
  Message Fill(const Market& market, int64_t now_ms, const Position& position, bool opening);
  Message Pnl(const Market& market, int64_t now_ms) const;
  Message Balance(const Market& market, int64_t now_ms) const;
  std::vector<Message> CheckRules(const Market& market, int64_t now_ms);

  double Uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  double Profit(const Market& market, const Position& position) const;
  double Unrealised(const Market& market) const;
  double Equity(const Market& market) const { return balance_ + Unrealised(market); }

  const std::string id_;
  std::mt19937_64 random_;
  bool running_ = false;
  int run_ = 0;
  int steps_ = 0;
  int orders_ = 0;
  int violations_ = 0;
  double balance_ = 0;
  double peak_ = 0;
  std::vector<Position> positions_;
};

}  // namespace spillway::feed
