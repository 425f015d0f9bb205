#pragma once

// ShardCore's private state, shared by the files that implement it.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel/channel_hash.h"
#include "common/channel/channel_pattern.h"
#include "services/ingest/link/shard_core.h"

namespace spillway::ingest {

// An offset as an edge says it, whatever that is: no further than where sums and differences of two
// fit. Kafka has none beyond.
inline int64_t Bounded(int64_t offset) { return std::clamp<int64_t>(offset, -1, int64_t{1} << 62); }
inline std::vector<v1::SlotOffset> Bounded(std::vector<v1::SlotOffset> places) {
  for (v1::SlotOffset& place : places) place.set_offset(Bounded(place.offset()));
  return places;
}

// A range of a slot that cannot be had; `reason` is one of docs/protocol-json.md.
inline v1::Gap MakeGap(SlotId slot, int64_t from, int64_t to, std::string_view reason) {
  v1::Gap gap;
  gap.set_slot(slot);
  gap.set_from(from);
  gap.set_to(to);
  gap.set_reason(std::string(reason));
  return gap;
}

// The record that proves a position at `offset`: one at or before it.
template <typename Message>
void SetMark(const RecordMark& mark, int64_t offset, Message* message) {
  if (mark.fingerprint == 0) return;
  message->set_fingerprint(mark.fingerprint);
  message->set_fingerprint_back(static_cast<uint64_t>(offset - mark.offset));
}

// Kafka read again for history reads that begin below the log: all who are within its window share
// it, whatever their channels. It goes on only while somebody asks.
struct ShardCore::Reread {
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  std::unique_ptr<PartitionLog> window;  // the part of (floor, log's floor] that was read last
  int64_t wanted = kNone;                // lowest place of a read that the window does not serve
  bool waiting = false;                  // a read waits for the window's head to come further
  int64_t demand = -1;                   // furthest place that reads have come to
  uint64_t number = 0;                   // of the window: Slot::windows as it was begun
  MonoTime used;

  void ForgetWaiting() {
    wanted = kNone;
    waiting = false;
  }
};

// Where a history read goes on: `log` is null if it has to wait there.
struct ShardCore::HistoryPlace {
  const PartitionLog* log;
  int64_t after;
};

// A position that was shown, until it is judged.
struct ShardCore::PendingClaim {
  v1::Claim claim;
  std::optional<v1::Verdict> verdict;
  // It lies beyond what is known of the log: Kafka is asked for its end.
  bool asked = false;
  uint64_t resolves = 0;  // answers that were asked for before
  int confirmations = 0;  // answers by which it is beyond the end
  MonoTime ask_at;
  // What is known of the slot may be of another topic: where it denies the position, Kafka, asked
  // since it was shown, decides. Where it bears it out, a client's is proven; an edge's, on which
  // many depend, only by what the log has or was read since.
  bool of_edge = false;
  uint64_t readers = 0;   // Slot::readers when it was shown
  uint64_t windows = 0;   // Slot::windows then
  uint64_t answered = 0;  // Slot::resolves, with the one that was under way
};

struct ShardCore::Slot {
  enum class Phase { kIdle, kResolving, kReading };
  // What the one scan of a slot is for. Catching up goes before history, that before the backfill;
  // what was interrupted goes on afterwards.
  enum class Scan { kNone, kCatchUp, kHistory, kBackfill };
  struct Stall {
    bool on = false;
    MonoTime since;
    void Begin(MonoTime when) {
      if (!on) since = when;  // what is told again does not begin anew
      on = true;
    }
  };
  struct Prepare {
    LinkId link;
    int64_t after;
  };

  SlotInfo info;
  HistoryBounds bounds;
  Phase phase = Phase::kIdle;
  std::unique_ptr<PartitionLog> log;    // kReading
  std::unique_ptr<LatestTable> latest;  // kReading, if it keeps one
  int64_t begin = 0;                    // as resolved last
  bool begin_is_old = false;            // a scan from it has failed since
  int64_t live_from = 0;                // where the live reader began
  uint64_t readers = 0;                 // live readers that were begun
  uint64_t windows = 0;                 // windows of `reread` that were
  bool backfilled = false;
  MonoTime backfill_not_before;  // after a failure
  int64_t backfill_since_us = 0;
  int64_t backfill_next = -1;  // where one that was interrupted goes on; -1: it has not begun
  Scan scan = Scan::kNone;
  Reread reread;
  std::unique_ptr<PartitionLog> window;  // what a catch-up scan has read and not everyone has taken
  // What the live reader does: starting, then flowing or idle, unless something keeps it from
  // reading. Each cause begins and ends by itself; a record or the partition's end disproves all.
  v1::ReaderState state = v1::READER_STATE_STALLED;
  MonoTime state_since;
  Stall failed;           // the reader's own error, or nothing came of it
  std::string_view code;  // of that error: static
  Stall leader_away;      // its leader cannot be reached, others can
  Stall kafka_away;
  bool heard = false;    // something has come since the reader began
  MonoTime quiet_since;  // else: since when something should have
  MonoTime heard_at;     // when something came last
  MonoTime restart_at;   // `failed`: begins anew then, and is told anew how things are
  size_t attached = 0;   // attachments of all links
  MonoTime unattached_since;
  bool resolve_under_way = false;
  uint64_t resolves = 0;  // that were answered
  Stall unresolved;       // take-up has failed, with `code`, since then
  bool retry_resolve = false;
  MonoTime retry_at;
  int64_t resolved_end = 0;  // as resolved last
  int64_t end = -1;          // log end as last seen; for the lag
  int64_t old_end = -1;      // compacted: the same, some time ago
  MonoTime old_end_at;
  std::vector<Prepare> prepares;
  struct Unproven {
    LinkId link;
    uint64_t attach_id;
    PendingClaim claim;
    // Nothing was shown, it begins before the first record: the log shows what it has, then.
    bool of_log = false;
  };
  std::vector<Unproven> unproven;  // attachments that wait for it

  // A position that is shown now.
  PendingClaim Show(const v1::Claim& claim, bool of_edge) const {
    PendingClaim pending;
    pending.claim = claim;
    pending.of_edge = of_edge;
    pending.readers = readers;
    pending.windows = windows;
    pending.answered = resolves + (resolve_under_way ? 1 : 0);
    return pending;
  }
  bool compacted() const { return info.compaction == Compaction::kYes; }
  // What Kafka, read since a position was shown, says of it where no record stands.
  v1::Verdict verdict_of_none() const {
    return info.compaction == Compaction::kNo ? v1::VERDICT_FOREIGN : v1::VERDICT_UNPROVEN;
  }
  bool stalled() const { return failed.on || leader_away.on || kafka_away.on; }
  int64_t head() const { return log == nullptr ? -1 : log->head(); }
  // Records between the reader and the last end that Kafka told; -1 if it told none.
  int64_t lag() const { return end < 0 ? -1 : std::max<int64_t>(0, end - 1 - head()); }
};

struct ShardCore::PendingRead {
  uint64_t id = 0;
  std::string channel;
  bool history = false;
  std::vector<v1::SlotOffset> after;
  std::vector<v1::SlotOffset> not_before;
  std::vector<PendingClaim> claims = {};  // if there are any, there is nothing else
  MonoTime begun;
  std::optional<ChannelPattern> pattern = std::nullopt;  // `channel`, if it is one
  uint64_t hash = 0;                                     // of `channel`

  // Reads `channel`.
  void Prepare() {
    hash = ChannelHash(channel);
    if (!IsChannelPattern(channel)) return;
    // The edge sends no other; what cannot be read is nothing's name.
    if (auto parsed = ChannelPattern::Parse(channel); parsed.ok()) pattern = *std::move(parsed);
  }
  // Whether reading the log misses nothing that came after `offset`.
  bool IsCovered(const PartitionLog& log, int64_t offset) const {
    return pattern.has_value() ? log.CoversAll(offset) : log.Covers(hash, offset);
  }
};

template <typename Visit>
void ShardCore::ForEachAttachment(SlotId slot, Visit visit) {
  for (auto& [link, feed] : feeds_) {
    if (Attachment* attachment = feed->Find(slot); attachment != nullptr) visit(*feed, *attachment);
  }
}

}  // namespace spillway::ingest
