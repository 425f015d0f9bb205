#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/edge/dialect/edge_event.h"

namespace spillway::edge {

// What a lane holds until its next flush: of each key the latest event, in the order in which these
// arrived. An event that replaces an older one of its key takes the older one out and goes to the
// end, so that the offsets of a partition ascend. A tombstone is an event like others.
//
// A key is one of its slot, as in a snapshot, and in the lane of a pattern one of its channel:
// events of different partitions never replace each other, nor does an event that never was in
// Kafka replace one that was. Events without a key are all held.
//
// Every event taken in gets a mark that counts from 1 in each window (from one Clear to the next).
// A subscriber that enters with mark m has been given everything up to it by other means: held
// events with a larger mark are new to it.
//
// Pure: belongs to one worker's HubShard. Allocates only while it grows beyond what it ever held in
// a window; gives memory back when a window needed far less.
class Lane {
 public:
  struct Held {
    Ref<EdgeEvent> event;
    uint32_t channel_index = 0;  // of the lane's channel, in the event
    uint32_t mark = 0;

   private:
    friend class Lane;
    uint32_t hash_ = 0;
    uint32_t cell_ = kNone;  // in cells_; kNone: no key
    uint32_t before_ = kNone;
    uint32_t after_ = kNone;
  };

  // True if the event replaced an older one of its key, which nobody in the lane will get.
  bool Take(const Ref<EdgeEvent>& event, size_t channel_index);
  // Forgets everything and begins a new window.
  void Clear();

  // Visits what is held, in order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (uint32_t at = first_; at != kNone; at = entries_[at].after_) visit(entries_[at]);
  }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  // Sum of the held events' cost().
  size_t bytes() const { return bytes_; }
  // Of the last event taken in; 0 at the beginning of a window.
  uint32_t mark() const { return mark_; }
  // No further event may be taken in before Clear.
  bool out_of_marks() const { return mark_ == UINT32_MAX; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kKeptEntries = 64;  // smaller ones are never given back

  static bool SameKey(const Held& held, const EdgeEvent& event, size_t channel_index);
  uint32_t* FindCell(const EdgeEvent& event, size_t channel_index, uint32_t hash, Held** found);
  void Grow();
  void Append(uint32_t at);
  void Unlink(uint32_t at);

  std::vector<Held> entries_;  // one for each key, and for each event without one
  // Open addressing by hash: indices into entries_. A cell counts only if the entry that it names
  // names it too, so that nothing need be wiped when the entries go. Twice the entries at least.
  std::vector<uint32_t> cells_;
  uint32_t first_ = kNone;
  uint32_t last_ = kNone;
  uint32_t mark_ = 0;
  size_t bytes_ = 0;
};

}  // namespace spillway::edge
