// LinkCore: placement, attaching, failover, moves.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/channel/channel_hash.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

int64_t LinkCore::RouteAge(const LinkState& link) const {
  // An ingest of an old configuration that is started again must not look like the newest.
  const auto seen = route_times_.find(link.route_hash);
  return seen == route_times_.end() ? link.route_time_us : seen->second;
}

LinkState* LinkCore::Place(const SlotState& slot, MonoTime now, bool ignore_avoidance) {
  // The newest route configuration goes first. Start times of ingests with the same one mean
  // nothing.
  const LinkState* newest = nullptr;
  for (const auto& [id, link] : links_) {
    if (!link->greeted || !link->numbers.contains(slot.number())) continue;
    if (newest == nullptr || RouteAge(*link) > RouteAge(*newest)) newest = link.get();
  }
  // Rendezvous hashing (Thaler, Ravishankar 1998): every edge comes to the same choice by itself,
  // and an ingest that goes takes nobody else's partitions with it.
  LinkState* best = nullptr;
  bool best_is_newest = false;
  uint64_t best_weight = 0;
  for (const auto& [id, link] : links_) {
    if (!link->greeted || !link->numbers.contains(slot.number())) continue;
    if (!ignore_avoidance) {
      const auto avoided = slot.avoid_until.find(id);
      if (avoided != slot.avoid_until.end() && now < avoided->second) continue;
    }
    const bool is_newest = link->route_hash == newest->route_hash;
    const uint64_t weight = ChannelHash(absl::StrCat(link->node_id, "|", slot.entry->source));
    if (best == nullptr || is_newest > best_is_newest ||
        (is_newest == best_is_newest && weight > best_weight)) {
      best = link.get();
      best_is_newest = is_newest;
      best_weight = weight;
    }
  }
  return best;
}

bool LinkCore::MayPlace(MonoTime now) {
  // Whoever links first would get every slot, and keep them until the others were stable for long.
  if (placed_) return true;
  if (!catalogue_complete_) return false;
  const auto told = static_cast<size_t>(std::count_if(
      links_.begin(), links_.end(), [](const auto& link) { return link.second->has_catalogue; }));
  placed_ = told >= std::max(expected_links_, links_.size()) ||
            now - first_catalogue_ >= options_.first_placement_wait;
  return placed_;
}

void LinkCore::AttachAll(MonoTime now) {
  if (!MayPlace(now)) return;
  for (auto& slot : slots_) {
    if (slot == nullptr) continue;
    if (slot->phase == SlotState::Phase::kAttaching &&
        now - slot->since >= options_.attach_timeout) {
      slot->avoid_until[slot->link] = now + options_.avoid;
      sink_.Report("attach_timeout", slot->entry->source);
      if (LinkState* link = FindLink(slot->link); link != nullptr) {
        v1::LinkRequest request;
        request.mutable_detach()->set_slot(link->numbers[slot->number()]);
        request.mutable_detach()->set_attach_id(slot->attach_id);
        sink_.Send(link->id, std::move(request));
      }
      Unattach(*slot, now);
    }
    if (slot->phase == SlotState::Phase::kUnattached) TryAttach(*slot, now);
  }
}

void LinkCore::TryAttach(SlotState& slot, MonoTime now) {
  LinkState* link = Place(slot, now, /*ignore_avoidance=*/false);
  if (link != nullptr) SendAttach(slot, *link, now);
}

void LinkCore::SendAttach(SlotState& slot, LinkState& link, MonoTime now) {
  TellFresh();  // the whole interest goes out before: with Hello, and every change since
  LeaveAttached(slot, now);
  slot.phase = SlotState::Phase::kAttaching;
  slot.link = link.id;
  slot.attach_id = next_attach_id_++;
  slot.since = now;
  slot.moving_to = 0;
  slot.reader = v1::READER_STATE_UNSPECIFIED;
  v1::LinkRequest request;
  v1::Attach* attach = request.mutable_attach();
  attach->set_slot(link.numbers.at(slot.number()));
  attach->set_attach_id(slot.attach_id);
  if (slot.has_position) {
    attach->set_after(slot.taken);
    attach->set_fingerprint(slot.fingerprint);
    attach->set_fingerprint_at(slot.fingerprint_at);
  } else if (slot.from_begin) {
    attach->set_begin(true);
  } else {
    attach->set_end(true);
  }
  ++counters_.attaches;
  sink_.Send(link.id, std::move(request));
}

void LinkCore::LeaveAttached(SlotState& slot, MonoTime now) {
  if (slot.phase == SlotState::Phase::kAttached) slot.unattached_since = now;
}

void LinkCore::Unattach(SlotState& slot, MonoTime now) {
  LeaveAttached(slot, now);
  slot.phase = SlotState::Phase::kUnattached;
  slot.attach_id = 0;
  slot.since = now;
  slot.reader = v1::READER_STATE_UNSPECIFIED;
}

SlotState* LinkCore::CurrentSlot(const LinkState& link, uint32_t ingest_slot, uint64_t attach_id) {
  const auto found = link.slots.find(ingest_slot);
  if (found == link.slots.end()) return nullptr;
  SlotState* slot = slots_[found->second].get();
  if (slot == nullptr || slot->link != link.id || slot->attach_id != attach_id ||
      slot->phase == SlotState::Phase::kUnattached) {
    return nullptr;
  }
  return slot;
}

SlotState* LinkCore::AttachedSlot(const LinkState& link, uint32_t ingest_slot) {
  const auto found = link.slots.find(ingest_slot);
  if (found == link.slots.end()) return nullptr;
  SlotState* slot = slots_[found->second].get();
  const bool here =
      slot != nullptr && slot->link == link.id && slot->phase == SlotState::Phase::kAttached;
  return here ? slot : nullptr;
}

void LinkCore::OnAttached(LinkState& link, const v1::Attached& attached, MonoTime now) {
  SlotState* slot = CurrentSlot(link, attached.slot(), attached.attach_id());
  if (slot == nullptr) return;
  slot->phase = SlotState::Phase::kAttached;
  slot->since = now;
  // The gap goes first: whoever has no position in the slot yet begins after it, and is not told of
  // what was never promised.
  if (attached.has_gap()) {
    ++counters_.gaps;
    sink_.PostGap(slot->number(), attached.gap().from(), attached.gap().to(),
                  attached.gap().reason());
  }
  CoverageKnown(*slot, link, attached.interest_sequence(), attached.after());
  PostCoverage();
  if (slot->has_position && attached.after() <= slot->taken) return;
  slot->has_position = true;
  auto batch = std::make_shared<EdgeBatch>();
  TakeIn(*slot, attached.after(), attached.fingerprint(), attached.fingerprint_back(), batch.get());
  sink_.PostBatch(std::move(batch), link.id, 0);
}

void LinkCore::OnRefused(LinkState& link, const v1::AttachRefused& refused, MonoTime now) {
  SlotState* slot = CurrentSlot(link, refused.slot(), refused.attach_id());
  if (slot == nullptr) return;
  sink_.Report("attach_refused",
               absl::StrCat(slot->entry->source, ": ", refused.code(), ": ", refused.message()));
  if (refused.code() == kReset) {
    Reset(*slot, now);
    return;
  }
  // A lost position is no fault of the ingest: the same one resolves it at the next attach.
  if (refused.code() != "lost_position") slot->avoid_until[link.id] = now + options_.avoid;
  Unattach(*slot, now);
  TryAttach(*slot, now);
}

void LinkCore::CheckReaders(MonoTime now) {
  for (auto& slot : slots_) {
    if (slot == nullptr || slot->phase != SlotState::Phase::kAttached) continue;
    if (slot->reader != v1::READER_STATE_STALLED) {
      if (now - slot->since >= options_.move_stability) slot->stall_moves = 0;
      continue;
    }
    if (now - slot->stalled_since < options_.stall_timeout) continue;
    // Only if another one can read: when Kafka itself is away, moving about helps nobody.
    const LinkId stalled = slot->link;
    const auto [avoided, fresh] = slot->avoid_until.insert({stalled, now});
    // Where every ingest stalls (the right to read was taken away), moving about must not go on for
    // ever at the same pace.
    avoided->second = now + options_.avoid * (1 << std::min<uint32_t>(slot->stall_moves, 6));
    LinkState* other = Place(*slot, now, /*ignore_avoidance=*/false);
    if (other == nullptr || !other->kafka_up) {
      slot->avoid_until.erase(stalled);
      continue;
    }
    sink_.Report("reader_stalled", slot->entry->source);
    ++counters_.failovers;
    ++slot->stall_moves;
    if (LinkState* link = FindLink(stalled); link != nullptr) {
      v1::LinkRequest request;
      request.mutable_detach()->set_slot(link->numbers.at(slot->number()));
      request.mutable_detach()->set_attach_id(slot->attach_id);
      sink_.Send(stalled, std::move(request));
    }
    SendAttach(*slot, *other, now);
  }
}

void LinkCore::CheckMoves(MonoTime now) {
  size_t under_way = 0;
  for (auto& slot : slots_) {
    if (slot == nullptr || slot->moving_to == 0) continue;
    if (now - slot->move_since >= options_.move_timeout) {
      slot->avoid_until[slot->moving_to] = now + options_.move_stability;
      slot->moving_to = 0;
    } else {
      ++under_way;
    }
  }
  for (auto& slot : slots_) {
    if (under_way >= options_.moves_at_once) return;
    if (slot == nullptr || slot->phase != SlotState::Phase::kAttached || slot->moving_to != 0 ||
        !slot->has_position) {
      continue;
    }
    LinkState* better = Place(*slot, now, /*ignore_avoidance=*/false);
    if (better == nullptr || better->id == slot->link || !better->kafka_up ||
        now - better->up_since < options_.move_stability ||
        now - slot->since < options_.move_stability) {
      continue;
    }
    // Jitter: edges that see the same change must not all move in the same moment.
    if (random_() % 8 != 0) continue;
    slot->moving_to = better->id;
    slot->move_since = now;
    ++under_way;
    v1::LinkRequest request;
    request.mutable_prepare()->set_slot(better->numbers.at(slot->number()));
    request.mutable_prepare()->set_after(slot->taken);
    sink_.Send(better->id, std::move(request));
  }
}

void LinkCore::OnPrepared(LinkState& link, const v1::Prepared& prepared, MonoTime now) {
  const auto found = link.slots.find(prepared.slot());
  if (found == link.slots.end()) return;
  SlotState* slot = slots_[found->second].get();
  if (slot == nullptr || slot->moving_to != link.id || slot->phase != SlotState::Phase::kAttached) {
    return;
  }
  // The new attachment is current at once; what the old one still sends is void. Never two streams.
  const LinkId old_link = slot->link;
  const uint64_t old_attach_id = slot->attach_id;
  ++counters_.moves;
  SendAttach(*slot, link, now);
  if (LinkState* old = FindLink(old_link); old != nullptr) {
    v1::LinkRequest request;
    request.mutable_detach()->set_slot(old->numbers.at(slot->number()));
    request.mutable_detach()->set_attach_id(old_attach_id);
    sink_.Send(old_link, std::move(request));
  }
}

}  // namespace spillway::edge
