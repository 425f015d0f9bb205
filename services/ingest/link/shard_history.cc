// ShardCore: what one channel had after a position: from the log, and below it by reading Kafka
// again.

#include <algorithm>
#include <limits>
#include <utility>

#include "common/wire/event_wire.h"
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

// Of a pattern: the first of its events for a channel that matches, if there is one.
size_t TakeFirst(const KeptRecord& record, const ChannelPattern& pattern, ReadResult* result) {
  wire::ChannelViews channels;
  for (const LogEvent& event : record.events) {
    const std::string_view bytes = record.EventBytes(event);
    if (!wire::ParseBatchEventChannels(bytes, &channels) ||
        std::none_of(channels.begin(), channels.end(),
                     [&](std::string_view channel) { return pattern.Matches(channel); })) {
      continue;
    }
    result->events.push_back(std::make_shared<const std::string>(bytes));
    return event.size;
  }
  return 0;
}

}  // namespace

bool ShardCore::FillHistory(const PendingRead& read, ReadResult* result, MonoTime now) {
  const size_t slots = std::max<size_t>(1, read.after.size());
  bool further = read.after.empty();
  for (const v1::SlotOffset& after : read.after) {
    Slot* slot = FindSlot(after.slot());
    if (slot == nullptr || slot->log == nullptr) {
      *result = ReadResult();
      result->error = "not_served";
      return true;
    }
    v1::SlotOffset& as_of = result->as_of.emplace_back();
    as_of.set_slot(after.slot());
    const HistoryPlace place = PlaceHistory(*slot, read, after.offset(), result, now);
    further = further || place.after > after.offset() || place.log != nullptr;
    if (place.log == nullptr) {
      as_of.set_offset(place.after);
      continue;
    }
    // Each slot has its share of the bounds, and comes at least one record further.
    const PartitionLog& log = *place.log;
    const size_t looks = std::max<size_t>(1, options_.history_records / slots);
    const uint64_t first = log.SequenceAfter(place.after);
    // The records of a channel are chained; for a pattern each is looked at, in its order.
    const uint64_t begin = read.pattern.has_value() ? first : log.FirstOf(read.hash, first, looks);
    const uint64_t look_end =
        read.pattern.has_value() ? std::min(begin + looks, log.end_sequence()) : log.end_sequence();
    size_t bytes = 0;
    uint64_t n = begin;
    int64_t taken_to = place.after;
    const auto tell_hole = [&](int64_t before) {
      const std::optional<PartitionLog::Range> hole = log.HoleBetween(taken_to, before);
      if (!hole.has_value()) return;
      result->gaps.push_back(MakeGap(after.slot(), hole->from, hole->to, "compacted"));
      ++counters_.gaps;
    };
    while (n < look_end && (n == begin || bytes < options_.history_bytes / slots)) {
      const KeptRecord& record = log.At(n);
      const size_t taken = read.pattern.has_value() ? TakeFirst(record, *read.pattern, result)
                                                    : TakeEvents(record, read.hash, result);
      if (taken > 0) {
        tell_hole(record.offset);
        taken_to = record.offset;
        bytes += taken;
      } else if (!read.pattern.has_value()) {
        break;  // not looked at yet
      }
      n = read.pattern.has_value() ? n + 1 : log.NextOf(read.hash, n);
    }
    if (n < log.end_sequence()) {
      const KeptRecord& last = log.At(n - 1);
      as_of.set_offset(last.offset);
      SetMark({last.offset, last.fingerprint}, last.offset, &as_of);
    } else {
      as_of.set_offset(std::max(log.head(), place.after));
      SetMark(log.head_mark(), as_of.offset(), &as_of);
    }
    tell_hole(as_of.offset() + 1);
    if (place.log == slot->reread.window.get()) {
      slot->reread.demand = std::max(slot->reread.demand, as_of.offset());
    }
  }
  return further;
}

ShardCore::HistoryPlace ShardCore::PlaceHistory(Slot& slot, const PendingRead& read, int64_t after,
                                                ReadResult* result, MonoTime now) {
  const auto tell_gap = [&](int64_t to, std::string_view reason) {
    result->gaps.push_back(MakeGap(slot.info.id, after + 1, to, reason));
    ++counters_.gaps;
    after = to;
  };
  const PartitionLog& log = *slot.log;
  if (read.IsCovered(log, after)) return {&log, after};
  if (after < slot.begin - 1) {
    tell_gap(slot.begin - 1, "retention");
    if (read.IsCovered(log, after)) return {&log, after};
  }
  if (log.floor() - after > slot.bounds.reread_records) {
    tell_gap(log.floor(), "limit");
    return {&log, after};
  }
  Reread& reread = slot.reread;
  rereads_.insert(slot.info.id);
  reread.used = now;
  if (reread.window == nullptr || !read.IsCovered(*reread.window, after)) {
    // Those who were cut off together show places not far from each other, in any order: whoever
    // comes next would have all of it read anew, for a few records before it.
    const int64_t lead = std::min((log.floor() - after) / 16, options_.most_reread_lead);
    reread.wanted = std::min(reread.wanted, std::max(after - lead, slot.begin - 1));
    return {nullptr, after};
  }
  if (reread.window->head() > after) return {reread.window.get(), after};
  reread.waiting = true;
  reread.demand = std::max(reread.demand, after);
  return {nullptr, after};
}

void ShardCore::DriveRereads(MonoTime now) {
  size_t running = 0;
  for (const SlotId id : rereads_) {
    const Slot* slot = FindSlot(id);
    if (slot != nullptr && slot->scan == Slot::Scan::kHistory) ++running;
  }
  absl::erase_if(rereads_, [&](SlotId id) {
    Slot* slot = FindSlot(id);
    return slot == nullptr || slot->log == nullptr || !DriveReread(*slot, &running, now);
  });
}

bool ShardCore::DriveReread(Slot& slot, size_t* running, MonoTime now) {
  Reread& reread = slot.reread;
  // Whoever the window does not serve has his turn when nobody waits for it any more.
  if (reread.wanted != Reread::kNone && !reread.waiting) {
    if (slot.scan == Slot::Scan::kHistory) {
      StopScan(slot);
      --*running;
    }
    reread.window = std::make_unique<PartitionLog>(
        PartitionLog::Bounds{.max_bytes = slot.bounds.reread_window_bytes,
                             .max_age_us = std::numeric_limits<int64_t>::max() / 2},
        reread.wanted);
    if (slot.compacted()) reread.window->NoteHolesBefore(Reread::kNone);
    reread.number = ++slot.windows;
    reread.demand = reread.wanted;
    reread.waiting = true;
  }
  if (slot.scan == Slot::Scan::kHistory) {
    if (reread.waiting) return true;
    // It may read ahead of those who took something just now: they will ask for more.
    const PartitionLog& window = *reread.window;
    const uint64_t ahead = window.end_sequence() - window.SequenceAfter(reread.demand);
    const bool far = window.size() > 0 &&
                     window.bytes() / window.size() * ahead >= slot.bounds.reread_window_bytes / 4;
    if (!far && window.head() < slot.log->floor() && now - reread.used < options_.reread_idle) {
      return true;
    }
    StopScan(slot);
    return true;
  }
  if (!reread.waiting) {
    if (now - reread.used < options_.reread_linger) return true;
    reread = Reread();
    return false;
  }
  if (slot.scan == Slot::Scan::kCatchUp || !kafka_up_ || *running >= options_.rereads) return true;
  if (slot.begin_is_old) {
    if (!slot.retry_resolve) Resolve(slot);
    return true;
  }
  if (reread.window->head() < slot.begin - 1) {  // what it would go on with is gone
    reread.window.reset();
    moved_ = true;
    return true;
  }
  StopScan(slot);  // a backfill goes on afterwards
  slot.scan = Slot::Scan::kHistory;
  ++*running;
  ++counters_.rereads;
  source_.StartScan(slot.info.id, reread.window->head() + 1, -1, slot.begin);
  return true;
}

}  // namespace spillway::ingest
