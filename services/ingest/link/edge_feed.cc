#include "services/ingest/link/edge_feed.h"

#include <algorithm>

#include "common/wire/event_wire.h"

namespace spillway::ingest {

void EdgeFeed::ApplyInterest(const v1::Interest& interest) {
  interest_.Apply(interest);
  interest_sequence_ = interest.sequence();
  for (Attachment& attachment : attachments_) {
    // The filter works when a batch is built: from the cursor on, the new interest is in force.
    attachment.interest_news = true;
    attachment.interest_after = attachment.cursor;
  }
}

Attachment& EdgeFeed::Add(const v1::Attach& request) {
  if (Attachment* old = Find(request.slot()); old != nullptr) Remove(old->slot, old->attach_id);
  Attachment& attachment = attachments_.emplace_back();
  attachment.slot = request.slot();
  attachment.attach_id = request.attach_id();
  attachment.request = request;
  return attachment;
}

bool EdgeFeed::Remove(SlotId slot, uint64_t attach_id) {
  const auto found =
      std::find_if(attachments_.begin(), attachments_.end(), [&](const Attachment& attachment) {
        return attachment.slot == slot && attachment.attach_id == attach_id;
      });
  if (found == attachments_.end()) return false;
  attachments_.erase(found);
  return true;
}

Attachment* EdgeFeed::Find(SlotId slot) {
  for (Attachment& attachment : attachments_) {
    if (attachment.slot == slot) return &attachment;
  }
  return nullptr;
}

bool EdgeFeed::WantedByPattern(std::string_view event) {
  return wire::ParseBatchEventChannels(event, &names_) && interest_.MatchesAny(names_);
}

bool EdgeFeed::StopsAtHole(const PartitionLog& log, int64_t before, Attachment& attachment) {
  attachment.hole = log.HoleBetween(attachment.cursor, before);
  if (!attachment.hole.has_value()) return false;
  attachment.cursor = attachment.hole->from - 1;
  return true;
}

bool EdgeFeed::AppendRecords(const PartitionLog& log, Attachment& attachment, std::string* batch) {
  const uint64_t end = log.end_sequence();
  const bool patterns = interest_.has_patterns();
  for (; attachment.next_sequence < end; ++attachment.next_sequence) {
    const KeptRecord& record = log.At(attachment.next_sequence);
    if (record.offset <= attachment.cursor) continue;
    if (StopsAtHole(log, record.offset, attachment)) return true;
    size_t size = 0;
    for (const LogEvent& event : record.events) {
      if (!interest_.ContainsAny(event.channels) &&
          !(patterns && WantedByPattern(record.EventBytes(event)))) {
        continue;
      }
      size += event.size;
      wanted_.push_back(&event);
    }
    if (size > 0) {
      const bool room = batch->empty() || batch->size() + size <= max_batch_bytes_;
      // As much as it will need: growing step by step would copy it several times.
      if (batch->empty()) batch->reserve(std::max(size, expected_bytes_));
      for (const LogEvent* event : wanted_) {
        if (room) batch->append(record.EventBytes(*event));
      }
      wanted_.clear();
      if (!room) return false;
    }
    attachment.cursor = record.offset;
    attachment.mark = {record.offset, record.fingerprint};
  }
  if (StopsAtHole(log, log.head() + 1, attachment)) return true;
  attachment.cursor = std::max(attachment.cursor, log.head());
  if (log.head_mark().offset > attachment.mark.offset) attachment.mark = log.head_mark();
  return true;
}

std::string EdgeFeed::BuildBatch(const Logs& logs, bool all_progress, bool* behind) {
  *behind = false;
  std::string batch;
  const size_t count = attachments_.size();
  size_t visited = 0;
  bool room = true;
  for (; visited < count && room; ++visited) {
    Attachment& attachment = attachments_[(next_attachment_ + visited) % count];
    const PartitionLog* log = logs.LogOf(attachment);
    if (log == nullptr || attachment.cursor >= log->head()) continue;
    if (attachment.next_sequence < log->first_sequence()) {
      if (attachment.cursor < log->floor()) {
        *behind = attachment.behind = true;
        continue;
      }
      attachment.next_sequence = log->first_sequence();
    }
    room = AppendRecords(*log, attachment, &batch);
  }
  // The one that filled the batch goes on first next time, after the others had their turn.
  if (count > 0) next_attachment_ = (next_attachment_ + visited) % count;

  const bool has_events = !batch.empty();
  for (Attachment& attachment : attachments_) {
    if (attachment.state == Attachment::State::kWaiting) continue;
    const bool moved = attachment.cursor > attachment.told;
    // Interest news leaves at once: somebody waits for it.
    // A gap begins where the edge knows itself to be.
    const bool owed = has_events || all_progress || attachment.hole.has_value();
    if (!attachment.interest_news && !(moved && owed)) continue;
    wire::ProgressView progress{
        .slot = attachment.slot, .attach_id = attachment.attach_id, .upto = attachment.cursor};
    if (attachment.mark.fingerprint != 0) {
      progress.fingerprint = attachment.mark.fingerprint;
      progress.fingerprint_back = static_cast<uint64_t>(attachment.cursor - attachment.mark.offset);
    }
    if (attachment.interest_news) {
      progress.interest_sequence = interest_sequence_;
      progress.interest_after = attachment.interest_after;
      attachment.interest_news = false;
    }
    attachment.told = attachment.cursor;
    wire::AppendBatchProgress(progress, &batch);
  }
  if (has_events) expected_bytes_ = batch.size() + batch.size() / 4;
  return batch;
}

}  // namespace spillway::ingest
