#include "common/control/control_table.h"

namespace spillway::control {

void ControlTable::SetDue(States::iterator state, int64_t due_us) {
  State& now = state->second;
  Due& due = now.live ? live_due_ : over_due_;
  now.due_us = due_us;
  if (due_us != 0) due.emplace(due_us, &state->first);
}

void ControlTable::Erase(States::iterator state) {
  const State& before = state->second;
  if (before.due_us != 0) {
    (before.live ? live_due_ : over_due_).erase({before.due_us, &state->first});
  }
  live_ -= before.live ? 1 : 0;
  entries_.erase(state);
}

// It is no longer in force.
void ControlTable::Remember(States::iterator state) {
  State& over = state->second;
  const int64_t memory = std::chrono::microseconds(options_.memory).count();
  over.live = false;
  SetDue(state, over.entry.expires_us() + memory);
  while (entries_.size() - live_ > options_.max_entries && !over_due_.empty()) {
    ++forgotten_;
    Erase(entries_.find(*over_due_.begin()->second));
  }
}

ControlTable::Merged ControlTable::Merge(const v1::ControlEntry& entry, WallTime now) {
  const std::string key = KeyOf(entry);
  auto found = entries_.find(key);
  if (found != entries_.end() && !Later(entry, found->second.entry)) return Merged::kKnown;
  const int64_t now_us = ToUnixMicros(now);
  const int64_t memory = std::chrono::microseconds(options_.memory).count();
  const bool live = InForce(entry, now);
  if (!live && now_us >= entry.expires_us() + memory) {
    if (found != entries_.end()) Erase(found);
    return Merged::kOver;
  }
  if (live && live_ >= options_.max_entries && (found == entries_.end() || !found->second.live)) {
    return Merged::kFull;
  }
  if (found != entries_.end()) Erase(found);
  found = entries_.try_emplace(key).first;
  found->second.entry = entry;
  if (live) {
    found->second.live = true;
    ++live_;
    SetDue(found, entry.expires_us());
  } else {
    Remember(found);
  }
  return Merged::kTaken;
}

const v1::ControlEntry* ControlTable::Find(v1::ControlKind kind, std::string_view subject) const {
  const auto found = entries_.find(KeyOf(kind, subject));
  return found == entries_.end() ? nullptr : &found->second.entry;
}

std::vector<v1::ControlEntry> ControlTable::TakeEnded(WallTime now) {
  const int64_t now_us = ToUnixMicros(now);
  std::vector<v1::ControlEntry> ended;
  while (!live_due_.empty() && live_due_.begin()->first <= now_us) {
    const auto state = entries_.find(*live_due_.begin()->second);
    live_due_.erase(live_due_.begin());
    --live_;
    ended.push_back(state->second.entry);
    Remember(state);
  }
  while (!over_due_.empty() && over_due_.begin()->first <= now_us) {
    Erase(entries_.find(*over_due_.begin()->second));
  }
  return ended;
}

void ControlTable::ForEach(const std::function<void(const v1::ControlEntry&)>& visit) const {
  for (const auto& [key, state] : entries_) visit(state.entry);
}

}  // namespace spillway::control
