#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/string_map.h"
#include "services/edge/hub/upstream.h"

namespace spillway::edge {

// Pieces of channels' history that were read lately, for others who missed the same: after an edge
// is lost, thousands come back to another one within seconds, a little apart, and its ring does not
// reach back that far. What is in Kafka does not change, so a piece stays true. Its events are
// shared, and so are their frames.
//
// Bounded by bytes and age; the oldest go. The link thread's.
class KeptHistories {
 public:
  using Offsets = std::vector<std::pair<SlotNumber, int64_t>>;
  using Result = std::shared_ptr<const EdgeReadResult>;
  struct Options {
    size_t bytes = 16 << 20;  // 0: none is kept
    std::chrono::milliseconds age{2'000};
  };

  explicit KeptHistories(const Options& options) : options_(options) {}

  // Whether who asks for what comes after `asked` gets, in the same slots, no less than he who asks
  // for what comes after `after`.
  static bool BeginsNoLater(const Offsets& asked, const Offsets& after);
  // Whether an answer to who asked for what comes after `asked` serves another as well: it begins
  // no later in any slot, and brings him on. Who takes it passes over what he has.
  static bool Serves(const Offsets& asked, const EdgeReadResult& result, const Offsets& after);
  // One that does; null: there is none.
  Result Find(std::string_view channel, const Offsets& after) const;
  void Keep(std::string channel, Offsets asked, Result result, MonoTime now);
  void Expire(MonoTime now);

  size_t bytes() const { return bytes_; }

 private:
  struct Piece {
    std::string channel;
    Offsets asked;
    Result result;
    size_t bytes = 0;
    MonoTime when;
  };

  void DropOldest();

  const Options options_;
  std::deque<std::shared_ptr<const Piece>> by_age_;
  StringMap<std::vector<std::shared_ptr<const Piece>>> by_channel_;
  size_t bytes_ = 0;
};

}  // namespace spillway::edge
