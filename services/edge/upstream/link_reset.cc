// LinkCore: a topic that was made anew.

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/erase_if.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxIncarnations = 64 << 10;  // partitions whose numbers are remembered

}  // namespace

uint64_t LinkCore::IncarnationOf(std::string_view told_as) const {
  const auto found = incarnations_.find(told_as);
  return found == incarnations_.end() ? 0 : found->second;
}

void LinkCore::Retire(std::unique_ptr<SlotState>& slot) {
  for (const auto& channel : interests_) {
    EraseIf(&channel->coverage, [&](const ChannelInterest::Coverage& coverage) {
      return coverage.slot == slot->number();
    });
  }
  slot_numbers_.erase(slot->told_as);
  // What comes in its place must not look like it: positions of the one mean nothing in the other.
  if (incarnations_.size() < kMaxIncarnations) ++incarnations_[slot->told_as];
  slot.reset();
}

SlotNumber LinkCore::AddSlot(SlotEntry entry, std::string told_as, bool from_begin) {
  // One that comes back after it was dropped gets a new number: numbers are never used again.
  entry.number = static_cast<SlotNumber>(slots_.size());
  entry.source = absl::StrCat(entry.topic, "/", entry.partition, "@", entry.incarnation);
  auto state = std::make_unique<SlotState>();
  state->entry = std::make_shared<SlotEntry>(std::move(entry));
  state->from_begin = from_begin;
  state->told_as = std::move(told_as);
  const SlotNumber number = state->number();
  slot_numbers_[state->told_as] = number;
  slots_.push_back(std::move(state));
  for (const auto& channel : interests_) AwaitCoverage(*channel, *slots_.back());
  return number;
}

void LinkCore::Reset(SlotState& slot, MonoTime now) {
  const SlotNumber old = slot.number();
  sink_.Report("topic_reset", slot.entry->source);
  ++counters_.resets;
  ++counters_.gaps;
  // The old one goes no further: nobody knows how far it would have gone.
  sink_.PostGap(old, slot.taken + 1, kNoEnd, std::string(kReset));
  SlotEntry entry = *slot.entry;
  ++entry.incarnation;
  std::string told_as = slot.told_as;
  StringSet told_by = std::move(slot.told_by);
  Retire(slots_[old]);
  const SlotNumber number = AddSlot(std::move(entry), std::move(told_as), /*from_begin=*/true);
  SlotState& fresh = *slots_[number];
  fresh.told_by = std::move(told_by);
  fresh.since = fresh.unattached_since = now;
  for (auto& [id, link] : links_) {
    const auto known = link->numbers.find(old);
    if (known == link->numbers.end()) continue;
    const uint32_t theirs = known->second;
    link->numbers.erase(known);
    link->numbers[number] = theirs;
    link->slots[theirs] = number;
  }
  PublishSlots();
  TryAttach(fresh, now);
}

}  // namespace spillway::edge
