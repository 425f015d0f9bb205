#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/dialect/edge_event.h"

namespace spillway::edge {

// Reasons of gaps: part of the client protocol.
constexpr std::string_view kReset = "reset";
constexpr std::string_view kLimit = "limit";
// Where a gap ends of which nobody knows the end: the largest number that all clients can read.
constexpr int64_t kNoEnd = (int64_t{1} << 53) - 1;

// What the link thread took in from one batch of a link: posted once to every worker, immutable.
// The batch is the transaction: a worker takes the events and the progress in, in one turn.
struct EdgeBatch {
  struct Progress {
    SlotNumber slot;
    int64_t upto;
    // Of a record at or before `upto`, so far back; 0: unknown.
    uint16_t fingerprint = 0;
    uint64_t fingerprint_back = 0;
  };
  std::vector<Ref<EdgeEvent>> events;  // in offset order for each slot
  std::vector<Progress> progress;
};

// A position that a client showed; whether it is one of the topic as it is, is to be found out.
struct SlotClaim {
  SlotNumber slot = kNoSlot;
  int64_t offset = -1;
  uint16_t fingerprint = 0;  // of the record at `fingerprint_at`; 0: unknown
  int64_t fingerprint_at = -1;
};

enum class Verdict : uint8_t {
  kProven,
  kForeign,   // another record stands there, or the topic does not go so far
  kUnproven,  // it cannot be known
};

// The answer to Upstream::Read or Judge for some of the slots asked for.
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
  std::vector<Gap> gaps;          // history only
  std::vector<Verdict> verdicts;  // of claims: one for each of as_of
  bool complete = true;
  int64_t since_us = 0;
};

}  // namespace spillway::edge
