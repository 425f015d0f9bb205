// LinkCore: taking batches in. A batch is the transaction: it is parsed once, to its end, before
// anything of it counts.

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {

void LinkCore::FindPatterns(const wire::EventView& view, SlotNumber slot) {
  matches_.clear();
  if (patterns_.empty()) return;
  // What a record yields for one subscription is one event.
  const bool in_kafka = slot != kNoSlot;
  if (!in_kafka || slot != record_slot_ || view.offset != record_offset_) {
    ++record_;
    record_slot_ = slot;
    record_offset_ = view.offset;
  }
  for (uint32_t i = 0; i < view.channels.size(); ++i) {
    patterns_.ForEachMatch(view.channels[i],
                           [&](const ChannelPattern& pattern, ChannelInterest* interest) {
                             if (std::exchange(interest->record, record_) == record_) return;
                             matches_.push_back({pattern.text(), interest->hash, i});
                           });
  }
}

Ref<EdgeEvent> LinkCore::Take(const wire::EventView& view, SlotNumber slot) {
  bool wanted = false;
  for (std::string_view channel : view.channels) {
    if (interests_.contains(channel)) {
      wanted = true;
      break;
    }
  }
  FindPatterns(view, slot);
  // Else a hash collision, or interest that has just ended.
  if (!wanted && matches_.empty()) return {};
  Ref<EdgeEvent> event = EdgeEvent::Make(view, slot, variants_.size(), matches_);
  // Encoded here, once, for everyone who will send it; a worker that meets a variant which nobody
  // wanted a moment ago makes that frame itself.
  for (size_t channel = 0; channel < event->channel_count(); ++channel) {
    const auto interest = interests_.find(event->channel(channel));
    if (interest == interests_.end() || (*interest)->workers.empty()) continue;
    variants_.EncodeAhead(*event, channel);
  }
  return event;
}

void LinkCore::TakeIn(SlotState& slot, int64_t upto, uint32_t fingerprint, uint64_t back,
                      EdgeBatch* batch) {
  slot.taken = upto;
  if (fingerprint != 0) {  // else the last one that is known still stands where it stood
    slot.fingerprint = static_cast<uint16_t>(fingerprint);
    slot.fingerprint_at = upto - static_cast<int64_t>(back);
  }
  batch->progress.push_back({slot.number(), upto, static_cast<uint16_t>(fingerprint), back});
}

void LinkCore::OnBatch(LinkState& link, std::string_view bytes, MonoTime now) {
  struct Entry {
    SlotState* slot;
    wire::ProgressView progress;
  };
  // A slot that the batch has events of. Whether they count is known when its progress was read.
  struct Source {
    uint32_t ingest_slot;
    SlotState* slot;  // null if it is not attached here
    uint64_t events = 0;
    uint64_t behind = 0;
    uint64_t taken = 0;
  };
  absl::InlinedVector<Entry, 8> current;
  absl::InlinedVector<Source, 8> sources;
  size_t last = 0;  // of sources: events come in runs of one slot
  wire::ProgressView progress;
  std::string_view event_bytes;
  auto batch = std::make_shared<EdgeBatch>();
  record_slot_ = kNoSlot;  // one of before may come again

  // Nothing of this link or of the slots changes before the end has shown that the batch is whole.
  for (wire::BatchReader reader(bytes);;) {
    const auto kind = reader.Next(&progress, &event_bytes);
    if (kind == wire::BatchReader::Kind::kEnd) break;
    if (kind == wire::BatchReader::Kind::kMalformed ||
        (kind == wire::BatchReader::Kind::kEvent && !wire::ParseEvent(event_bytes, &scratch_))) {
      ++counters_.malformed;
      sink_.CloseLink(link.id, LinkEnd::kMalformed);
      DropLink(link, now);
      return;
    }
    if (kind == wire::BatchReader::Kind::kProgress) {
      SlotState* slot = CurrentSlot(link, progress.slot, progress.attach_id);
      if (slot != nullptr && slot->phase == SlotState::Phase::kAttached) {
        current.push_back({slot, progress});
      }
      continue;
    }
    if (last >= sources.size() || sources[last].ingest_slot != scratch_.slot) {
      for (last = 0; last < sources.size(); ++last) {
        if (sources[last].ingest_slot == scratch_.slot) break;
      }
      if (last == sources.size()) {
        sources.push_back({scratch_.slot, AttachedSlot(link, scratch_.slot)});
      }
    }
    Source& source = sources[last];
    ++source.events;
    if (source.slot == nullptr) continue;
    if (scratch_.offset <= source.slot->taken) {
      ++source.behind;
    } else if (Ref<EdgeEvent> event = Take(scratch_, source.slot->number()); event) {
      ++source.taken;
      batch->events.push_back(std::move(event));
    }
  }
  ++counters_.batches;
  counters_.batch_bytes += bytes.size();

  for (const Source& source : sources) {
    const bool counts = std::any_of(current.begin(), current.end(),
                                    [&](const Entry& entry) { return entry.slot == source.slot; });
    if (counts) {
      counters_.events += source.taken;
      counters_.records_behind += source.behind;
      continue;
    }
    counters_.void_events += source.events;
    if (source.taken == 0) continue;
    // Of an attachment that ended while the batch was on its way.
    std::erase_if(batch->events, [number = source.slot->number()](const Ref<EdgeEvent>& event) {
      return event->slot() == number;
    });
  }
  for (const Entry& entry : current) {
    if (entry.progress.interest_sequence != 0) {
      CoverageKnown(*entry.slot, link, entry.progress.interest_sequence,
                    entry.progress.interest_after);
    }
    if (entry.progress.upto <= entry.slot->taken) continue;
    TakeIn(*entry.slot, entry.progress.upto, entry.progress.fingerprint,
           entry.progress.fingerprint_back, batch.get());
  }
  PostCoverage();  // before what comes after its beginning
  if (batch->events.empty() && batch->progress.empty()) {
    OnBatchReleased(link.id, bytes.size());
    return;
  }
  sink_.PostBatch(std::move(batch), link.id, bytes.size());
}

void LinkCore::OnPart(LinkState& link, const v1::BatchPart& part, MonoTime now) {
  if (link.parts.size() + part.data().size() > options_.max_parts_bytes) {
    ++counters_.malformed;
    sink_.CloseLink(link.id, LinkEnd::kTooLarge);
    DropLink(link, now);
    return;
  }
  link.parts.append(part.data());
  if (!part.last()) return;
  const std::string whole = std::exchange(link.parts, {});
  OnBatch(link, whole, now);
}

void LinkCore::View(const v1::Event& event) {
  scratch_.Clear();
  scratch_.slot = event.slot();
  scratch_.offset = event.offset();
  for (const std::string& channel : event.channels()) scratch_.channels.push_back(channel);
  scratch_.type = event.type();
  scratch_.key = event.key();
  scratch_.event_time_us = event.event_time_us();
  scratch_.payload = event.payload();
  scratch_.encoding = event.encoding();
  scratch_.priority = event.priority();
  scratch_.trace_id = event.trace_id();
  scratch_.tombstone = event.tombstone();
}

void LinkCore::LoseEphemeral(MonoTime now) {
  ephemeral_lost_ = true;
  TellEphemeralGap(now);
}

void LinkCore::TellEphemeralGap(MonoTime now) {
  if (!ephemeral_lost_ || now < next_ephemeral_gap_) return;
  ephemeral_lost_ = false;
  // An ingest that drops events drops many: the clients' queues need not fill with that, too.
  next_ephemeral_gap_ = now + options_.ephemeral_gap_interval;
  sink_.PostEphemeralGap();
}

void LinkCore::OnEphemeral(LinkState& link, const v1::EphemeralBatch& batch, size_t bytes,
                           MonoTime now) {
  if (batch.first() != link.next_ephemeral) {
    ++counters_.ephemeral_gaps;
    LoseEphemeral(now);
  }
  link.next_ephemeral = batch.first() + static_cast<uint64_t>(batch.events_size());
  std::vector<Ref<EdgeEvent>> events;
  for (const v1::Event& event : batch.events()) {
    View(event);
    if (Ref<EdgeEvent> taken = Take(scratch_, kNoSlot); taken) {
      ++counters_.ephemeral;
      events.push_back(std::move(taken));
    }
  }
  scratch_.Clear();  // it points into the batch
  if (events.empty()) {
    OnBatchReleased(link.id, bytes);
  } else {
    sink_.PostEphemeral(std::move(events), link.id, bytes);
  }
}

}  // namespace spillway::edge
