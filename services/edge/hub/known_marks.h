#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/edge/dialect/edge_event.h"

namespace spillway::edge {

// The record that stands at an offset, by its fingerprint; 0: none is known.
struct Mark {
  int64_t at = -1;
  uint16_t fingerprint = 0;
};

// Which records stand where, as far as a worker has told its clients or was told of positions they
// showed: most who come back show one of these, and nobody need be asked. A few for each slot, the
// latest added. Plain data; one thread.
class KnownMarks {
 public:
  static constexpr size_t kKept = 64;  // for each slot

  void Add(SlotNumber slot, const Mark& mark) {
    if (mark.fingerprint == 0) return;
    if (slot >= slots_.size()) slots_.resize(slot + 1);
    OfSlot& of = slots_[slot];
    if (Find(slot, mark.at).has_value()) return;
    if (of.marks.size() < kKept) {
      of.marks.push_back(mark);
      return;
    }
    of.marks[of.oldest] = mark;
    of.oldest = (of.oldest + 1) % kKept;
  }
  // The fingerprint of the record at `at`.
  std::optional<uint16_t> Find(SlotNumber slot, int64_t at) const {
    if (slot >= slots_.size()) return std::nullopt;
    for (const Mark& mark : slots_[slot].marks) {
      if (mark.at == at) return mark.fingerprint;
    }
    return std::nullopt;
  }
  void Forget(SlotNumber slot) {
    if (slot < slots_.size()) slots_[slot] = OfSlot();
  }

 private:
  struct OfSlot {
    std::vector<Mark> marks;
    size_t oldest = 0;
  };
  std::vector<OfSlot> slots_;
};

}  // namespace spillway::edge
