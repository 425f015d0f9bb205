// LinkCore: what to read of a channel's history for an operator.

#include <algorithm>

#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

HistoryAnswer LinkCore::PlanHistory(const HistoryAsk& ask) const {
  HistoryAnswer plan;
  if (!catalogue_complete_) {
    plan.outcome = HistoryAnswer::Outcome::kUnknown;
    return plan;
  }
  plan.places = ask.places;
  for (const auto& slot : slots_) {
    bool snapshot = false;
    if (slot == nullptr || !slot->entry->Feeds(ask.channel, &snapshot)) continue;
    if (ask.places.empty()) {
      plan.places.push_back({.source = slot->entry->source,
                             .after = std::max<int64_t>(-1, slot->taken - ask.back),
                             .until = slot->taken,
                             .slot = slot->number()});
      continue;
    }
    // A source that came since the first page has nothing of before it.
    for (HistoryPlace& place : plan.places) {
      if (place.source == slot->entry->source) place.slot = slot->number();
    }
  }
  if (plan.places.empty()) plan.outcome = HistoryAnswer::Outcome::kNotFed;
  std::sort(plan.places.begin(), plan.places.end(),
            [](const HistoryPlace& a, const HistoryPlace& b) { return a.source < b.source; });
  return plan;
}

}  // namespace spillway::edge
