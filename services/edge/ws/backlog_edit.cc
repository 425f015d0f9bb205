#include "services/edge/ws/backlog_edit.h"

#include <algorithm>
#include <utility>

namespace spillway::edge::ws {
namespace {

void Merge(BacklogNode* into, const BacklogNode& gap) {
  into->from = std::min(into->from, gap.from);
  into->to = std::max(into->to, gap.to);
  into->lost += gap.lost;
}

bool IsGapOf(const BacklogNode& node, uint32_t slot) { return node.is_gap() && node.slot == slot; }

// The gap of the slot among those that end with `last`, nothing between them.
BacklogNode* FindGap(BacklogNode* last, uint32_t slot) {
  for (BacklogNode* node = last; node != nullptr && node->is_gap(); node = node->channel_previous) {
    if (IsGapOf(*node, slot)) return node;
  }
  return nullptr;
}

}  // namespace

uint8_t BacklogEdit::QueueOf(Priority priority) {
  switch (priority) {
    case Priority::kHigh:
      return kHigh;
    case Priority::kLow:
      return kLow;
    case Priority::kNormal:
      break;
  }
  return kNormal;
}

// --- Channels and keys

BacklogChannel* BacklogEdit::FindChannel(const ChannelTraits& traits) const {
  return state_.channels.Find(traits.hash, [&](const BacklogChannel& channel) {
    return channel.traits.get() == &traits || channel.traits->name == traits.name;
  });
}

BacklogChannel* BacklogEdit::OpenChannel(const ChannelTraits& traits) {
  BacklogChannel* const channel = pool_.NewChannel();
  channel->traits = Ref<const ChannelTraits>(&traits);
  channel->queue = QueueOf(traits.priority);
  state_.channels.Insert(channel);
  AddBytes(Backlog::kChannelCost);
  return channel;
}

void BacklogEdit::CloseIfUnused(BacklogChannel* channel) {
  if (channel == nullptr || channel->head != nullptr) return;
  state_.channels.Remove(channel);
  pool_.Free(channel);
  SubtractBytes(Backlog::kChannelCost);
}

BacklogNode* BacklogEdit::FindKey(const BacklogChannel& channel, uint64_t key_hash) const {
  return state_.keys.Find(BacklogNode::HashOf(key_hash, &channel), [&](const BacklogNode& node) {
    return node.channel == &channel && node.key_hash == key_hash;
  });
}

void BacklogEdit::Unindex(BacklogNode* node) {
  if (!node->indexed()) return;
  state_.keys.Remove(node);
  node->key_hash = 0;
  SubtractBytes(Backlog::kKeyCost);
}

// --- Sums

void BacklogEdit::AddBytes(size_t bytes) {
  state_.bytes += bytes;
  pool_.counters().bytes.Add(static_cast<int64_t>(bytes));
}

void BacklogEdit::SubtractBytes(size_t bytes) {
  state_.bytes -= bytes;
  pool_.counters().bytes.Add(-static_cast<int64_t>(bytes));
}

void BacklogEdit::Count(const BacklogNode& node) {
  ++(node.lost > 0 ? state_.gaps : state_.messages);
  pool_.counters().messages.Add(1);
}

void BacklogEdit::Uncount(const BacklogNode& node) {
  --(node.lost > 0 ? state_.gaps : state_.messages);
  pool_.counters().messages.Add(-1);
}

// --- Lists

void BacklogEdit::Link(BacklogNode* node, uint8_t queue_number, BacklogChannel* channel) {
  BacklogState::Queue& queue = state_.queues[queue_number];
  node->queue = queue_number;
  node->previous = queue.tail;
  (queue.tail != nullptr ? queue.tail->next : queue.head) = node;
  queue.tail = node;
  if (node->droppable && queue.oldest == nullptr) queue.oldest = node;
  node->channel = channel;
  if (channel == nullptr) return;
  node->channel_previous = channel->tail;
  (channel->tail != nullptr ? channel->tail->channel_next : channel->head) = node;
  channel->tail = node;
  if (node->droppable && channel->oldest == nullptr) channel->oldest = node;
}

// It may be dropped no more. The marks only move on: over all they pass each node once.
void BacklogEdit::Unmark(BacklogNode* node) {
  if (!std::exchange(node->droppable, false)) return;
  BacklogNode*& oldest = state_.queues[node->queue].oldest;
  while (oldest != nullptr && !oldest->droppable) oldest = oldest->next;
  BacklogNode*& of_channel = node->channel->oldest;
  while (of_channel != nullptr && !of_channel->droppable) of_channel = of_channel->channel_next;
}

void BacklogEdit::Unlink(BacklogNode* node) {
  Unindex(node);
  Unmark(node);
  BacklogState::Queue& queue = state_.queues[node->queue];
  (node->previous != nullptr ? node->previous->next : queue.head) = node->next;
  (node->next != nullptr ? node->next->previous : queue.tail) = node->previous;
  node->next = node->previous = nullptr;
  BacklogChannel* const channel = node->channel;
  if (channel == nullptr) return;
  BacklogNode* const before = node->channel_previous;
  BacklogNode* const after = node->channel_next;
  (before != nullptr ? before->channel_next : channel->head) = after;
  (after != nullptr ? after->channel_previous : channel->tail) = before;
  node->channel_next = node->channel_previous = nullptr;
}

BacklogNode* BacklogEdit::Append(const Frame& frame, uint8_t queue, BacklogChannel* channel,
                                 bool droppable, uint64_t key_hash) {
  BacklogNode* const node = pool_.NewNode();
  node->frame = Ref<Frame>(const_cast<Frame*>(&frame));
  node->droppable = droppable;
  Link(node, queue, channel);
  AddBytes(frame.bytes().size() + Backlog::kNodeCost);
  Count(*node);
  pool_.counters().queued.Add();
  if (key_hash == 0) return node;
  node->key_hash = key_hash;
  state_.keys.Insert(node);
  AddBytes(Backlog::kKeyCost);
  return node;
}

// --- Gaps

bool BacklogEdit::ExtendLastGap(const BacklogChannel& channel, const FrameMeta& event) {
  BacklogNode* const gap = FindGap(channel.tail, event.slot);
  if (gap == nullptr) return false;
  gap->to = std::max(gap->to, event.offset);
  ++gap->lost;
  return true;
}

void BacklogEdit::AppendGap(BacklogChannel* channel, const FrameMeta& event) {
  BacklogNode* const node = pool_.NewNode();
  node->slot = event.slot;
  node->from = node->to = event.offset;
  node->lost = 1;
  Link(node, channel->queue, channel);
  AddBytes(Backlog::kNodeCost);
  Count(*node);
}

void BacklogEdit::Drop(BacklogNode* node) {
  const FrameMeta event = node->frame->meta();
  Unindex(node);
  Unmark(node);
  SubtractBytes(node->frame->bytes().size());
  node->frame = Ref<Frame>();
  node->slot = event.slot;
  node->from = node->to = event.offset;
  node->lost = 1;
  --state_.messages;
  ++state_.gaps;
  BacklogNode* last = node->channel_previous;
  BacklogNode* const after = node->channel_next;
  if (BacklogNode* const earlier = FindGap(last, event.slot); earlier != nullptr) {
    Merge(earlier, *node);
    FreeGap(node);
  } else {
    last = node;
  }
  JoinRuns(last, after);
}

// What stood between two rows of gaps is gone. `left` ends the one, `right` begins the other.
void BacklogEdit::JoinRuns(BacklogNode* left, BacklogNode* right) {
  if (left == nullptr || !left->is_gap()) return;
  while (right != nullptr && right->is_gap()) {
    BacklogNode* const next = right->channel_next;
    if (BacklogNode* const gap = FindGap(left, right->slot); gap != nullptr) {
      Merge(gap, *right);
      FreeGap(right);
    }
    right = next;
  }
}

void BacklogEdit::FreeGap(BacklogNode* node) {
  Unlink(node);
  Uncount(*node);
  pool_.Free(node);
  SubtractBytes(Backlog::kNodeCost);
}

void BacklogEdit::Remove(BacklogNode* node) {
  BacklogNode* const before = node->channel_previous;
  BacklogNode* const after = node->channel_next;
  SubtractBytes(node->frame->bytes().size() + Backlog::kNodeCost);
  Uncount(*node);
  Unlink(node);
  pool_.Free(node);
  JoinRuns(before, after);
}

void BacklogEdit::Fill(BacklogNode* gap, Ref<Frame> frame) {
  AddBytes(frame->bytes().size());
  gap->frame = std::move(frame);
}

// --- Leaving

BacklogNode* BacklogEdit::Front() const {
  for (const BacklogState::Queue& queue : state_.queues) {
    if (queue.head != nullptr) return queue.head;
  }
  return nullptr;
}

void BacklogEdit::Begin(BacklogNode* node) {
  Unlink(node);
  CloseIfUnused(std::exchange(node->channel, nullptr));
  state_.started = node;
  state_.started_sent = 0;
}

void BacklogEdit::SetStarted(const Frame& frame, size_t sent) {
  BacklogNode* const node = pool_.NewNode();
  node->frame = Ref<Frame>(const_cast<Frame*>(&frame));
  state_.started = node;
  state_.started_sent = sent;
  AddBytes(frame.bytes().size() - sent + Backlog::kNodeCost);
  Count(*node);
  pool_.counters().queued.Add();
}

void BacklogEdit::Advance(size_t bytes) {
  state_.started_sent += bytes;
  SubtractBytes(bytes);
}

void BacklogEdit::FinishStarted() {
  BacklogNode* const node = std::exchange(state_.started, nullptr);
  SubtractBytes(node->frame->bytes().size() - state_.started_sent + Backlog::kNodeCost);
  Uncount(*node);
  state_.started_sent = 0;
  pool_.Free(node);
}

void BacklogEdit::Release(BacklogNode* node) {
  BacklogChannel* const channel = node->channel;
  SubtractBytes(Backlog::kNodeCost);
  if (node->frame) SubtractBytes(node->frame->bytes().size());
  Uncount(*node);
  Unlink(node);
  pool_.Free(node);
  CloseIfUnused(channel);
}

}  // namespace spillway::edge::ws
