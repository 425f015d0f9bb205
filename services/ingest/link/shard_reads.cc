// ShardCore: snapshots and history of one channel.

#include <algorithm>
#include <utility>

#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {

void ShardCore::ReadSnapshot(uint64_t read_id, std::string channel,
                             std::vector<v1::SlotOffset> not_before, MonoTime now) {
  PendingRead read{.id = read_id,
                   .channel = std::move(channel),
                   .history = false,
                   .after = {},
                   .not_before = Bounded(std::move(not_before)),
                   .begun = now};
  read.Prepare();
  if (!TryRead(read, now)) reads_.push_back(std::move(read));
}

void ShardCore::ReadHistory(uint64_t read_id, std::string channel,
                            std::vector<v1::SlotOffset> after,
                            std::vector<v1::SlotOffset> not_before, MonoTime now) {
  PendingRead read{.id = read_id,
                   .channel = std::move(channel),
                   .history = true,
                   .after = Bounded(std::move(after)),
                   .not_before = Bounded(std::move(not_before)),
                   .begun = now};
  read.Prepare();
  if (TryRead(read, now)) return;
  reads_.push_back(std::move(read));
  moved_ = true;  // what it waits for begins with the end of this turn
}

void ShardCore::TryReads(MonoTime now) {
  for (const SlotId id : rereads_) {
    if (Slot* slot = FindSlot(id); slot != nullptr) slot->reread.ForgetWaiting();
  }
  JudgeAllAttachments(now);
  std::erase_if(reads_, [&](PendingRead& read) { return TryRead(read, now); });
  if (!rereads_.empty()) DriveRereads(now);
}

ShardCore::Standing ShardCore::StandingOf(SlotId slot, uint64_t attach_id) {
  if (attach_id == 0) return Standing::kProven;
  Standing standing = Standing::kNone;
  ForEachAttachment(slot, [&](EdgeFeed&, const Attachment& attachment) {
    if (attachment.attach_id != attach_id) return;
    standing = attachment.proven ? Standing::kProven : Standing::kUnproven;
  });
  return standing;
}

bool ShardCore::TryRead(PendingRead& read, MonoTime now) {
  if (!read.claims.empty()) return TryClaims(read, now);
  ReadResult result;
  bool wait = false;
  const auto check = [&](const v1::SlotOffset& wanted) {
    const Slot* slot = FindSlot(wanted.slot());
    const Standing standing = StandingOf(wanted.slot(), wanted.attach_id());
    if (slot == nullptr || slot->phase == Slot::Phase::kIdle || standing == Standing::kNone) {
      result.error = "not_served";
    } else if (standing == Standing::kUnproven || slot->phase != Slot::Phase::kReading ||
               slot->log->head() < wanted.offset() ||
               // Whoever asks just before the backfill joins would get nearly nothing, for ever.
               (!read.history && !(slot->backfilled && slot->log->past_noted_holes()) &&
                now - read.begun < options_.snapshot_wait)) {
      wait = true;
    }
  };
  for (const v1::SlotOffset& wanted : read.not_before) check(wanted);
  if (result.error.empty() && wait) {
    if (now - read.begun < options_.read_timeout) return false;
    result.error = "timeout";
  }
  if (result.error.empty() && !read.history) FillSnapshot(read, &result);
  if (result.error.empty() && read.history && !FillHistory(read, &result, now)) {
    if (now - read.begun < options_.read_timeout) return false;
    result = ReadResult();
    result.error = "timeout";
  }
  sink_.ReadDone(read.id, options_.shard, std::move(result));
  return true;
}

void ShardCore::FillSnapshot(const PendingRead& read, ReadResult* result) {
  for (const v1::SlotOffset& wanted : read.not_before) {
    const Slot& slot = *FindSlot(wanted.slot());
    v1::SlotOffset& as_of = result->as_of.emplace_back();
    as_of.set_slot(wanted.slot());
    as_of.set_offset(slot.log->head());
    SetMark(slot.log->head_mark(), as_of.offset(), &as_of);
    if (slot.latest == nullptr) continue;  // a topic without snapshots has nothing to add
    const auto take = [&](const std::shared_ptr<const std::string>& bytes) {
      result->events.push_back(bytes);
    };
    if (read.pattern.has_value()) {
      slot.latest->ForEachMatch(*read.pattern, take);
    } else {
      slot.latest->ForEach(read.channel, take);
    }
    // Compaction may have removed what a record replaces that the reader has not come to yet: some
    // keys would have no value at all.
    const bool whole = slot.log->past_noted_holes();
    if (!whole || !slot.latest->complete()) {
      result->complete = false;
      result->since_us = std::max(result->since_us, whole ? slot.latest->since_us() : wall_us_);
    }
  }
}

}  // namespace spillway::ingest
