#include "services/edge/hub/lane.h"

namespace spillway::edge {
namespace {

uint32_t HashOf(uint64_t key_hash) { return static_cast<uint32_t>(key_hash ^ (key_hash >> 32)); }

}  // namespace

bool Lane::Take(const Ref<EdgeEvent>& event, size_t channel_index) {
  const bool keyed = event->key_hash() != 0;
  const uint32_t hash = keyed ? HashOf(event->key_hash(channel_index)) : 0;
  uint32_t* cell = nullptr;
  Held* known = nullptr;
  if (keyed) cell = FindCell(*event, channel_index, hash, &known);
  ++mark_;
  bytes_ += event->cost();
  if (known != nullptr) {
    const auto at = static_cast<uint32_t>(known - entries_.data());
    bytes_ -= known->event->cost();
    known->event = event;
    known->channel_index = static_cast<uint32_t>(channel_index);
    known->mark = mark_;
    if (at != last_) {
      Unlink(at);
      Append(at);
    }
    return true;
  }
  const auto at = static_cast<uint32_t>(entries_.size());
  Held& held = entries_.emplace_back();
  held.event = event;
  held.channel_index = static_cast<uint32_t>(channel_index);
  held.mark = mark_;
  held.hash_ = hash;
  if (keyed) {
    *cell = at;
    held.cell_ = static_cast<uint32_t>(cell - cells_.data());
  }
  Append(at);
  return false;
}

bool Lane::SameKey(const Held& held, const EdgeEvent& event, size_t channel_index) {
  if (held.event->slot() != event.slot() || held.event->view().key != event.view().key) {
    return false;
  }
  return !event.is_pattern(channel_index) ||
         held.event->channel_in(held.channel_index) == event.channel_in(channel_index);
}

uint32_t* Lane::FindCell(const EdgeEvent& event, size_t channel_index, uint32_t hash,
                         Held** found) {
  if (cells_.size() < 2 * (entries_.size() + 1)) Grow();
  const size_t wrap = cells_.size() - 1;
  for (size_t at = hash & wrap;; at = (at + 1) & wrap) {
    const uint32_t named = cells_[at];
    if (named >= entries_.size() || entries_[named].cell_ != at) return &cells_[at];
    Held& held = entries_[named];
    if (held.hash_ == hash && SameKey(held, event, channel_index)) {
      *found = &held;
      return &cells_[at];
    }
  }
}

void Lane::Grow() {
  size_t size = 8;
  while (size < 4 * (entries_.size() + 1)) size *= 2;
  cells_.assign(size, kNone);
  for (uint32_t n = 0; n < entries_.size(); ++n) {
    Held& held = entries_[n];
    if (held.cell_ == kNone) continue;
    size_t at = held.hash_ & (size - 1);
    while (cells_[at] != kNone) at = (at + 1) & (size - 1);
    cells_[at] = n;
    held.cell_ = static_cast<uint32_t>(at);
  }
}

void Lane::Append(uint32_t at) {
  entries_[at].before_ = last_;
  entries_[at].after_ = kNone;
  (last_ == kNone ? first_ : entries_[last_].after_) = at;
  last_ = at;
}

void Lane::Unlink(uint32_t at) {
  const Held& held = entries_[at];
  (held.before_ == kNone ? first_ : entries_[held.before_].after_) = held.after_;
  (held.after_ == kNone ? last_ : entries_[held.after_].before_) = held.before_;
}

void Lane::Clear() {
  const size_t used = entries_.size();
  entries_.clear();
  if (entries_.capacity() > kKeptEntries && used < entries_.capacity() / 8) {
    entries_.shrink_to_fit();
    std::vector<uint32_t>().swap(cells_);
  }
  first_ = last_ = kNone;
  mark_ = 0;
  bytes_ = 0;
}

}  // namespace spillway::edge
