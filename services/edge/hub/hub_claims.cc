// HubShard: positions that clients show are judged before anything is sent from there.

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/base/strings.h"
#include "services/edge/hub/hub_shard.h"

namespace spillway::edge {
namespace {

// "topic/partition@incarnation": a partition's name without its incarnation.
std::string_view PartitionOf(std::string_view source) {
  return source.substr(0, source.rfind('@'));
}

uint64_t IncarnationOf(std::string_view source) {
  uint64_t incarnation = 0;
  const size_t at = source.rfind('@');
  const bool is_number =
      at != std::string_view::npos && absl::SimpleAtoi(Abs(source.substr(at + 1)), &incarnation);
  return is_number ? incarnation : 0;
}

}  // namespace

JoinSlot HubShard::PlaceFor(const ChannelSlot& slot, const Join& join) const {
  JoinSlot place;
  place.slot = slot.slot;
  if (join.resume == nullptr) return place;
  const SlotEntry* known = slots_->Find(slot.slot);
  if (known == nullptr) return place;
  if (std::any_of(join.over.begin(), join.over.end(), [&](const std::string& source) {
        return PartitionOf(source) == PartitionOf(known->source);
      })) {
    place.from = -1;
    return place;
  }
  // An incarnation is a number of the edge that the client comes from, and means nothing on
  // another: the newest of them is where the client was, and its fingerprint says whether that is
  // this topic.
  uint64_t newest = 0;
  for (const ResumeEntry& entry : *join.resume) {
    if (PartitionOf(entry.source) != PartitionOf(known->source)) continue;
    // One that is pending takes away nothing of what is known.
    const uint64_t incarnation = IncarnationOf(entry.source);
    if (place.shown != nullptr &&
        (entry.pending || (!place.shown->pending && incarnation <= newest))) {
      continue;
    }
    newest = incarnation;
    place.shown = &entry;
  }
  if (place.shown == nullptr) {
    place.from = -1;  // it came into being since: all of it is new
  } else if (!place.shown->pending) {
    place.from = place.shown->offset;
    place.judged = place.from < 0;
  }
  return place;
}

void HubShard::JudgeClaims(ChannelState& channel, Join& join) {
  std::vector<SlotClaim> claims;
  std::vector<SlotClaim> ahead;  // these may take a while
  for (JoinSlot& place : join.slots) {
    if (place.judged || place.phase != JoinSlot::Phase::kPending) continue;
    const ChannelSlot* slot = channel.FindSlot(place.slot);
    if (slot == nullptr || !slot->known) continue;
    if (const std::optional<Verdict> verdict = JudgeHere(*slot, *place.shown)) {
      TakeVerdict(place, *verdict);
      continue;
    }
    place.phase = JoinSlot::Phase::kJudging;
    (IsAhead(*slot, place.from) ? ahead : claims)
        .push_back({.slot = place.slot,
                    .offset = place.shown->offset,
                    .fingerprint = place.shown->fingerprint,
                    .fingerprint_at = place.shown->fingerprint_at});
  }
  for (std::vector<SlotClaim>* asked : {&claims, &ahead}) {
    if (asked->empty()) continue;
    const uint64_t read_id = next_read_++;
    reads_[read_id] = ReadTarget{.channel = channel.name(),
                                 .subscription = join.id,
                                 .kind = ReadTarget::Kind::kVerdicts,
                                 .slots = asked->size()};
    upstream_.Judge(options_.worker, read_id, std::move(*asked));
  }
}

bool HubShard::IsAhead(const ChannelSlot& slot, int64_t offset) const {
  return offset > std::max(worker_at(slot.slot), slot.held_after());
}

std::optional<Verdict> HubShard::JudgeHere(const ChannelSlot& slot,
                                           const ResumeEntry& shown) const {
  // What this worker has not taken in itself, Kafka may not have either.
  if (IsAhead(slot, shown.offset)) return std::nullopt;
  if (shown.fingerprint == 0) return Verdict::kUnproven;
  const std::optional<uint16_t> known = known_marks_.Find(slot.slot, shown.fingerprint_at);
  // Another record than this edge knows there may be one of a topic that was made anew, and the
  // edge the one that has not noticed.
  if (known != shown.fingerprint) return std::nullopt;
  return Verdict::kProven;
}

void HubShard::TakeVerdict(JoinSlot& place, Verdict verdict) {
  place.judged = true;
  if (verdict == Verdict::kProven) {
    place.proven = true;
    ++counters_.positions_proven;
    return;
  }
  // By another number and without proof it is not taken for one of this topic.
  const SlotEntry* known = slots_->Find(place.slot);
  const bool renamed = known != nullptr && IncarnationOf(place.shown->source) != known->incarnation;
  if (verdict == Verdict::kUnproven && !renamed) {
    ++counters_.positions_unproven;
    return;
  }
  ++counters_.positions_foreign;
  place.from = -1;
  place.lost_for = kReset;
  place.refused = true;
}

void HubShard::TakeVerdicts(ChannelState& channel, Join& join, const EdgeReadResult& result) {
  for (size_t i = 0; i < result.as_of.size(); ++i) {
    const SlotNumber number = result.as_of[i].slot;
    JoinSlot* const place = join.FindPlace(number);
    if (place == nullptr || place->phase != JoinSlot::Phase::kJudging) continue;
    place->phase = JoinSlot::Phase::kPending;
    if (!result.failed) {
      if (result.verdicts[i] == Verdict::kProven) {
        known_marks_.Add(number, {place->shown->fingerprint_at, place->shown->fingerprint});
      }
      TakeVerdict(*place, result.verdicts[i]);
      continue;
    }
    const ChannelSlot* slot = channel.FindSlot(number);
    // One that may be ahead waits until somebody can say: it is asked again.
    if (slot == nullptr || IsAhead(*slot, place->from)) continue;
    ++counters_.positions_unjudged;
    place->judged = true;
    place->lost_for = kLimit;
  }
}

bool HubShard::TellForeign(ChannelState& channel, Join& join) {
  const bool all_judged = std::all_of(join.slots.begin(), join.slots.end(),
                                      [](const JoinSlot& place) { return place.judged; });
  for (JoinSlot& place : join.slots) {
    if (place.lost_for.empty() || place.phase != JoinSlot::Phase::kCursor) continue;
    if (MayStartOver(channel, join, place.slot)) {
      if (!all_judged) return false;  // a snapshot without the others would not be whole
      StartOver(channel, join, place.lost_for);
      continue;
    }
    const std::string_view reason = std::exchange(place.lost_for, {});
    const bool refused = std::exchange(place.refused, false);
    const int64_t now =
        std::max({channel.FindSlot(place.slot)->held_after(), worker_at(place.slot), place.at});
    if (now == place.at && !refused) continue;
    SendGap(join.subscription, *channel.traits,
            {place.slot, SourceOf(place.slot), place.at + 1, now, reason});
    place.at = now;
  }
  return true;
}

}  // namespace spillway::edge
