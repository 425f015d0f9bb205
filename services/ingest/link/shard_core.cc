#include "services/ingest/link/shard_core.h"

#include <algorithm>
#include <utility>

#include "services/ingest/link/shard_state.h"

namespace spillway::ingest {

ShardCore::ShardCore(Options options, RecordSource& source, LinkSink& sink)
    : options_(options), source_(source), sink_(sink) {}

ShardCore::~ShardCore() = default;

ShardCore::Slot* ShardCore::FindSlot(SlotId id) {
  const auto found = slots_.find(id);
  return found == slots_.end() ? nullptr : found->second.get();
}

EdgeFeed* ShardCore::FindFeed(LinkId link) {
  const auto found = feeds_.find(link);
  return found == feeds_.end() ? nullptr : found->second.get();
}

const PartitionLog* ShardCore::LogOf(const Attachment& attachment) const {
  const auto found = slots_.find(attachment.slot);
  if (found == slots_.end() || !attachment.proven) return nullptr;
  switch (attachment.state) {
    case Attachment::State::kWaiting:
      return nullptr;
    case Attachment::State::kScan:
      return found->second->window.get();
    case Attachment::State::kLog:
      return found->second->log.get();
  }
  return nullptr;
}

void ShardCore::AddSlot(const SlotInfo& info) {
  auto& slot = slots_[info.id];
  if (slot != nullptr) return;
  slot = std::make_unique<Slot>();
  slot->info = info;
  slot->bounds = info.history.value_or(options_.history);
}

void ShardCore::RemoveSlot(SlotId id, std::string_view reason) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr) return;
  for (auto& [link, feed] : feeds_) {
    if (Attachment* attachment = feed->Find(id); attachment != nullptr) {
      Refuse(link, attachment->request, "unknown_slot", reason);
      feed->Remove(id, attachment->attach_id);
    }
  }
  StopReader(*slot);
  slots_.erase(id);
}

void ShardCore::SetCompaction(SlotId id, Compaction compaction) {
  Slot* slot = FindSlot(id);
  if (slot == nullptr) return;
  slot->info.compaction = compaction;
  if (slot->compacted() && slot->log != nullptr) slot->log->NoteHolesBefore(slot->end);
}

void ShardCore::OpenLink(LinkId link) {
  feeds_[link] = std::make_unique<EdgeFeed>(link, options_.max_batch_bytes);
}

void ShardCore::CloseLink(LinkId link, MonoTime now) {
  EdgeFeed* feed = FindFeed(link);
  if (feed == nullptr) return;
  for (const Attachment& attachment : feed->attachments()) {
    Slot* slot = FindSlot(attachment.slot);
    if (slot != nullptr && --slot->attached == 0) slot->unattached_since = now;
  }
  for (auto& [id, slot] : slots_) {
    std::erase_if(slot->prepares, [&](const Slot::Prepare& one) { return one.link == link; });
  }
  feeds_.erase(link);
}

void ShardCore::OnInterest(LinkId link, const v1::Interest& interest) {
  if (EdgeFeed* feed = FindFeed(link); feed != nullptr) {
    feed->ApplyInterest(interest);
    moved_ = true;
  }
}

void ShardCore::OnAttach(LinkId link, const v1::Attach& said, MonoTime now) {
  EdgeFeed* feed = FindFeed(link);
  if (feed == nullptr) return;
  v1::Attach attach = said;
  if (attach.from_case() == v1::Attach::kAfter) attach.set_after(Bounded(attach.after()));
  attach.set_fingerprint_at(Bounded(attach.fingerprint_at()));
  Slot* slot = FindSlot(attach.slot());
  if (slot == nullptr) {
    Refuse(link, attach, "unknown_slot", "this ingest has no such slot");
    return;
  }
  if (feed->Find(attach.slot()) == nullptr) ++slot->attached;
  feed->Add(attach);
  AwaitProof(*slot, link, attach, now);
  SettleOrResolve(*slot, now);
}

void ShardCore::OnDetach(LinkId link, const v1::Detach& detach, MonoTime now) {
  EdgeFeed* feed = FindFeed(link);
  Slot* slot = FindSlot(detach.slot());
  if (feed == nullptr || slot == nullptr) return;
  if (feed->Remove(detach.slot(), detach.attach_id()) && --slot->attached == 0) {
    slot->unattached_since = now;
  }
}

void ShardCore::OnPrepare(LinkId link, const v1::Prepare& prepare, MonoTime now) {
  Slot* slot = FindSlot(prepare.slot());
  if (slot == nullptr) return;
  // A link moves a slot once at a time.
  std::erase_if(slot->prepares, [&](const Slot::Prepare& old) { return old.link == link; });
  slot->prepares.push_back({link, Bounded(prepare.after())});
  // Lingers as if it had just been given up: the attach that follows finds it reading.
  if (slot->attached == 0) slot->unattached_since = now;
  SettleOrResolve(*slot, now);
}

void ShardCore::OnBatchTaken(LinkId link) {
  if (EdgeFeed* feed = FindFeed(link); feed != nullptr) {
    feed->outstanding = false;
    moved_ = true;
  }
}

void ShardCore::Pump(MonoTime now) {
  if (!moved_) return;
  JudgeAllAttachments(now);
  for (auto& [id, slot] : slots_) {
    if (slot->phase != Slot::Phase::kReading) continue;
    if (slot->scan == Slot::Scan::kCatchUp) ScanReached(*slot);
    if (!slot->prepares.empty()) AnswerPrepares(*slot);
  }
  moved_ = false;
  for (auto& [link, feed] : feeds_) {
    if (feed->outstanding) continue;
    SendNextBatch(*feed, /*all_progress=*/false, now);
  }
  TryReads(now);
}

void ShardCore::Accept(EdgeFeed& feed, Attachment& attachment, int64_t after,
                       std::optional<v1::Gap> gap) {
  attachment.state = Attachment::State::kLog;
  StandAfter(feed, attachment, *FindSlot(attachment.slot)->log, after, std::move(gap));
}

void ShardCore::StandAfter(EdgeFeed& feed, Attachment& attachment, const PartitionLog& log,
                           int64_t after, std::optional<v1::Gap> gap) {
  attachment.cursor = attachment.told = after;
  attachment.next_sequence = log.SequenceAfter(after);
  attachment.interest_news = false;  // the answer says it
  v1::LinkResponse answer;
  v1::Attached* attached = answer.mutable_attached();
  attached->set_slot(attachment.slot);
  attached->set_attach_id(attachment.attach_id);
  attached->set_after(after);
  attachment.mark = log.MarkAt(after);
  SetMark(attachment.mark, after, attached);
  attached->set_interest_sequence(feed.interest_sequence());
  if (gap.has_value()) *attached->mutable_gap() = *std::move(gap);
  sink_.SendAnswer(feed.link(), std::move(answer));
}

bool ShardCore::TooFarBehind(const Slot& slot, int64_t after) {
  // What Kafka no longer has is not read, either.
  return slot.log->floor() - std::max(after, slot.begin - 1) > slot.bounds.catch_up_records;
}

void ShardCore::SkipToLog(const Slot& slot, EdgeFeed& feed, Attachment& attachment, int64_t after) {
  const int64_t floor = slot.log->floor();
  ++counters_.gaps;
  ++counters_.skipped;
  moved_ = true;
  Accept(feed, attachment, floor, MakeGap(slot.info.id, after + 1, floor, "skipped"));
}

bool ShardCore::TellHoles(EdgeFeed& feed) {
  bool told = false;
  for (Attachment& attachment : feed.attachments()) {
    if (!attachment.hole.has_value()) continue;
    const PartitionLog::Range hole = *std::exchange(attachment.hole, std::nullopt);
    // The edge stands where it stood when it was attached, with a gap before it: the same answer.
    StandAfter(feed, attachment, *LogOf(attachment), hole.to,
               MakeGap(attachment.slot, hole.from, hole.to, "compacted"));
    ++counters_.gaps;
    told = true;
  }
  return told;
}

void ShardCore::SendNextBatch(EdgeFeed& feed, bool all_progress, MonoTime now) {
  bool behind = false;
  std::string batch = feed.BuildBatch(*this, all_progress, &behind);
  if (behind) {
    // What the log no longer has is read again for it. Its other partitions do not feel it, and
    // nobody else does: a scan has its own reader.
    for (Attachment& attachment : feed.attachments()) {
      if (!std::exchange(attachment.behind, false)) continue;
      ++counters_.behind;
      Slot& slot = *FindSlot(attachment.slot);
      if (TooFarBehind(slot, attachment.cursor)) {
        SkipToLog(slot, feed, attachment, attachment.cursor);
      } else {
        attachment.state = Attachment::State::kScan;
        StartCatchUp(slot);
      }
    }
  }
  if (!batch.empty()) SendBatch(feed, std::move(batch), now);
  // In the link's order: after what comes before it.
  if (TellHoles(feed)) moved_ = true;
}

void ShardCore::SendBatch(EdgeFeed& feed, std::string batch, MonoTime now) {
  ++counters_.batches;
  counters_.batch_bytes += batch.size();
  feed.outstanding = true;
  feed.outstanding_since = now;
  sink_.SendBatch(feed.link(), options_.shard, std::move(batch));
}

void ShardCore::Tick(MonoTime now, int64_t wall_us, bool busy) {
  wall_us_ = wall_us;
  ticked_at_ = now;
  size_t restarts = 0;
  for (auto& [id, slot] : slots_) {
    if (slot->retry_resolve && now >= slot->retry_at) {
      slot->retry_resolve = false;
      if (slot->phase == Slot::Phase::kResolving && slot->attached == 0 && slot->prepares.empty()) {
        slot->phase = Slot::Phase::kIdle;  // whoever waited has gone
      } else {
        Resolve(*slot);
      }
    }
    if (!slot->unproven.empty()) moved_ = true;
    if (slot->phase != Slot::Phase::kReading) continue;
    CheckReader(*slot, busy, now, &restarts);
    MaybeStartBackfill(*slot, now);
    slot->log->EvictOlderThan(wall_us);
    if (slot->latest != nullptr) slot->latest->Expire(wall_us);
    if (slot->attached == 0 && now - slot->unattached_since >= options_.linger) {
      StopReader(*slot);
    }
  }
  if (now - last_progress_ >= options_.progress_interval) {
    last_progress_ = now;
    for (auto& [link, feed] : feeds_) {
      counters_.patterns_forgotten += feed->TakeForgotten();
      if (feed->outstanding) {
        // A link that takes nothing holds up whoever shares its scan.
        const bool scanning =
            std::any_of(feed->attachments().begin(), feed->attachments().end(),
                        [](const Attachment& a) { return a.state == Attachment::State::kScan; });
        if (scanning && now - feed->outstanding_since >= options_.stuck_scan) {
          ++counters_.cuts;
          feed->outstanding_since = now;
          sink_.Cut(link, "the edge took nothing while it was catching up");
        }
        continue;
      }
      for (Attachment& attachment : feed->attachments()) {
        // A scan that is slower than the live reader would never end.
        if (attachment.state != Attachment::State::kScan) continue;
        const Slot& slot = *FindSlot(attachment.slot);
        if (TooFarBehind(slot, attachment.cursor)) {
          SkipToLog(slot, *feed, attachment, attachment.cursor);
        }
      }
      SendNextBatch(*feed, /*all_progress=*/true, now);
    }
    moved_ = true;
  }
  PublishReaderStates(now);
  TryReads(now);
}

int64_t ShardCore::StillToCome(MonoTime now) const {
  if (wall_us_ == 0) return 0;  // the time is not known yet
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now - ticked_at_);
  return wall_us_ + since.count() + 1;
}

size_t ShardCore::log_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, slot] : slots_) bytes += slot->log == nullptr ? 0 : slot->log->bytes();
  return bytes;
}

size_t ShardCore::latest_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, slot] : slots_)
    bytes += slot->latest == nullptr ? 0 : slot->latest->bytes();
  return bytes;
}

size_t ShardCore::reread_bytes() const {
  size_t bytes = 0;
  for (const SlotId id : rereads_) {
    const auto slot = slots_.find(id);
    if (slot != slots_.end() && slot->second->reread.window != nullptr) {
      bytes += slot->second->reread.window->bytes();
    }
  }
  return bytes;
}

}  // namespace spillway::ingest
