#pragma once

#include <cstddef>
#include <cstdint>

#include "services/edge/frame/channel_traits.h"
#include "services/edge/frame/frame.h"
#include "services/edge/ws/backlog.h"
#include "services/edge/ws/backlog_pool.h"

namespace spillway::edge::ws {

// The steps that a Backlog's operations are made of: each leaves queues, channel lists, indices,
// marks of the oldest and sums of a state consistent. Knows nothing of policies and bounds. Made
// for one operation.
class BacklogEdit {
 public:
  // The queues, in the order in which they leave.
  static constexpr uint8_t kHigh = 0;
  static constexpr uint8_t kNormal = 1;
  static constexpr uint8_t kLow = 2;
  static constexpr uint8_t kLast = 3;
  static uint8_t QueueOf(Priority priority);

  BacklogEdit(BacklogPool& pool, BacklogState& state) : pool_(pool), state_(state) {}

  BacklogChannel* FindChannel(const ChannelTraits& traits) const;
  BacklogChannel* OpenChannel(const ChannelTraits& traits);
  void CloseIfUnused(BacklogChannel* channel);
  // The event of the key that waits.
  BacklogNode* FindKey(const BacklogChannel& channel, uint64_t key_hash) const;

  // Appends a frame. `channel`: null for one of none. An event that may be dropped has `droppable`,
  // one that a newer of its key may replace `key_hash`, too.
  BacklogNode* Append(const Frame& frame, uint8_t queue, BacklogChannel* channel, bool droppable,
                      uint64_t key_hash);
  // Adds an event that is not queued to the gap at the end of its channel; false: there is none of
  // its slot.
  bool ExtendLastGap(const BacklogChannel& channel, const FrameMeta& event);
  void AppendGap(BacklogChannel* channel, const FrameMeta& event);

  // Turns an event into a gap.
  void Drop(BacklogNode* node);
  // Takes an event out without a trace. Its channel stays, also without content.
  void Remove(BacklogNode* node);

  // A gap becomes a frame.
  void Fill(BacklogNode* gap, Ref<Frame> frame);
  // What comes first in the queues; null: nothing.
  BacklogNode* Front() const;
  // Takes it out of its queue to be finished before all.
  void Begin(BacklogNode* node);
  void SetStarted(const Frame& frame, size_t sent);
  // So many bytes of what was begun left.
  void Advance(size_t bytes);
  void FinishStarted();
  // Ends a node of a queue.
  void Release(BacklogNode* node);

  void AddBytes(size_t bytes);
  void SubtractBytes(size_t bytes);

 private:
  void Count(const BacklogNode& node);
  void Uncount(const BacklogNode& node);
  void Link(BacklogNode* node, uint8_t queue, BacklogChannel* channel);
  // Out of queue, channel and index.
  void Unlink(BacklogNode* node);
  void Unmark(BacklogNode* node);
  void Unindex(BacklogNode* node);
  void FreeGap(BacklogNode* node);
  void JoinRuns(BacklogNode* left, BacklogNode* right);

  BacklogPool& pool_;
  BacklogState& state_;
};

}  // namespace spillway::edge::ws
