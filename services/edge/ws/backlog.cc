#include "services/edge/ws/backlog.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "services/edge/ws/backlog_edit.h"

namespace spillway::edge::ws {
namespace {

// A frame that asks for room.
struct Request {
  size_t cost = 0;
  uint8_t queue = BacklogEdit::kNormal;
  BacklogChannel* channel = nullptr;  // null: nothing of its channel waits
  bool droppable = false;
  SlowPolicy slow = SlowPolicy::kDisconnect;
};

// Has events give way until there is room. Made for one Push().
class Room {
 public:
  Room(BacklogPool& pool, const BacklogLimits& limits, BacklogState& state)
      : counters_(pool.counters()), limits_(limits), state_(state), edit_(pool, state) {}

  // False: nothing more gives way to it.
  bool Make(const Request& request) {
    if (state_.messages + state_.gaps == 0) return true;
    if (request.droppable && request.cost > limits_.bytes) return false;  // dropping others is vain
    while (state_.bytes + request.cost > limits_.bytes || state_.messages >= limits_.messages) {
      if (YieldOne(request.queue + 1)) continue;
      if (request.droppable) {
        if (request.slow == SlowPolicy::kDropNewest) return false;
        if (request.channel != nullptr && request.channel->oldest != nullptr) {
          edit_.Drop(request.channel->oldest);
          counters_.dropped_oldest.Add();
          continue;
        }
      }
      if (!YieldOne(request.queue)) return false;
    }
    return true;
  }

  // Drops the oldest event of the least priority down from `queue`.
  bool YieldOne(int queue) {
    for (int i = BacklogEdit::kLow; i >= queue; --i) {
      if (BacklogNode* const oldest = state_.queues[static_cast<size_t>(i)].oldest;
          oldest != nullptr) {
        edit_.Drop(oldest);
        counters_.dropped_yielding.Add();
        return true;
      }
    }
    return false;
  }

  bool Has(size_t cost) const { return state_.bytes + cost <= limits_.bytes; }

 private:
  BacklogCounters& counters_;
  const BacklogLimits& limits_;
  BacklogState& state_;
  BacklogEdit edit_;
};

// Leaves a gap in place of an event that found no room.
bool Refuse(BacklogEdit& edit, Room& room, BacklogChannel* channel, const ChannelTraits& traits,
            const FrameMeta& event) {
  const uint8_t queue = channel != nullptr ? channel->queue : BacklogEdit::QueueOf(traits.priority);
  const size_t cost = Backlog::kNodeCost + (channel != nullptr ? 0 : Backlog::kChannelCost);
  // The gap may need room, too; and what gives way may leave one that this one belongs to.
  for (;;) {
    if (channel != nullptr && edit.ExtendLastGap(*channel, event)) return true;
    if (room.Has(cost)) break;
    if (!room.YieldOne(queue)) return false;
  }
  edit.AppendGap(channel != nullptr ? channel : edit.OpenChannel(traits), event);
  return true;
}

LostEvents LostIn(const BacklogNode& gap) {
  return {.slot = gap.slot, .from = gap.from, .to = gap.to, .count = gap.lost};
}

}  // namespace

Backlog::Backlog() = default;
Backlog::~Backlog() = default;

void Backlog::Open(BacklogPool& pool) {
  if (state_ != nullptr) return;
  state_ = pool.NewState();
  BacklogEdit(pool, *state_).AddBytes(kStateCost);
}

void Backlog::CloseIfEmpty(BacklogPool& pool) {
  if (messages() > 0 || state_ == nullptr) return;
  BacklogEdit(pool, *state_).SubtractBytes(kStateCost);
  pool.Free(std::move(state_));
}

bool Backlog::Push(BacklogPool& pool, const BacklogLimits& limits, const Frame& frame,
                   const ChannelTraits* traits) {
  Open(pool);
  BacklogEdit edit(pool, *state_);
  Room room(pool, limits, *state_);
  Request request{.cost = frame.bytes().size() + kNodeCost};
  if (traits == nullptr) {
    if (!room.Make(request)) return false;
    edit.Append(frame, request.queue, nullptr, false, 0);
    return true;
  }
  const FrameMeta meta = frame.meta();
  request.slow = traits->slow;
  request.droppable = meta.event && traits->slow != SlowPolicy::kDisconnect;
  const uint64_t key_hash =
      request.droppable && traits->slow == SlowPolicy::kConflate ? meta.key_hash : 0;
  if (key_hash != 0) request.cost += kKeyCost;
  BacklogChannel* channel = edit.FindChannel(*traits);
  if (channel == nullptr) {
    request.queue = BacklogEdit::QueueOf(traits->priority);
    request.cost += kChannelCost;
  } else {
    request.queue = channel->queue;
    if (channel->traits.get() != traits) channel->traits = Ref<const ChannelTraits>(traits);
    if (BacklogNode* const older = key_hash == 0 ? nullptr : edit.FindKey(*channel, key_hash);
        older != nullptr) {
      // Who has just asked for less was promised each event of before.
      if (traits->silent && older->silent) {
        edit.Remove(older);
      } else {
        edit.Drop(older);
      }
      pool.counters().conflated.Add();
    }
  }
  request.channel = channel;
  bool taken = room.Make(request);
  if (taken) {
    if (channel == nullptr) channel = edit.OpenChannel(*traits);
    BacklogNode* const node =
        edit.Append(frame, channel->queue, channel, request.droppable, key_hash);
    node->silent = traits->silent;
  } else if (request.droppable) {
    taken = Refuse(edit, room, channel, *traits, meta);
    if (taken) {
      (traits->slow == SlowPolicy::kDropNewest ? pool.counters().dropped_newest
                                               : pool.counters().dropped_yielding)
          .Add();
    }
  }
  edit.CloseIfUnused(channel);
  return taken;
}

void Backlog::PushLast(BacklogPool& pool, const Frame& frame) {
  Open(pool);
  BacklogEdit(pool, *state_).Append(frame, BacklogEdit::kLast, nullptr, false, 0);
}

void Backlog::PushStarted(BacklogPool& pool, const Frame& frame, size_t sent) {
  Open(pool);
  BacklogEdit(pool, *state_).SetStarted(frame, sent);
}

size_t Backlog::Gather(BacklogPool& pool, const BacklogLimits& limits, GapFrames& gaps, iovec* out,
                       size_t max) {
  if (state_ == nullptr) return 0;
  size_t count = 0;
  size_t size = 0;
  const auto add = [&](std::string_view bytes) {
    out[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
    size += bytes.size();
  };
  if (state_->started != nullptr) {
    add(state_->started->frame->bytes().substr(state_->started_sent));
  }
  BacklogEdit edit(pool, *state_);
  for (BacklogState::Queue& queue : state_->queues) {
    for (BacklogNode* node = queue.head; node != nullptr;) {
      if (count == max || size >= kGatherBytes) return count;
      BacklogNode* const next = node->next;
      if (!node->is_gap()) {
        add(node->frame->bytes());
      } else if (Ref<Frame> frame = gaps.MakeGap(*node->channel->traits, LostIn(*node)); !frame) {
        edit.Release(node);
      } else {
        if (count > 0 && state_->bytes + frame->bytes().size() > limits.bytes) return count;
        edit.Fill(node, std::move(frame));
        pool.counters().gaps.Add();
        add(node->frame->bytes());
      }
      node = next;
    }
  }
  if (count == 0) CloseIfEmpty(pool);
  return count;
}

size_t Backlog::Consume(BacklogPool& pool, size_t bytes, bool begun) {
  if (state_ == nullptr) return 0;
  BacklogEdit edit(pool, *state_);
  size_t finished = 0;
  while (bytes > 0) {
    BacklogNode* const front = state_->started != nullptr ? state_->started : edit.Front();
    const size_t sent = state_->started != nullptr ? state_->started_sent : 0;
    const size_t left = front->frame->bytes().size() - sent;
    if (bytes < left) {
      if (state_->started == nullptr) edit.Begin(front);
      edit.Advance(bytes);
      break;
    }
    bytes -= left;
    finished += front->frame->handshake() ? 0 : 1;
    if (state_->started != nullptr) {
      edit.FinishStarted();
    } else {
      edit.Release(front);
    }
  }
  if (begun && state_->started == nullptr) {
    if (BacklogNode* const front = edit.Front(); front != nullptr && !front->is_gap()) {
      edit.Begin(front);
    }
  }
  CloseIfEmpty(pool);
  return finished;
}

void Backlog::DropUnstarted(BacklogPool& pool) {
  if (state_ == nullptr) return;
  BacklogEdit edit(pool, *state_);
  for (const uint8_t queue : {BacklogEdit::kHigh, BacklogEdit::kNormal, BacklogEdit::kLow}) {
    while (BacklogNode* const node = state_->queues[queue].head) edit.Release(node);
  }
  CloseIfEmpty(pool);
}

void Backlog::Clear(BacklogPool& pool) {
  DropUnstarted(pool);
  if (state_ == nullptr) return;
  BacklogEdit edit(pool, *state_);
  while (BacklogNode* const node = state_->queues[BacklogEdit::kLast].head) edit.Release(node);
  if (state_->started != nullptr) edit.FinishStarted();
  CloseIfEmpty(pool);
}

}  // namespace spillway::edge::ws
