// ShardCore: whether a position that was shown is one of the topic as it is.

#include <algorithm>
#include <utility>

#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {
namespace {

// The record that is to prove it.
RecordMark MarkOf(const v1::Claim& claim) {
  return {claim.fingerprint_at(), static_cast<uint16_t>(claim.fingerprint())};
}

}  // namespace

void ShardCore::Judge(uint64_t read_id, const std::vector<v1::Claim>& claims, MonoTime now) {
  PendingRead read{
      .id = read_id, .channel = {}, .history = true, .after = {}, .not_before = {}, .begun = now};
  for (v1::Claim claim : claims) {
    claim.set_offset(Bounded(claim.offset()));
    claim.set_fingerprint_at(Bounded(claim.fingerprint_at()));
    const Slot* slot = FindSlot(claim.slot());
    PendingClaim& pending = read.claims.emplace_back();
    if (slot != nullptr) {
      pending = slot->Show(claim, /*of_edge=*/false);
    } else {
      pending.claim = claim;  // nobody will judge it
    }
  }
  if (TryRead(read, now)) return;
  reads_.push_back(std::move(read));
  moved_ = true;  // what it waits for begins with the end of this turn
}

bool ShardCore::TryClaims(PendingRead& read, MonoTime now) {
  ReadResult result;
  bool wait = false;
  for (PendingClaim& claim : read.claims) {
    Slot* slot = FindSlot(claim.claim.slot());
    const Standing standing = StandingOf(claim.claim.slot(), claim.claim.attach_id());
    if (slot == nullptr || slot->phase == Slot::Phase::kIdle || standing == Standing::kNone) {
      result.error = "not_served";
      break;
    }
    if (!claim.verdict.has_value() && standing == Standing::kProven &&
        slot->phase == Slot::Phase::kReading) {
      claim.verdict = JudgeClaim(*slot, claim, now);
      if (claim.verdict == v1::VERDICT_PROVEN && LogDenies(*slot, claim)) {
        // The edge that asks is of the old topic, too: it asks again once it knows.
        LosePosition(*slot, "the topic was made anew");
        result.error = "not_served";
        break;
      }
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
  const bool read_since = slot.readers > pending.readers;  // then it is Kafka that says so
  switch (slot.log->Compare(MarkOf(claim))) {
    case PartitionLog::Compared::kSame:
      return v1::VERDICT_PROVEN;
    case PartitionLog::Compared::kOther:
      if (read_since) return v1::VERDICT_FOREIGN;
      break;
    case PartitionLog::Compared::kAbsent:
      if (read_since) return slot.verdict_of_none();
      if (slot.info.compaction != Compaction::kNo && (pending.of_edge || !kafka_up_)) {
        return v1::VERDICT_UNPROVEN;
      }
      break;
    case PartitionLog::Compared::kAhead:
      return std::nullopt;  // it is in Kafka: the reader will come there
    case PartitionLog::Compared::kUnknown:
      break;
  }
  return JudgeByReread(slot, pending, now);
}

bool ShardCore::LogDenies(const Slot& slot, const PendingClaim& pending) {
  const PartitionLog::Compared compared = slot.log->Compare(MarkOf(pending.claim));
  return compared == PartitionLog::Compared::kOther || compared == PartitionLog::Compared::kAbsent;
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

std::optional<v1::Verdict> ShardCore::JudgeByReread(Slot& slot, const PendingClaim& pending,
                                                    MonoTime now) {
  const RecordMark claimed = MarkOf(pending.claim);
  if (claimed.offset < slot.begin) {
    // Retention took it, if that is where this topic begins.
    if (pending.of_edge || !kafka_up_ || slot.resolves > pending.answered) {
      return v1::VERDICT_UNPROVEN;
    }
    if (!slot.retry_resolve) Resolve(slot);
    return std::nullopt;
  }
  Reread& reread = slot.reread;
  rereads_.insert(slot.info.id);
  reread.used = now;
  const bool read_since = reread.number > pending.windows;
  if (reread.window != nullptr && (read_since || !(pending.of_edge || LogDenies(slot, pending)))) {
    switch (reread.window->Compare(claimed)) {
      case PartitionLog::Compared::kSame:
        return v1::VERDICT_PROVEN;
      case PartitionLog::Compared::kOther:
        if (read_since) return v1::VERDICT_FOREIGN;
        break;
      case PartitionLog::Compared::kAbsent:
        if (read_since) return slot.verdict_of_none();
        break;
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

void ShardCore::AwaitProof(Slot& slot, LinkId link, const v1::Attach& attach, MonoTime now) {
  std::erase_if(slot.unproven, [&](const Slot::Unproven& one) { return one.link == link; });
  if (attach.from_case() == v1::Attach::kEnd) return;
  Attachment& attachment = *FindFeed(link)->Find(slot.info.id);
  Slot::Unproven& unproven = slot.unproven.emplace_back();
  unproven.link = link;
  unproven.attach_id = attach.attach_id();
  // One that has taken nothing in may have read something for its clients.
  unproven.of_log =
      attach.from_case() == v1::Attach::kBegin || (attach.after() < 0 && attach.fingerprint() == 0);
  v1::Claim claim;
  claim.set_slot(attach.slot());
  claim.set_offset(unproven.of_log ? -1 : std::max(attach.after(), attach.fingerprint_at()));
  claim.set_fingerprint(attach.fingerprint());
  claim.set_fingerprint_at(attach.fingerprint_at());
  unproven.claim = slot.Show(claim, /*of_edge=*/true);
  // A take-up asks Kafka for its end anyway.
  unproven.claim.asked = true;
  unproven.claim.resolves = unproven.claim.answered;
  attachment.proven = false;
  // Most edges come from another ingest, and the log knows.
  if (slot.phase == Slot::Phase::kReading) JudgeAttachments(slot, now);
}

void ShardCore::JudgeAllAttachments(MonoTime now) {
  for (auto& [id, slot] : slots_) {
    if (!slot->unproven.empty() && JudgeAttachments(*slot, now)) SettleOrResolve(*slot, now);
  }
}

std::optional<v1::Verdict> ShardCore::JudgeLog(Slot& slot, PendingClaim& own, MonoTime now) {
  // Not from where the topic began before, either.
  if (slot.resolves <= own.answered) {
    if (!slot.retry_resolve) Resolve(slot);
    return std::nullopt;
  }
  if (own.claim.offset() < slot.begin) own.claim.set_fingerprint(0);  // retention took it meanwhile
  if (own.claim.fingerprint() == 0) {
    const RecordMark first = slot.log->MarkFrom(slot.begin);
    if (first.fingerprint == 0) return v1::VERDICT_UNPROVEN;  // it has nothing of any topic
    own.claim.set_offset(first.offset);
    own.claim.set_fingerprint(first.fingerprint);
    own.claim.set_fingerprint_at(first.offset);
    own.asked = false;
  }
  if (own.claim.offset() >= slot.resolved_end) {
    if (ConfirmedBeyond(slot, own, now)) return v1::VERDICT_FOREIGN;
    return std::nullopt;
  }
  // Whoever read the log did so before this edge asked, or may have: only Kafka says what is there.
  if (slot.readers > own.readers) return v1::VERDICT_PROVEN;
  return JudgeByReread(slot, own, now);
}

bool ShardCore::JudgeAttachments(Slot& slot, MonoTime now) {
  const SlotId id = slot.info.id;
  bool stale = false;
  bool waiting = false;
  std::erase_if(slot.unproven, [&](Slot::Unproven& one) {
    EdgeFeed* feed = FindFeed(one.link);
    Attachment* attachment = feed == nullptr ? nullptr : feed->Find(id);
    if (attachment == nullptr || attachment->attach_id != one.attach_id)
      return true;  // it has gone
    std::optional<v1::Verdict> verdict;
    if (one.of_log) {
      if (slot.phase == Slot::Phase::kReading) verdict = JudgeLog(slot, one.claim, now);
      if (verdict == v1::VERDICT_FOREIGN) {
        stale = true;  // the log, not who asked
        return true;
      }
    } else if (slot.phase == Slot::Phase::kReading) {
      verdict = JudgeClaim(slot, one.claim, now);
    } else if (slot.resolves > 0 && one.claim.claim.offset() >= slot.end &&
               ConfirmedBeyond(slot, one.claim, now)) {
      verdict = v1::VERDICT_FOREIGN;
    }
    if (!verdict.has_value()) return false;
    if (*verdict == v1::VERDICT_FOREIGN) {
      Refuse(one.link, attachment->request, "reset", "the topic was made anew");
      feed->Remove(id, one.attach_id);
      if (--slot.attached == 0) slot.unattached_since = now;
      return true;
    }
    stale = stale || (!one.of_log && *verdict == v1::VERDICT_PROVEN && LogDenies(slot, one.claim));
    attachment->proven = true;
    waiting = waiting || attachment->state == Attachment::State::kWaiting;
    moved_ = true;
    return true;
  });
  if (stale) LosePosition(slot, "the topic was made anew");
  return waiting && !stale;
}

}  // namespace spillway::ingest
