#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "services/edge/hub/ring_queue.h"

namespace spillway::edge {

// What one connection was sent and has not acknowledged, from its first acknowledgement on: how
// many events, and since when. Only connections that acknowledge have one.
//
// Bounded: of kMost events in all it knows the times. What is sent beyond is only counted, and
// stays counted until the last that was sent of its slot is acknowledged. Belongs to the session,
// on its thread. Memory grows to what is waited for.
class AckTracker {
 public:
  static constexpr size_t kMost = 1024;

  // A live event of a channel (by ChannelHash) was queued for the connection.
  void OnSent(uint64_t channel, uint32_t slot, int64_t offset, MonoTime now);
  // The client has everything of the channel in this slot up to `offset`; what is beyond the last
  // that was sent counts as that. Never goes back.
  void OnAck(uint64_t channel, uint32_t slot, int64_t offset);
  // The subscription is over.
  void Forget(uint64_t channel);

  // Events sent and not acknowledged; their oldest. At the bound the number may be too high.
  size_t events() const { return events_; }
  std::optional<MonoTime> oldest() const;
  // Nothing was acknowledged of it: no value.
  std::optional<int64_t> AckedOf(uint64_t channel, uint32_t slot) const;

 private:
  struct Waiting {
    int64_t offset = 0;
    MonoTime sent;
  };
  struct Stream {  // a channel's events of one slot
    std::optional<int64_t> acked;
    int64_t last_sent = -1;
    size_t uncounted = 0;  // sent after `waiting` had no room
    RingQueue<Waiting> waiting;
  };
  using Key = std::pair<uint64_t, uint32_t>;

  void Clear(Stream* stream);

  absl::flat_hash_map<Key, Stream> streams_;
  size_t events_ = 0;
  size_t timed_ = 0;  // elements of all `waiting`
};

}  // namespace spillway::edge
