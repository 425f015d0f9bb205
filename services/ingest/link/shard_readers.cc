// ShardCore: taking partitions up, giving attachments their place, catching up, backfill.

#include <algorithm>
#include <limits>
#include <utility>

#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {
namespace {

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
}  // namespace

void ShardCore::Refuse(LinkId link, const v1::Attach& attach, std::string_view code,
                       std::string_view message) {
  v1::LinkResponse answer;
  v1::AttachRefused* refused = answer.mutable_attach_refused();
  refused->set_slot(attach.slot());
  refused->set_attach_id(attach.attach_id());
  refused->set_code(std::string(code));
  refused->set_message(std::string(message));
  sink_.SendAnswer(link, std::move(answer));
}

void ShardCore::Resolve(Slot& slot) {
  if (slot.resolve_under_way) return;
  slot.resolve_under_way = true;
  source_.Resolve(slot.info.id);
}

void ShardCore::SettleOrResolve(Slot& slot, MonoTime now) {
  if (slot.phase == Slot::Phase::kReading) {
    bool all = true;
    ForEachAttachment(slot.info.id, [&](EdgeFeed& feed, Attachment& attachment) {
      if (attachment.state != Attachment::State::kWaiting) return;
      all = Settle(slot, feed, attachment, /*begin_is_fresh=*/false) && all;
    });
    moved_ = true;
    if (!all) Resolve(slot);
    return;
  }
  if (slot.phase == Slot::Phase::kIdle) {
    slot.phase = Slot::Phase::kResolving;
    slot.state = v1::READER_STATE_STALLED;
    slot.state_since = now;
  }
  Resolve(slot);
}

bool ShardCore::Settle(Slot& slot, EdgeFeed& feed, Attachment& attachment, bool begin_is_fresh) {
  const v1::Attach& request = attachment.request;
  if (request.from_case() == v1::Attach::kEnd) {
    Accept(feed, attachment, slot.log->head(), std::nullopt);
    return true;
  }
  const bool from_begin = request.from_case() == v1::Attach::kBegin;
  if (!from_begin && request.after() >= slot.log->floor()) {
    Accept(feed, attachment, request.after(), std::nullopt);
    return true;
  }
  // One scan leads up to the log, another one may be needed for the proof: first this, then that.
  if (!attachment.proven) return true;
  if (!begin_is_fresh) return false;  // Kafka's own beginning decides what there still is
  int64_t after = from_begin ? slot.begin - 1 : request.after();
  if (TooFarBehind(slot, after)) {
    SkipToLog(slot, feed, attachment, after);
    return true;
  }
  std::optional<v1::Gap> gap;
  if (after < slot.begin - 1) {
    gap = MakeGap(slot.info.id, after + 1, slot.begin - 1, "retention");
    after = slot.begin - 1;
    ++counters_.gaps;
  }
  Accept(feed, attachment, after, std::move(gap));
  if (after < slot.log->floor()) {
    attachment.state = Attachment::State::kScan;
    StartCatchUp(slot);
  }
  return true;
}

void ShardCore::OnResolved(SlotId id, int64_t begin, int64_t end, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr) return;
  slot->resolve_under_way = false;
  ++slot->resolves;
  slot->unresolved.on = false;
  slot->begin = begin;
  slot->resolved_end = end;
  slot->begin_is_old = false;
  if (slot->phase == Slot::Phase::kResolving) {
    slot->end = end;  // of a topic that was made anew it is less than it was
    TakeUp(*slot, end, now);
    return;
  }
  slot->end = std::max(slot->end, end);
  if (slot->phase != Slot::Phase::kReading) return;
  JudgeAttachments(*slot, now);
  if (slot->phase != Slot::Phase::kReading) return;
  ForEachAttachment(id, [&](EdgeFeed& feed, Attachment& attachment) {
    if (attachment.state == Attachment::State::kWaiting) {
      Settle(*slot, feed, attachment, /*begin_is_fresh=*/true);
    }
  });
  moved_ = true;
}

void ShardCore::TakeUp(Slot& slot, int64_t end, MonoTime now) {
  // The live reader begins at the lowest place that somebody waits for and that Kafka has reached:
  // a position ahead of Kafka's end waits, until it is known to be of another topic.
  int64_t after = kNone;
  bool ahead = false;
  const auto consider = [&](int64_t wanted) {
    if (wanted >= end) {
      ahead = true;
      return;
    }
    // Who is too far back is not waited for: it will go on at the end.
    const int64_t place = std::max(wanted, slot.begin - 1);
    const bool skips = end - 1 - place > slot.bounds.catch_up_records;
    after = std::min(after, skips ? end - 1 : place);
  };
  ForEachAttachment(slot.info.id, [&](EdgeFeed&, Attachment& attachment) {
    switch (attachment.request.from_case()) {
      case v1::Attach::kAfter:
        consider(attachment.request.after());
        break;
      case v1::Attach::kBegin:
        consider(slot.begin - 1);
        break;
      default:
        consider(end - 1);
        break;
    }
  });
  for (const Slot::Prepare& prepare : slot.prepares) consider(prepare.after);
  // The reader meets the records that prove the positions.
  for (const Slot::Unproven& one : slot.unproven) {
    const v1::Claim& claim = one.claim.claim;
    const bool near = claim.offset() - claim.fingerprint_at() <= options_.claim_reread_records;
    if (claim.fingerprint() != 0 && claim.offset() < end && near)
      consider(claim.fingerprint_at() - 1);
  }
  if (after == kNone) {
    if (ahead) {
      slot.retry_resolve = true;
      slot.retry_at = now + options_.resolve_retry;
      moved_ = true;
    } else {
      slot.phase = Slot::Phase::kIdle;  // everyone has gone meanwhile
    }
    return;
  }
  StartReader(slot, after, now);
  if (slot.compacted()) slot.log->NoteHolesBefore(end);  // later ones are read in time
  JudgeAttachments(slot, now);
  ForEachAttachment(slot.info.id, [&](EdgeFeed& feed, Attachment& attachment) {
    if (attachment.request.from_case() == v1::Attach::kEnd) {
      Accept(feed, attachment, end - 1, std::nullopt);
    } else {
      Settle(slot, feed, attachment, /*begin_is_fresh=*/true);
    }
  });
  moved_ = true;
}

void ShardCore::OnResolveFailed(SlotId id, std::string_view code, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr) return;
  slot->resolve_under_way = false;
  if (slot->phase == Slot::Phase::kResolving) {
    slot->unresolved.Begin(now);
    slot->code = code;
  }
  slot->retry_resolve = true;
  slot->retry_at = now + options_.resolve_retry;
}

void ShardCore::StartReader(Slot& slot, int64_t after, MonoTime now) {
  slot.phase = Slot::Phase::kReading;
  slot.log = std::make_unique<PartitionLog>(slot.bounds.log, after);
  slot.live_from = after + 1;
  ++slot.readers;
  slot.backfilled = !slot.info.keeps_latest;
  slot.backfill_not_before = now;
  slot.backfill_next = slot.old_end = -1;
  if (slot.info.keeps_latest) {
    slot.latest =
        std::make_unique<LatestTable>(slot.bounds.latest_bytes, slot.info.horizon_ms * 1'000);
    slot.latest->StartsAt(StillToCome(now), slot.live_from);
    if (slot.live_from <= slot.begin) {  // the live reader itself reads everything there is
      slot.latest->BackfillJoined(slot.info.horizon_ms == 0, wall_us_);
      slot.backfilled = true;
    }
  }
  slot.unattached_since = now;
  slot.state = v1::READER_STATE_STARTING;
  slot.state_since = slot.quiet_since = now;
  slot.heard = false;
  slot.failed.on = slot.leader_away.on = slot.kafka_away.on = false;
  if (!kafka_up_) slot.kafka_away.Begin(now);
  source_.StartLive(slot.info.id, slot.live_from, slot.begin);
}

void ShardCore::StopReader(Slot& slot) {
  if (slot.phase == Slot::Phase::kReading) {
    StopScan(slot);
    source_.StopLive(slot.info.id);
  }
  slot.phase = Slot::Phase::kIdle;
  slot.log.reset();
  slot.latest.reset();
  slot.reread = Reread();
  slot.retry_resolve = false;
  slot.unresolved.on = false;
  slot.prepares.clear();
  slot.unproven.clear();
}

void ShardCore::StartCatchUp(Slot& slot) {
  int64_t lowest = kNone;
  ForEachAttachment(slot.info.id, [&](EdgeFeed&, Attachment& attachment) {
    if (attachment.state == Attachment::State::kScan) lowest = std::min(lowest, attachment.cursor);
  });
  if (slot.scan == Slot::Scan::kCatchUp && slot.window->floor() <= lowest) {
    ForEachAttachment(slot.info.id, [&](EdgeFeed&, Attachment& attachment) {
      if (attachment.state != Attachment::State::kScan) return;
      attachment.next_sequence = slot.window->SequenceAfter(attachment.cursor);
    });
    return;  // the running scan serves the new one too
  }
  StopScan(slot);
  slot.scan = Slot::Scan::kCatchUp;
  // scan_room() bounds it: evicting by itself would lose what somebody waits for.
  slot.window = std::make_unique<PartitionLog>(
      PartitionLog::Bounds{.max_bytes = std::numeric_limits<size_t>::max(),
                           .max_age_us = kNone / 2,
                           .evicted_channels = 0},
      lowest);
  if (slot.compacted()) slot.window->NoteHolesBefore(kNone);
  ForEachAttachment(slot.info.id, [&](EdgeFeed&, Attachment& attachment) {
    if (attachment.state == Attachment::State::kScan) attachment.next_sequence = 0;
  });
  ++counters_.scans;
  source_.StartScan(slot.info.id, lowest + 1, -1, slot.begin);
}

void ShardCore::MaybeStartBackfill(Slot& slot, MonoTime now) {
  if (slot.backfilled || slot.scan != Slot::Scan::kNone || !kafka_up_ ||
      now < slot.backfill_not_before) {
    return;
  }
  if (slot.begin_is_old) {  // retention may have moved it since
    if (!slot.retry_resolve) Resolve(slot);
    return;
  }
  slot.scan = Slot::Scan::kBackfill;
  ++counters_.scans;
  if (slot.backfill_next >= 0) {
    source_.StartScan(slot.info.id, std::max(slot.begin, slot.backfill_next), -1, slot.begin);
    return;
  }
  int64_t from_time_ms = -1;
  slot.backfill_since_us = 0;
  if (slot.info.horizon_ms > 0) {
    from_time_ms = wall_us_ / 1000 - slot.info.horizon_ms;
    slot.backfill_since_us = from_time_ms * 1000;
  }
  source_.StartScan(slot.info.id, slot.begin, from_time_ms, slot.begin);
}

void ShardCore::StopScan(Slot& slot) {
  if (slot.scan == Slot::Scan::kNone) return;
  source_.StopScan(slot.info.id);
  slot.scan = Slot::Scan::kNone;
  slot.window.reset();
}

void ShardCore::OnScanRecord(SlotId id, const NormalisedRecord& record, MonoTime) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->scan == Slot::Scan::kNone) return;
  if (slot->scan == Slot::Scan::kCatchUp) {
    slot->window->Append(record.record);
    moved_ = true;
    return;
  }
  if (slot->scan == Slot::Scan::kHistory) {
    slot->reread.window->Append(record.record);
    ++counters_.reread_records;
    moved_ = true;
    return;
  }
  const int64_t offset = record.record.offset;
  slot->backfill_next = offset + 1;
  if (offset < slot->live_from) ApplyLatest(*slot, record);
  if (offset >= slot->live_from - 1) ScanReached(*slot);
}

void ShardCore::ApplyLatest(Slot& slot, const NormalisedRecord& record) {
  const uint64_t before = slot.latest->evicted();
  slot.latest->Apply(record);
  counters_.latest_evicted += slot.latest->evicted() - before;
}

void ShardCore::OnScanEnd(SlotId id, int64_t next_offset, MonoTime) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->scan == Slot::Scan::kNone) return;
  if (slot->scan == Slot::Scan::kCatchUp) {
    slot->window->AdvanceHead(next_offset - 1);
    moved_ = true;
  } else if (slot->scan == Slot::Scan::kHistory) {
    slot->reread.window->AdvanceHead(next_offset - 1);
    moved_ = true;
  } else {
    ScanReached(*slot);
  }
}

void ShardCore::OnScanError(SlotId id, std::string_view error, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->scan == Slot::Scan::kNone) return;
  if (slot->scan == Slot::Scan::kCatchUp) {
    for (auto& [link, feed] : feeds_) {
      Attachment* attachment = feed->Find(id);
      if (attachment == nullptr || attachment->state != Attachment::State::kScan) continue;
      Refuse(link, attachment->request, "lost_position", error);
      feed->Remove(id, attachment->attach_id);
      if (--slot->attached == 0) slot->unattached_since = now;
    }
  }
  slot->begin_is_old = true;
  slot->backfill_not_before = now + std::chrono::seconds(1);
  StopScan(*slot);
}

void ShardCore::ScanReached(Slot& slot) {
  if (slot.scan == Slot::Scan::kBackfill) {
    slot.latest->BackfillJoined(slot.info.horizon_ms == 0, slot.backfill_since_us);
    slot.backfilled = true;
    StopScan(slot);
    return;
  }
  uint64_t needed = slot.window->end_sequence();
  bool any = false;
  ForEachAttachment(slot.info.id, [&](EdgeFeed&, Attachment& attachment) {
    if (attachment.state != Attachment::State::kScan) return;
    if (attachment.cursor >= slot.log->floor()) {  // from here on the log has everything
      attachment.state = Attachment::State::kLog;
      attachment.next_sequence = slot.log->SequenceAfter(attachment.cursor);
      moved_ = true;
      return;
    }
    any = true;
    // Who joined the scan further on than it has come needs nothing of what it reads until then.
    needed = std::min(
        needed, std::max(attachment.next_sequence, slot.window->SequenceAfter(attachment.cursor)));
  });
  if (any) {
    slot.window->EvictBefore(needed);
  } else {
    StopScan(slot);
  }
}

bool ShardCore::scan_room() const {
  size_t bytes = 0;
  for (const auto& [id, slot] : slots_) {
    if (slot->window != nullptr) bytes += slot->window->bytes();
  }
  return bytes < options_.scan_window_bytes;
}

void ShardCore::AnswerPrepares(Slot& slot) {
  std::erase_if(slot.prepares, [&](const Slot::Prepare& prepare) {
    // Below the log it is never covered: the edge gives the move up by itself.
    if (slot.log->floor() > prepare.after) return true;
    if (slot.log->head() < prepare.after) return false;
    v1::LinkResponse answer;
    answer.mutable_prepared()->set_slot(slot.info.id);
    answer.mutable_prepared()->set_after(prepare.after);
    sink_.SendAnswer(prepare.link, std::move(answer));
    return true;
  });
}

}  // namespace spillway::ingest
