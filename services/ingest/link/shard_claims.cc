// ShardCore: whether a position that was shown is one of the topic as it is.

#include <algorithm>
#include <utility>

#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {

void ShardCore::Judge(uint64_t read_id, const std::vector<v1::Claim>& claims, MonoTime now) {
  PendingRead read{
      .id = read_id, .channel = {}, .history = true, .after = {}, .not_before = {}, .begun = now};
  for (const v1::Claim& claim : claims) read.claims.emplace_back().claim = claim;
  if (TryRead(read, now)) return;
  reads_.push_back(std::move(read));
  moved_ = true;  // what it waits for begins with the end of this turn
}

bool ShardCore::TryClaims(PendingRead& read, MonoTime now) {
  ReadResult result;
  bool wait = false;
  for (PendingClaim& claim : read.claims) {
    Slot* slot = FindSlot(claim.claim.slot());
    if (slot == nullptr || slot->phase == Slot::Phase::kIdle) {
      result.error = "not_served";
      break;
    }
    if (!claim.verdict.has_value() && slot->phase == Slot::Phase::kReading) {
      claim.verdict = JudgeClaim(*slot, claim, now);
    }
    wait = wait || !claim.verdict.has_value();
  }
  if (result.error.empty() && wait) {
    if (now - read.begun < options_.read_timeout) return false;
    result.error = "timeout";
  }
  if (result.error.empty()) {
    for (const PendingClaim& claim : read.claims) {
      v1::SlotOffset& as_of = result.as_of.emplace_back();
      as_of.set_slot(claim.claim.slot());
      as_of.set_offset(claim.claim.offset());
      result.verdicts.push_back(*claim.verdict);
    }
  }
  sink_.ReadDone(read.id, options_.shard, std::move(result));
  return true;
}

std::optional<v1::Verdict> ShardCore::JudgeClaim(Slot& slot, PendingClaim& pending, MonoTime now) {
  const v1::Claim& claim = pending.claim;
  if (claim.offset() > slot.head() && claim.offset() >= slot.end) {
    // This ingest may be behind whoever told it; Kafka cannot.
    if (ConfirmedBeyond(slot, pending, now)) return v1::VERDICT_FOREIGN;
    return std::nullopt;
  }
  if (claim.fingerprint() == 0) return v1::VERDICT_UNPROVEN;
  const RecordMark claimed{claim.fingerprint_at(), static_cast<uint16_t>(claim.fingerprint())};
  switch (slot.log->Compare(claimed)) {
    case PartitionLog::Compared::kSame:
      return v1::VERDICT_PROVEN;
    case PartitionLog::Compared::kOther:
      return v1::VERDICT_FOREIGN;
    case PartitionLog::Compared::kAbsent:
      return v1::VERDICT_UNPROVEN;
    case PartitionLog::Compared::kAhead:
      return std::nullopt;  // it is in Kafka: the reader will come there
    case PartitionLog::Compared::kUnknown:
      break;
  }
  return JudgeByReread(slot, claimed, now);
}

bool ShardCore::ConfirmedBeyond(Slot& slot, PendingClaim& claim, MonoTime now) {
  if (claim.asked && slot.resolves > claim.resolves) {
    claim.asked = false;
    if (++claim.confirmations == 2) return true;
    claim.ask_at = now + options_.end_confirm;
  }
  if (!claim.asked && now >= claim.ask_at) {
    claim.asked = true;
    claim.resolves = slot.resolves + (slot.resolve_under_way ? 1 : 0);
  }
  // An answer that was on its way does not count. One that fails is asked for again by itself.
  if (claim.asked && !slot.retry_resolve) Resolve(slot);
  return false;
}

std::optional<v1::Verdict> ShardCore::JudgeByReread(Slot& slot, const RecordMark& claimed,
                                                    MonoTime now) {
  if (claimed.offset < slot.begin) return v1::VERDICT_UNPROVEN;  // retention took it
  Reread& reread = slot.reread;
  rereads_.insert(slot.info.id);
  reread.used = now;
  if (reread.window != nullptr) {
    switch (reread.window->Compare(claimed)) {
      case PartitionLog::Compared::kSame:
        return v1::VERDICT_PROVEN;
      case PartitionLog::Compared::kOther:
        return v1::VERDICT_FOREIGN;
      case PartitionLog::Compared::kAbsent:
        return v1::VERDICT_UNPROVEN;
      case PartitionLog::Compared::kAhead:
        // What is far ahead of those who read has a turn of its own.
        if (claimed.offset - reread.window->head() > options_.claim_reread_records) break;
        reread.waiting = true;
        reread.demand = std::max(reread.demand, claimed.offset - 1);
        return std::nullopt;
      case PartitionLog::Compared::kUnknown:
        break;
    }
  }
  reread.wanted = std::min(reread.wanted, claimed.offset - 1);
  return std::nullopt;
}

}  // namespace spillway::ingest
