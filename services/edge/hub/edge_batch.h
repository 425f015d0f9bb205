#pragma once

#include <memory>
#include <vector>

#include "services/edge/dialect/edge_event.h"

namespace spillway::edge {

// What the link thread took in from one batch of a link: posted once to every worker, immutable.
// The batch is the transaction: a worker takes the events and the progress in, in one turn.
struct EdgeBatch {
  struct Progress {
    SlotNumber slot;
    int64_t upto;
    uint16_t fingerprint;
  };
  std::vector<Ref<EdgeEvent>> events;  // in offset order for each slot
  std::vector<Progress> progress;
};

// The answer to Upstream::Read for some of the slots asked for.
struct EdgeReadResult {
  bool failed = false;  // could not be read within its time
  std::vector<Ref<EdgeEvent>> events;
  std::vector<EdgeBatch::Progress> as_of;  // one for each slot of this answer
  struct Gap {
    SlotNumber slot;
    int64_t from;
    int64_t to;
    std::string reason;
  };
  std::vector<Gap> gaps;  // history only
  bool complete = true;
  int64_t since_us = 0;
};

}  // namespace spillway::edge
