// ShardCore: what the live readers bring, how each of them stands, and who is told.

#include <algorithm>
#include <utility>

#include "services/ingest/link/shard_core.h"
#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {

void ShardCore::OnLiveRecord(SlotId id, const NormalisedRecord& record, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->phase != Slot::Phase::kReading) return;
  ++counters_.records;
  counters_.events += record.record.events.size();
  Heard(*slot, v1::READER_STATE_FLOWING, now);
  if (slot->latest != nullptr) ApplyLatest(*slot, record);
  slot->log->Append(record.record);
  moved_ = true;
}

void ShardCore::OnLiveEnd(SlotId id, int64_t next_offset, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->phase != Slot::Phase::kReading) return;
  slot->log->AdvanceHead(next_offset - 1);
  slot->end = next_offset;
  Heard(*slot, v1::READER_STATE_IDLE, now);
  MaybeStartBackfill(*slot, now);  // live flows: now is the time for it
  moved_ = true;
}

void ShardCore::OnLiveError(SlotId id, bool lost_position, std::string_view code,
                            std::string_view error, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->phase != Slot::Phase::kReading) return;
  slot->heard = true;
  Fail(*slot, code, now, now);
  if (!lost_position) return;  // Kafka's client goes on trying by itself
  LosePosition(*slot, error);
}

void ShardCore::LosePosition(Slot& slot, std::string_view why) {
  // They come back by attaching after what they have, and are told what is missing.
  for (auto& [link, feed] : feeds_) {
    if (Attachment* attachment = feed->Find(slot.info.id); attachment != nullptr) {
      Refuse(link, attachment->request, "lost_position", why);
      feed->Remove(slot.info.id, attachment->attach_id);
    }
  }
  slot.attached = 0;
  StopReader(slot);
}

void ShardCore::OnEndSeen(SlotId id, int64_t end, MonoTime now) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->phase != Slot::Phase::kReading) return;
  slot->end = end;
  if (slot->compacted() && now - slot->old_end_at >= options_.late) {
    slot->log->NoteHolesBefore(std::exchange(slot->old_end, end));
    slot->old_end_at = now;
  }
  if (!std::exchange(slot->leader_away.on, false)) return;
  if (!slot->stalled()) slot->state_since = now;
}

void ShardCore::OnLeaderAway(SlotId id, MonoTime since, MonoTime lately) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr || slot->phase != Slot::Phase::kReading) return;
  // Not news while all of Kafka is away, nor when the reader has got something meanwhile: it takes
  // questions that were put since.
  if (!kafka_up_ || lately < kafka_up_since_ || lately <= slot->heard_at) return;
  slot->leader_away.Begin(std::max({since, kafka_up_since_, slot->heard_at}));
}

void ShardCore::SetKafkaUp(bool up, MonoTime now) {
  if (up == kafka_up_) return;
  kafka_up_ = up;
  if (up) kafka_up_since_ = now;
  for (auto& [id, slot] : slots_) {
    if (slot->phase != Slot::Phase::kReading) continue;
    if (!up) {
      slot->kafka_away.Begin(now);
      continue;
    }
    // A reader that was at the end of a quiet partition gives no sign when Kafka is back.
    slot->kafka_away.on = false;
    slot->leader_away.on = false;
    slot->state_since = now;
    slot->quiet_since = now;
    slot->restart_at = now + options_.restart;
  }
}

// Something came: whatever was thought to be in the way is not.
void ShardCore::Heard(Slot& slot, v1::ReaderState state, MonoTime now) {
  slot.heard = true;
  slot.heard_at = now;
  if (slot.state == state && !slot.stalled()) return;
  slot.failed.on = slot.leader_away.on = slot.kafka_away.on = false;
  slot.state = state;
  slot.state_since = now;
}

void ShardCore::Fail(Slot& slot, std::string_view code, MonoTime since, MonoTime now) {
  if (!slot.failed.on) slot.restart_at = now + options_.restart;
  slot.failed.Begin(since);
  slot.code = code;
}

void ShardCore::CheckReader(Slot& slot, bool busy, MonoTime now, size_t* restarts) {
  if (!slot.heard) {
    if (busy) slot.quiet_since = now;
    if (!slot.failed.on && kafka_up_ && now - slot.quiet_since >= options_.silence) {
      Fail(slot, "no_answer", slot.quiet_since, now);
    }
  }
  // Kafka's client tells an error, and the end of a partition, only once: whether a reader whose
  // partition is quiet may read again shows only when it begins anew, where it stands.
  if (!slot.failed.on || !kafka_up_ || now < slot.restart_at ||
      *restarts >= options_.restarts_at_once) {
    return;
  }
  ++*restarts;
  slot.restart_at = now + options_.restart;
  source_.StopLive(slot.info.id);
  if (slot.compacted()) slot.log->NoteHolesBefore(slot.end);
  source_.StartLive(slot.info.id, slot.head() + 1, slot.begin);
}

ShardCore::ReaderStatus ShardCore::StatusOf(const Slot& slot) const {
  ReaderStatus status;
  status.slot = slot.info.id;
  status.reading = slot.phase == Slot::Phase::kReading;
  status.head = slot.head();
  status.lag = slot.lag();
  if (!status.reading) {
    status.stalled = slot.phase == Slot::Phase::kResolving && slot.unresolved.on &&
                     (slot.attached > 0 || !slot.prepares.empty());
    status.since = slot.unresolved.since;
    status.reason = slot.code;
    return status;
  }
  status.stalled = slot.stalled();
  if (!status.stalled) return status;
  status.since = MonoTime::max();
  const auto consider = [&](const Slot::Stall& stall, std::string_view reason) {
    if (!stall.on) return;
    status.since = std::min(status.since, stall.since);
    status.reason = reason;
  };
  // The last one names it: an error of its own says most, unless Kafka as a whole is away.
  consider(slot.leader_away, "leader_unreachable");
  consider(slot.failed, slot.code);
  consider(slot.kafka_away, "kafka_unreachable");
  return status;
}

void ShardCore::PublishReaderStates(MonoTime now) {
  for (auto& [link, feed] : feeds_) {
    std::vector<v1::ReaderBeat> states;
    states.reserve(feed->attachments().size());
    for (const Attachment& attachment : feed->attachments()) {
      const Slot* slot = FindSlot(attachment.slot);
      if (slot == nullptr) continue;
      const ReaderStatus status = StatusOf(*slot);
      const MonoTime since = status.stalled ? status.since : slot->state_since;
      v1::ReaderBeat& beat = states.emplace_back();
      beat.set_slot(attachment.slot);
      beat.set_attach_id(attachment.attach_id);
      beat.set_state(status.stalled ? v1::READER_STATE_STALLED : slot->state);
      beat.set_since_ms(std::chrono::duration_cast<std::chrono::milliseconds>(now - since).count());
      beat.set_lag(status.lag);
      if (status.stalled) beat.set_reason(std::string(status.reason));
    }
    sink_.SetReaderStates(link, options_.shard, std::move(states));
  }
}

std::vector<ShardCore::ReaderStatus> ShardCore::reader_statuses() const {
  std::vector<ReaderStatus> statuses;
  for (const auto& [id, slot] : slots_) {
    ReaderStatus status = StatusOf(*slot);
    if (status.reading || status.stalled) statuses.push_back(status);
  }
  std::sort(statuses.begin(), statuses.end(),
            [](const ReaderStatus& a, const ReaderStatus& b) { return a.slot < b.slot; });
  return statuses;
}

size_t ShardCore::readers() const {
  return static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const auto& entry) {
    return entry.second->phase == Slot::Phase::kReading;
  }));
}

size_t ShardCore::stalled_readers() const {
  return static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [this](const auto& entry) {
    return StatusOf(*entry.second).stalled;
  }));
}

}  // namespace spillway::ingest
