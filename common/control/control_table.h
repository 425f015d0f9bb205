#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "common/base/clock.h"
#include "common/control/control_entry.h"

namespace spillway::control {

// The control state: of each key the latest entry, in force, lifted or over. What is merged into it
// may come in any order and several times. Entries that are over are remembered for a while, so
// that an older one which comes late does not count again.
//
// A pure state machine; the caller guards it.
class ControlTable {
 public:
  struct Options {
    size_t max_entries = 100'000;  // in force; others that are remembered: as many again
    // An entry that has ended is remembered so long after its end.
    std::chrono::hours memory{1};
  };
  enum class Merged {
    kTaken,  // it is the state of its key now
    kKnown,  // the state of its key is this one, or a later one
    kOver,   // it had ended so long ago that it was not kept; an earlier one of its key is gone
    kFull,   // no room: it is not in force here
  };

  explicit ControlTable(Options options) : options_(options) {}

  // The entry was found to be as Check() wants it.
  Merged Merge(const v1::ControlEntry& entry, WallTime now);
  // The state of a key, whatever it is; null if nothing is known. Valid until the next change.
  const v1::ControlEntry* Find(v1::ControlKind kind, std::string_view subject) const;
  // Those whose end has come, each once; and forgets what is over for long.
  std::vector<v1::ControlEntry> TakeEnded(WallTime now);

  void ForEach(const std::function<void(const v1::ControlEntry&)>& visit) const;
  // In force, and lifted or over.
  size_t live() const { return live_; }
  size_t remembered() const { return entries_.size() - live_; }
  // Of those that were lifted or over, forgotten at the bound.
  uint64_t forgotten() const { return forgotten_; }

 private:
  struct State {
    v1::ControlEntry entry;
    bool live = false;
    int64_t due_us = 0;  // when to look at it again; 0: never
  };
  using States = absl::node_hash_map<std::string, State>;
  using Due = std::set<std::pair<int64_t, const std::string*>>;

  void Erase(States::iterator state);
  void SetDue(States::iterator state, int64_t due_us);
  void Remember(States::iterator state);

  const Options options_;
  States entries_;
  Due live_due_;  // ends of those in force
  Due over_due_;  // when the others are forgotten
  size_t live_ = 0;
  uint64_t forgotten_ = 0;
};

}  // namespace spillway::control
