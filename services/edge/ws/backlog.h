#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "services/edge/frame/channel_traits.h"
#include "services/edge/frame/frame.h"
#include "services/edge/session/transport.h"
#include "services/edge/ws/backlog_pool.h"

namespace spillway::edge::ws {

struct BacklogLimits {
  // Of the frames that wait, as if each were this connection's alone, and of what keeps them.
  size_t bytes = 1024 * 1024;
  size_t messages = 4096;  // frames; gaps count by their bytes
};

// Makes the frame of a gap. Null: it cannot be told any more.
class GapFrames {
 public:
  virtual ~GapFrames() = default;
  virtual Ref<Frame> MakeGap(const ChannelTraits& channel, const LostEvents& lost) = 0;
};

// What the kernel did not take yet of one connection, and what may be left out of it.
//
// Order: channels of high priority before those of normal before those of low; within a priority as
// it came; a frame that was begun before all. A frame without a channel has normal priority; the
// close frame comes last.
//
// Room: events of a channel that conflates replace the one of their key that waits; that one is
// told as a gap, unless both are of silent traits. When a frame finds no room, events give way that
// may be dropped and whose priority is not higher than its own: those of lower priority first, the
// oldest of the lowest before all; then, for an event of a dropping channel, that channel's own
// oldest, or itself (drop newest); then the oldest of its own priority. What may be dropped are
// events of channels whose policy is not `disconnect`. Everything else, and what was begun, stays.
//
// Gaps: where an event was dropped a gap stands, before whatever comes later of its channel. Gaps
// of one slot with no frame of their channel between them become one. A gap becomes a frame when it
// is about to be sent.
//
// Every operation takes constant time, but for the gaps next to each other in a channel, at most
// one for each slot. Holds memory only while something waits: empty it is one pointer. Belongs to
// one connection, on its thread.
class Backlog {
 public:
  Backlog();
  ~Backlog();  // after Clear()
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  bool empty() const { return state_ == nullptr; }
  // Frames and gaps.
  size_t messages() const { return state_ == nullptr ? 0 : state_->messages + state_->gaps; }
  size_t gaps() const { return state_ == nullptr ? 0 : state_->gaps; }
  size_t bytes() const { return state_ == nullptr ? 0 : state_->bytes; }
  // Since when it has not been empty, as told by set_since(); not of an empty one.
  MonoTime since() const { return state_->since; }
  void set_since(MonoTime now) { state_->since = now; }

  // Queues a frame; `traits`: of its channel, null: it has none. One frame is taken whatever its
  // size while nothing else waits. False: there is no room for it, and nothing that may give way to
  // it or to the gap in its place; the connection can but be closed.
  bool Push(BacklogPool& pool, const BacklogLimits& limits, const Frame& frame,
            const ChannelTraits* traits);
  // Behind everything, whatever the bound.
  void PushLast(BacklogPool& pool, const Frame& frame);
  // Before everything, whatever the bound: `sent` bytes of it left already. To an empty one only.
  void PushStarted(BacklogPool& pool, const Frame& frame, size_t sent);

  // Describes up to `max` pieces from the front, about kGatherBytes in all. Gaps among them become
  // frames: of those only the first may pass the bound. Nothing: nothing waits any more.
  size_t Gather(BacklogPool& pool, const BacklogLimits& limits, GapFrames& gaps, iovec* out,
                size_t max);
  // `bytes` of what Gather described left. Returns how many frames were finished by that. What now
  // comes first stays first, whatever is queued later, if `begun`: the stream below may have begun
  // it.
  size_t Consume(BacklogPool& pool, size_t bytes, bool begun);

  // Drops what was not begun, without a trace, but for the close frame.
  void DropUnstarted(BacklogPool& pool);
  void Clear(BacklogPool& pool);

  static constexpr size_t kGatherBytes = 256 * 1024;
  // What is counted of a frame beside its bytes.
  static constexpr size_t kNodeCost = sizeof(BacklogNode);
  static constexpr size_t kKeyCost = BacklogIndex<BacklogNode>::kCostEach;
  static constexpr size_t kChannelCost =
      sizeof(BacklogChannel) + BacklogIndex<BacklogChannel>::kCostEach;
  static constexpr size_t kStateCost =
      sizeof(BacklogState) + 2 * BacklogIndex<BacklogNode>::kLeast * sizeof(void*);

 private:
  void Open(BacklogPool& pool);
  void CloseIfEmpty(BacklogPool& pool);

  std::unique_ptr<BacklogState> state_;
};

}  // namespace spillway::edge::ws
