// ShardCore: snapshots and history of one channel.

#include <algorithm>
#include <utility>

#include "common/channel/channel_hash.h"
#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {
namespace {

// The record's events of a channel, and their bytes.
size_t TakeEvents(const KeptRecord& record, uint64_t channel, ReadResult* result) {
  size_t bytes = 0;
  for (const LogEvent& event : record.events) {
    if (std::find(event.channels.begin(), event.channels.end(), channel) == event.channels.end()) {
      continue;
    }
    result->events.push_back(std::make_shared<const std::string>(record.EventBytes(event)));
    bytes += event.size;
  }
  return bytes;
}

}  // namespace

void ShardCore::ReadSnapshot(uint64_t read_id, std::string channel,
                             std::vector<v1::SlotOffset> not_before, MonoTime now) {
  PendingRead read{.id = read_id,
                   .channel = std::move(channel),
                   .history = false,
                   .after = {},
                   .not_before = std::move(not_before),
                   .begun = now};
  if (!TryRead(read, now)) reads_.push_back(std::move(read));
}

void ShardCore::ReadHistory(uint64_t read_id, std::string channel,
                            std::vector<v1::SlotOffset> after,
                            std::vector<v1::SlotOffset> not_before, MonoTime now) {
  PendingRead read{.id = read_id,
                   .channel = std::move(channel),
                   .history = true,
                   .after = std::move(after),
                   .not_before = std::move(not_before),
                   .begun = now};
  if (!TryRead(read, now)) reads_.push_back(std::move(read));
}

void ShardCore::TryReads(MonoTime now) {
  std::erase_if(reads_, [&](PendingRead& read) { return TryRead(read, now); });
}

bool ShardCore::TryRead(PendingRead& read, MonoTime now) {
  ReadResult result;
  bool wait = false;
  const auto check = [&](const v1::SlotOffset& wanted) {
    const Slot* slot = FindSlot(wanted.slot());
    if (slot == nullptr || slot->phase == Slot::Phase::kIdle) {
      result.error = "not_served";
    } else if (slot->phase != Slot::Phase::kReading || slot->log->head() < wanted.offset() ||
               // Whoever asks just before the backfill joins would get nearly nothing, for ever.
               (!read.history && !slot->backfilled && now - read.begun < options_.snapshot_wait)) {
      wait = true;
    }
  };
  for (const v1::SlotOffset& wanted : read.not_before) check(wanted);
  if (result.error.empty() && wait) {
    if (now - read.begun < options_.read_timeout) return false;
    result.error = "timeout";
  }
  if (result.error.empty()) {
    if (read.history) {
      FillHistory(read, &result);
    } else {
      FillSnapshot(read, &result);
    }
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
    as_of.set_fingerprint(slot.log->head_fingerprint());
    if (slot.latest == nullptr) continue;  // a topic without snapshots has nothing to add
    slot.latest->ForEach(read.channel, [&](const std::shared_ptr<const std::string>& bytes) {
      result->events.push_back(bytes);
    });
    if (!slot.latest->complete()) {
      result->complete = false;
      result->since_us = std::max(result->since_us, slot.latest->since_us());
    }
  }
}

void ShardCore::FillHistory(const PendingRead& read, ReadResult* result) {
  const uint64_t hash = ChannelHash(read.channel);
  const size_t slots = std::max<size_t>(1, read.after.size());
  for (const v1::SlotOffset& after : read.after) {
    const Slot* slot = FindSlot(after.slot());
    if (slot == nullptr || slot->log == nullptr) {
      result->error = "not_served";
      return;
    }
    const PartitionLog& log = *slot->log;
    if (!log.Covers(hash, after.offset())) {
      v1::Gap& gap = result->gaps.emplace_back();
      gap.set_slot(after.slot());
      gap.set_from(after.offset() + 1);
      gap.set_to(log.floor());
      gap.set_reason("limit");
      ++counters_.gaps;
    }
    v1::SlotOffset& as_of = result->as_of.emplace_back();
    as_of.set_slot(after.slot());
    // Each slot has its share of the bounds, and comes at least one record further.
    const uint64_t begin =
        log.FirstOf(hash, log.SequenceAfter(after.offset()),
                    std::max<size_t>(1, options_.history_records / slots));
    size_t bytes = 0;
    uint64_t n = begin;
    while (n < log.end_sequence() && (n == begin || bytes < options_.history_bytes / slots)) {
      const size_t taken = TakeEvents(log.At(n), hash, result);
      if (taken == 0) break;  // not looked at yet
      bytes += taken;
      n = log.NextOf(hash, n);
    }
    if (n < log.end_sequence()) {
      const KeptRecord& last = log.At(n - 1);
      as_of.set_offset(last.offset);
      as_of.set_fingerprint(last.fingerprint);
    } else {
      as_of.set_offset(std::max(log.head(), after.offset()));
      as_of.set_fingerprint(log.head_fingerprint());
    }
  }
}

}  // namespace spillway::ingest
