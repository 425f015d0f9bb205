#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/edge/hub/edge_batch.h"

namespace spillway::edge {

// Reading a channel's history for an operator: piece by piece, as for a client that comes back, and
// with the same calls.

// Where such a reading is in one source ("topic/partition@incarnation"): everything up to `after`
// was read, and it ends with `until`.
struct HistoryPlace {
  std::string source;
  int64_t after = -1;
  int64_t until = -1;
  // Set by the answer.
  SlotNumber slot = kNoSlot;  // kNoSlot: there is no such source any more
};

struct HistoryAsk {
  std::string channel;
  // Where to go on; empty: all sources that feed the channel, `back` offsets before what this edge
  // has taken in, up to that.
  std::vector<HistoryPlace> places;
  int64_t back = 0;
};

struct HistoryAnswer {
  enum class Outcome {
    kRead,
    kNotFed,    // no route feeds the channel
    kUnknown,   // it is not known yet what does
    kBusy,      // as many are being read as may be
    kFailed,    // it could not be read in time
    kStopping,  // the node is
  };
  Outcome outcome = Outcome::kRead;
  std::vector<HistoryPlace> places;  // as they were asked for, by source
  // Of places that are not over: together they cover each once.
  std::vector<std::shared_ptr<const EdgeReadResult>> results;
};

// Called once, on any thread; must not block.
using HistoryDone = std::function<void(HistoryAnswer answer)>;

}  // namespace spillway::edge
