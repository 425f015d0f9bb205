// LinkCore: reads of snapshots and history, asked of whoever serves each slot.

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/channel/channel_hash.h"
#include "common/channel/channel_pattern.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {
namespace {

using Offsets = std::vector<std::pair<SlotNumber, int64_t>>;

bool OfTheSameSlots(const Offsets& a, const Offsets& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

// Whether a snapshot holds all that must be in it.
bool Includes(const EdgeReadResult& result, const Offsets& not_before) {
  return std::all_of(not_before.begin(), not_before.end(), [&](const auto& least) {
    return std::any_of(result.as_of.begin(), result.as_of.end(), [&](const auto& as_of) {
      return as_of.slot == least.first && as_of.upto >= least.second;
    });
  });
}

Verdict VerdictOf(int verdict) {
  switch (verdict) {
    case v1::VERDICT_PROVEN:
      return Verdict::kProven;
    case v1::VERDICT_FOREIGN:
      return Verdict::kForeign;
    default:
      return Verdict::kUnproven;
  }
}

}  // namespace

void LinkCore::Read(size_t worker, uint64_t read_id, std::string channel, bool history,
                    Offsets from, MonoTime now) {
  waiting_reads_.push_back({.worker = worker,
                            .read_id = read_id,
                            .channel = std::move(channel),
                            .history = history,
                            .from = std::move(from),
                            .begun = now,
                            .not_before = now});
  StartReads(now);
}

void LinkCore::Judge(size_t worker, uint64_t read_id, std::vector<SlotClaim> claims, MonoTime now) {
  Offsets from;
  for (const SlotClaim& claim : claims) from.emplace_back(claim.slot, claim.offset);
  waiting_reads_.push_back({.worker = worker,
                            .read_id = read_id,
                            .channel = {},
                            .history = true,
                            .from = std::move(from),
                            .claims = std::move(claims),
                            .begun = now,
                            .not_before = now});
  StartReads(now);
}

void LinkCore::RetryReads(MonoTime now) {
  kept_histories_.Expire(now);
  std::erase_if(later_reads_, [&](PendingRead& read) {
    if (now < read.not_before) return false;
    waiting_reads_.push_back(std::move(read));
    return true;
  });
  std::erase_if(waiting_reads_, [&](const PendingRead& read) {
    if (!TimedOut(read, now)) return false;
    FailRead(read);
    return true;
  });
  StartReads(now);
}

bool LinkCore::TimedOut(const PendingRead& read, MonoTime now) const {
  return now - read.begun >= (read.history ? options_.history_timeout : options_.read_timeout);
}

void LinkCore::StartReads(MonoTime now) {
  while (!waiting_reads_.empty() && calls_.size() < options_.reads_at_once) {
    PendingRead read = std::move(waiting_reads_.front());
    waiting_reads_.pop_front();
    StartRead(std::move(read), now);
  }
}

void LinkCore::StartRead(PendingRead read, MonoTime now) {
  std::map<LinkId, Offsets> by_link;
  Offsets unattached;
  Offsets gone;
  for (const auto& [number, offset] : read.from) {
    const SlotState* slot = number < slots_.size() ? slots_[number].get() : nullptr;
    if (slot == nullptr && number < slots_.size()) {
      gone.emplace_back(number, offset);
    } else if (slot != nullptr && slot->phase == SlotState::Phase::kAttached) {
      by_link[slot->link].emplace_back(number, offset);
    } else {
      unattached.emplace_back(number, offset);
    }
  }
  for (auto& [id, from] : by_link) {
    LinkState& link = *links_.at(id);
    PendingRead part = read;
    part.from = std::move(from);
    if (part.history && part.claims.empty() && !part.alone) {
      if (auto kept = kept_histories_.Find(part.channel, part.from); kept != nullptr) {
        ++counters_.reads_shared;
        sink_.PostRead(part.worker, part.read_id, std::move(kept));
        continue;
      }
    }
    if (PendingCall* call = SharedCall(link, part); call != nullptr) {
      ++counters_.reads_shared;
      call->sharing.push_back(std::move(part));
    } else {
      BeginCall(link, std::move(part));
    }
  }
  if (!gone.empty()) {  // numbers are never used again: nobody will answer
    PendingRead part = read;
    part.from = std::move(gone);
    FailRead(part);
  }
  if (unattached.empty()) return;
  read.from = std::move(unattached);
  AskLater(std::move(read), now);
}

PendingCall* LinkCore::SharedCall(LinkState& link, const PendingRead& read) {
  if (!read.claims.empty() || read.alone) return nullptr;
  const StringMap<uint64_t>& under_way = CallsLike(link, read);
  const auto found = under_way.find(read.channel);
  if (found == under_way.end()) return nullptr;
  PendingCall& call = *calls_.at(found->second);
  // Whether it goes on far enough, the answer shows.
  const bool may_serve = read.history ? KeptHistories::BeginsNoLater(call.read.from, read.from)
                                      : OfTheSameSlots(call.read.from, read.from);
  return may_serve ? &call : nullptr;
}

StringMap<uint64_t>& LinkCore::CallsLike(LinkState& link, const PendingRead& read) {
  return read.history ? link.histories : link.snapshots;
}

void LinkCore::BeginCall(LinkState& link, PendingRead read) {
  const uint64_t number = next_call_++;
  v1::SnapshotRequest snapshot;
  v1::HistoryRequest history;
  for (const auto& [slot, offset] : read.from) {
    if (const auto claim =
            std::find_if(read.claims.begin(), read.claims.end(),
                         [number = slot](const SlotClaim& one) { return one.slot == number; });
        claim != read.claims.end()) {
      v1::Claim* entry = history.add_claims();
      entry->set_slot(link.numbers.at(slot));
      entry->set_offset(offset);
      entry->set_fingerprint(claim->fingerprint);
      entry->set_fingerprint_at(claim->fingerprint_at);
      entry->set_attach_id(slots_[slot]->attach_id);
      continue;
    }
    v1::SlotOffset* entry = read.history ? history.add_after() : snapshot.add_not_before();
    entry->set_slot(link.numbers.at(slot));
    entry->set_offset(offset);
    // What is asked is about the topic that the attachment is of; by the time of the answer there
    // may be another one by its name.
    entry->set_attach_id(slots_[slot]->attach_id);
    if (read.history) *history.add_not_before() = *entry;
  }
  auto& call = calls_[number];
  call = std::make_unique<PendingCall>();
  call->link = link.id;
  for (const auto& [slot, offset] : read.from) {
    // Where a record is known every attachment from now on has to prove it.
    const bool shown = slots_[slot]->fingerprint_at >= 0;
    call->asked.push_back({link.numbers.at(slot), slot,
                           shown ? PendingCall::Asked::kAnyAttachment : slots_[slot]->attach_id});
  }
  call->read = std::move(read);
  if (call->read.claims.empty()) CallsLike(link, call->read)[call->read.channel] = number;
  if (call->read.history) {
    history.set_channel(call->read.channel);
    history.set_node_id(link.node_id);
    sink_.StartRead(link.id, number, std::move(history));
  } else {
    snapshot.set_channel(call->read.channel);
    snapshot.set_node_id(link.node_id);
    sink_.StartRead(link.id, number, std::move(snapshot));
  }
}

bool LinkCore::IsStill(const LinkState& link, const PendingCall::Asked& asked) const {
  // The ingest's number may have come to mean another one of ours: its topic was made anew.
  const auto now = link.slots.find(asked.theirs);
  if (now == link.slots.end() || now->second != asked.ours) return false;
  return asked.attachment == PendingCall::Asked::kAnyAttachment ||
         asked.attachment == slots_[asked.ours]->attach_id;
}

void LinkCore::OnReadResponse(uint64_t number, const v1::ReadResponse& response, MonoTime now) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  PendingCall& call = *found->second;
  const LinkState* link = FindLink(call.link);
  if (link == nullptr) return;
  std::optional<ChannelPattern> pattern;
  if (IsChannelPattern(call.read.channel)) pattern = *ChannelPattern::Parse(call.read.channel);
  const uint64_t hash = pattern.has_value() ? ChannelHash(call.read.channel) : 0;
  for (const v1::Event& event : response.events()) {
    const PendingCall::Asked* const asked = call.Find(event.slot());
    if (asked == nullptr) {
      scratch_.Clear();
      return OnReadFailed(number, "the answer is about a slot that was not asked for", now);
    }
    View(event);
    matches_.clear();
    for (uint32_t i = 0; pattern.has_value() && matches_.empty() && i < scratch_.channels.size();
         ++i) {
      if (pattern->Matches(scratch_.channels[i])) matches_.push_back({pattern->text(), hash, i});
    }
    call.result.events.push_back(
        EdgeEvent::Make(scratch_, asked->ours, variants_.size(), matches_));
  }
  scratch_.Clear();
  if (!response.last()) return;
  for (const v1::SlotOffset& as_of : response.as_of()) {
    const PendingCall::Asked* const asked = call.Find(as_of.slot());
    // Lost, or another one since: asked again of whoever serves it now, if it is still there.
    if (asked == nullptr || !IsStill(*link, *asked)) {
      return OnReadFailed(number, "the slot is no longer what it was", now);
    }
    call.result.as_of.push_back({asked->ours, as_of.offset(),
                                 static_cast<uint16_t>(as_of.fingerprint()),
                                 as_of.fingerprint_back()});
  }
  for (const EdgeBatch::Progress& as_of : call.result.as_of) {
    // Nothing was taken in yet, and clients are told this: the next attach has to show it.
    SlotState& slot = *slots_[as_of.slot];
    if (slot.fingerprint_at >= 0 || as_of.fingerprint == 0) continue;
    slot.fingerprint = as_of.fingerprint;
    slot.fingerprint_at = as_of.upto - static_cast<int64_t>(as_of.fingerprint_back);
  }
  for (const int verdict : response.verdicts()) call.result.verdicts.push_back(VerdictOf(verdict));
  for (const v1::Gap& gap : response.gaps()) {
    if (const PendingCall::Asked* const asked = call.Find(gap.slot()); asked != nullptr) {
      call.result.gaps.push_back({asked->ours, gap.from(), gap.to(), gap.reason()});
    }
  }
  call.result.complete = response.complete();
  call.result.since_us = response.since_us();
  FinishCall(std::move(*TakeCall(number)), now);
}

void LinkCore::FinishCall(PendingCall call, MonoTime now) {
  if (call.result.as_of.size() != call.read.from.size() ||
      (!call.read.claims.empty() && call.result.verdicts.size() != call.read.from.size())) {
    FailRead(call.read);
    for (const PendingRead& read : call.sharing) FailRead(read);
  } else {
    const auto result = std::make_shared<const EdgeReadResult>(std::move(call.result));
    sink_.PostRead(call.read.worker, call.read.read_id, result);
    for (PendingRead& read : call.sharing) {
      if (read.history ? KeptHistories::Serves(call.read.from, *result, read.from)
                       : Includes(*result, read.from)) {
        sink_.PostRead(read.worker, read.read_id, result);
      } else {  // it came when the answer was made already, or wants more than that
        read.alone = read.history;
        waiting_reads_.push_back(std::move(read));
      }
    }
    if (call.read.history && call.read.claims.empty() && result->gaps.empty()) {
      kept_histories_.Keep(std::move(call.read.channel), std::move(call.read.from), result, now);
    }
  }
  StartReads(now);
}

void LinkCore::OnReadFailed(uint64_t number, std::string_view error, MonoTime now) {
  std::unique_ptr<PendingCall> call = TakeCall(number);
  if (call == nullptr) return;
  if (TimedOut(call->read, now)) {
    sink_.Report("read_failed", std::string(error));
  }
  AskLater(std::move(call->read), now);
  for (PendingRead& read : call->sharing) AskLater(std::move(read), now);
  StartReads(now);
}

std::unique_ptr<PendingCall> LinkCore::TakeCall(uint64_t number) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return nullptr;
  std::unique_ptr<PendingCall> call = std::move(found->second);
  calls_.erase(found);
  LinkState* link = FindLink(call->link);
  if (link == nullptr) return call;
  StringMap<uint64_t>& under_way = CallsLike(*link, call->read);
  const auto shared = under_way.find(call->read.channel);
  if (shared != under_way.end() && shared->second == number) under_way.erase(shared);
  return call;
}

void LinkCore::DropReads(LinkId link, MonoTime now) {
  for (auto call = calls_.begin(); call != calls_.end();) {
    if (call->second->link != link) {
      ++call;
      continue;
    }
    call->second->sharing.push_back(std::move(call->second->read));
    for (PendingRead& read : call->second->sharing) {
      read.not_before = now;
      later_reads_.push_back(std::move(read));
    }
    calls_.erase(call++);
  }
}

void LinkCore::AskLater(PendingRead read, MonoTime now) {
  if (TimedOut(read, now)) {
    FailRead(read);
    return;
  }
  read.not_before = now + options_.read_retry;
  later_reads_.push_back(std::move(read));
}

void LinkCore::FailRead(const PendingRead& read) {
  auto result = std::make_shared<EdgeReadResult>();
  result->failed = true;
  for (const auto& [slot, offset] : read.from) result->as_of.push_back({slot, offset});
  sink_.PostRead(read.worker, read.read_id, std::move(result));
}

}  // namespace spillway::edge
