#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/base/clock.h"
#include "services/ingest/history/history_bounds.h"
#include "services/ingest/history/latest_table.h"
#include "services/ingest/history/partition_log.h"
#include "services/ingest/link/edge_feed.h"
#include "services/ingest/link/shard_io.h"

namespace spillway::ingest {

// Whether Kafka removes records of a topic that others of their key replace.
enum class Compaction { kUnknown, kNo, kYes };

// A partition as a shard needs to know it.
struct SlotInfo {
  SlotId id = 0;
  std::string topic;
  int32_t partition = 0;
  bool keeps_latest = false;  // a snapshot route feeds from it
  int64_t horizon_ms = 0;     // how far snapshots reach back; 0: the whole topic (compacted)
  // kYes: what is missing when it is read from Kafka may have been a record, and is told. kNo:
  // where there is none there never was one, so a position that shows one there is of another
  // topic.
  Compaction compaction = Compaction::kUnknown;
  std::optional<HistoryBounds> history = std::nullopt;  // else the shard's
};

// Ingest's half of the delivery rules (docs/architecture.md, "Attaching, joining, resuming") for
// the partitions of one shard: take-up, attach, the log, catching up, backfill, snapshots. A pure
// state machine: no Kafka, no sockets, no clock of its own. Everything it does follows from a call
// to it, and leaves through RecordSource and LinkSink.
//
// A turn is: any number of calls, then Pump(), which lets every link that is ready have what
// gathered. Owned by a shard; its thread only.
class ShardCore final : private EdgeFeed::Logs {
 public:
  struct Options {
    size_t shard = 0;
    size_t max_batch_bytes = 1 << 20;
    HistoryBounds history;               // of partitions that have none of their own
    size_t scan_window_bytes = 8 << 20;  // a scan waits while so much of it was not taken
    std::chrono::milliseconds linger{60'000};
    std::chrono::milliseconds resolve_retry{500};
    std::chrono::milliseconds progress_interval{1'000};
    std::chrono::milliseconds silence{5'000};  // a reader of which nothing comes so long is stalled
    std::chrono::milliseconds restart{5'000};  // one that has failed begins anew after this time
    size_t restarts_at_once = 8;               // in one Tick: each holds up the shard a little
    std::chrono::milliseconds stuck_scan{
        10'000};  // a catching-up link that takes nothing so long is cut
    std::chrono::milliseconds snapshot_wait{3'000};  // how long a snapshot waits for the backfill
    std::chrono::milliseconds read_timeout{10'000};
    // A position beyond the log's end is asked for again after so long, before it counts as
    // foreign: a new leader may lag behind for a moment.
    std::chrono::milliseconds end_confirm{1'000};
    // How many records are read to come to the one that proves a position, rather than beginning
    // there.
    int64_t claim_reread_records = 10'000;
    // What a reader comes to so long after it was written may have been compacted before: Kafka's
    // cleaner begins every 15 s (log.cleaner.backoff.ms).
    std::chrono::milliseconds late{10'000};
    // What one history read looks at and takes, for all its slots; they share it evenly, and each
    // comes at least one record further.
    size_t history_bytes = 512 << 10;
    size_t history_records = 64 << 10;
    // A scan for history begins earlier than was asked, by a sixteenth of the way up to the log,
    // and at most so many records.
    int64_t most_reread_lead = 1'000;
    size_t rereads = 8;                            // partitions of the shard read again at a time
    std::chrono::milliseconds reread_idle{2'000};  // it stops when nobody asked for so long
    std::chrono::milliseconds reread_linger{30'000};  // and what was read goes
  };
  struct Counters {
    uint64_t records = 0;
    uint64_t events = 0;  // that is also: serialisations
    uint64_t batches = 0;
    uint64_t batch_bytes = 0;
    uint64_t cuts = 0;
    uint64_t behind = 0;   // attachments that the log moved past
    uint64_t skipped = 0;  // attachments that were too far behind to be led up to the log
    uint64_t gaps = 0;
    uint64_t scans = 0;
    uint64_t rereads = 0;             // scans for history below the log
    uint64_t reread_records = 0;      // that they read
    uint64_t latest_evicted = 0;      // see LatestTable::evicted
    uint64_t patterns_forgotten = 0;  // see WantedChannels
  };

  ShardCore(Options options, RecordSource& source, LinkSink& sink);
  ~ShardCore() override;

  // The catalogue found or lost a partition of this shard.
  void AddSlot(const SlotInfo& info);
  void RemoveSlot(SlotId id, std::string_view reason);
  // Its topic's policy was learnt, or has changed. What was read before is as it is.
  void SetCompaction(SlotId id, Compaction compaction);
  void SetKafkaUp(bool up, MonoTime now);

  // From the link.
  void OpenLink(LinkId link);
  void CloseLink(LinkId link, MonoTime now);
  void OnInterest(LinkId link, const v1::Interest& interest);
  void OnAttach(LinkId link, const v1::Attach& said, MonoTime now);
  void OnDetach(LinkId link, const v1::Detach& detach, MonoTime now);
  void OnPrepare(LinkId link, const v1::Prepare& prepare, MonoTime now);
  // The batch sent last was written to the stream.
  void OnBatchTaken(LinkId link);

  // How a partition that is being read, or that somebody waits for, stands.
  struct ReaderStatus {
    SlotId slot = 0;
    bool reading = false;
    int64_t head = -1;  // reading: everything up to here was read; may be -1
    int64_t lag = -1;   // records behind the end; -1: unknown
    bool stalled = false;
    MonoTime since;           // stalled: since when
    std::string_view reason;  // stalled: a code of docs/errors.md
  };

  // From the source.
  void OnResolved(SlotId id, int64_t begin, int64_t end, MonoTime now);
  // `code`, here and below: of docs/errors.md, static.
  void OnResolveFailed(SlotId id, std::string_view code, MonoTime now);
  void OnLiveRecord(SlotId id, const NormalisedRecord& record, MonoTime now);
  // Everything before `next_offset` was read.
  void OnLiveEnd(SlotId id, int64_t next_offset, MonoTime now);
  // `lost_position`: the reader's offset is out of range, it must begin anew.
  void OnLiveError(SlotId id, bool lost_position, std::string_view code, std::string_view error,
                   MonoTime now);
  // The leader has said that the partition goes up to before `end` (the last stable one).
  void OnEndSeen(SlotId id, int64_t end, MonoTime now);
  // The leader could not be reached since then, from here, although Kafka could. `lately`: when the
  // first of the questions was put that are enough to tell.
  void OnLeaderAway(SlotId id, MonoTime since, MonoTime lately);
  void OnScanRecord(SlotId id, const NormalisedRecord& record, MonoTime now);
  void OnScanEnd(SlotId id, int64_t next_offset, MonoTime now);
  void OnScanError(SlotId id, std::string_view error, MonoTime now);
  // False while the windows of running scans are full: the source is then not asked for scan
  // records.
  bool scan_room() const;

  // `channel`, here and below: or a pattern. Of a record it has one event, for the first of the
  // record's channels that matches.
  // Snapshot of a channel over this shard's slots among `not_before`: ReadDone once it can be
  // answered.
  void ReadSnapshot(uint64_t read_id, std::string channel, std::vector<v1::SlotOffset> not_before,
                    MonoTime now);
  // The channel's events after these positions, from the log, or from Kafka read again: as many as
  // the bounds of one answer allow. It is as of where it ends; whoever wants more asks for what
  // comes after that.
  void ReadHistory(uint64_t read_id, std::string channel, std::vector<v1::SlotOffset> after,
                   std::vector<v1::SlotOffset> not_before, MonoTime now);

  // Whether these are positions of the topics as they are: ReadDone with a verdict for each.
  void Judge(uint64_t read_id, const std::vector<v1::Claim>& claims, MonoTime now);

  // Ends a turn.
  void Pump(MonoTime now);
  // Timers: call every 100 to 250 ms. `wall_us` ages the logs. `busy`: records wait that were
  // fetched and not handed over, so that a reader's silence says nothing about Kafka.
  void Tick(MonoTime now, int64_t wall_us, bool busy = false);

  const Counters& counters() const { return counters_; }
  size_t log_bytes() const;
  size_t latest_bytes() const;
  size_t reread_bytes() const;  // held of what was read again
  // By slot.
  std::vector<ReaderStatus> reader_statuses() const;
  // Slots being read.
  size_t readers() const;
  // Slots that cannot be read, or not be taken up, though somebody wants them.
  size_t stalled_readers() const;

 private:
  struct Slot;
  struct PendingRead;
  struct PendingClaim;
  struct Reread;
  struct HistoryPlace;

  const PartitionLog* LogOf(const Attachment& attachment) const override;

  Slot* FindSlot(SlotId id);
  EdgeFeed* FindFeed(LinkId link);
  template <typename Visit>
  void ForEachAttachment(SlotId slot, Visit visit);

  void Refuse(LinkId link, const v1::Attach& attach, std::string_view code,
              std::string_view message);
  void Resolve(Slot& slot);
  void SettleOrResolve(Slot& slot, MonoTime now);
  bool Settle(Slot& slot, EdgeFeed& feed, Attachment& attachment, bool begin_is_fresh);
  void TakeUp(Slot& slot, int64_t end, MonoTime now);
  void Accept(EdgeFeed& feed, Attachment& attachment, int64_t after, std::optional<v1::Gap> gap);
  // Puts the cursor there, in the log that it reads, and tells the edge.
  void StandAfter(EdgeFeed& feed, Attachment& attachment, const PartitionLog& log, int64_t after,
                  std::optional<v1::Gap> gap);
  // All that is written from this time on is still to come to a reader that begins now.
  int64_t StillToCome(MonoTime now) const;
  void StartReader(Slot& slot, int64_t after, MonoTime now);
  void StopReader(Slot& slot);
  void Heard(Slot& slot, v1::ReaderState state, MonoTime now);
  void Fail(Slot& slot, std::string_view code, MonoTime since, MonoTime now);
  void CheckReader(Slot& slot, bool busy, MonoTime now, size_t* restarts);
  ReaderStatus StatusOf(const Slot& slot) const;
  void StartCatchUp(Slot& slot);
  void MaybeStartBackfill(Slot& slot, MonoTime now);
  void StopScan(Slot& slot);
  void ScanReached(Slot& slot);
  void ApplyLatest(Slot& slot, const NormalisedRecord& record);
  void AnswerPrepares(Slot& slot);
  void TryReads(MonoTime now);
  // Whether something may be read of a slot on behalf of an attachment.
  enum class Standing { kNone, kUnproven, kProven };
  Standing StandingOf(SlotId slot, uint64_t attach_id);
  bool TryRead(PendingRead& read, MonoTime now);
  void FillSnapshot(const PendingRead& read, ReadResult* result);
  // False if no slot of it came any further: it waits.
  bool FillHistory(const PendingRead& read, ReadResult* result, MonoTime now);
  HistoryPlace PlaceHistory(Slot& slot, const PendingRead& read, int64_t after, ReadResult* result,
                            MonoTime now);
  // shard_claims.cc
  bool TryClaims(PendingRead& read, MonoTime now);
  std::optional<v1::Verdict> JudgeClaim(Slot& slot, PendingClaim& claim, MonoTime now);
  bool ConfirmedBeyond(Slot& slot, PendingClaim& claim, MonoTime now);
  // Whether the log has another record than the one that was shown, or none.
  static bool LogDenies(const Slot& slot, const PendingClaim& pending);
  std::optional<v1::Verdict> JudgeByReread(Slot& slot, const PendingClaim& pending, MonoTime now);
  // An attachment's own position.
  void AwaitProof(Slot& slot, LinkId link, const v1::Attach& attach, MonoTime now);
  // The same of one that begins before the first record: the log has to be of the topic as it is.
  std::optional<v1::Verdict> JudgeLog(Slot& slot, PendingClaim& own, MonoTime now);
  // True if some were proven that have no answer yet.
  bool JudgeAttachments(Slot& slot, MonoTime now);
  void JudgeAllAttachments(MonoTime now);
  // The reader's place is not one of the topic as it is: whoever was attached comes back after what
  // it has.
  void LosePosition(Slot& slot, std::string_view why);
  void DriveRereads(MonoTime now);
  // False once the slot has none any more.
  bool DriveReread(Slot& slot, size_t* running, MonoTime now);
  void PublishReaderStates(MonoTime now);
  void SendNextBatch(EdgeFeed& feed, bool all_progress, MonoTime now);
  void SendBatch(EdgeFeed& feed, std::string batch, MonoTime now);
  // Whether Kafka is not read again for somebody who stands there.
  static bool TooFarBehind(const Slot& slot, int64_t after);
  void SkipToLog(const Slot& slot, EdgeFeed& feed, Attachment& attachment, int64_t after);
  // Tells the holes that cursors stand before. False if there were none.
  bool TellHoles(EdgeFeed& feed);

  const Options options_;
  RecordSource& source_;
  LinkSink& sink_;
  absl::flat_hash_map<SlotId, std::unique_ptr<Slot>> slots_;
  absl::flat_hash_map<LinkId, std::unique_ptr<EdgeFeed>> feeds_;
  std::vector<PendingRead> reads_;
  absl::flat_hash_set<SlotId> rereads_;  // slots whose Reread is in use
  bool kafka_up_ = true;
  MonoTime kafka_up_since_;
  bool moved_ = false;  // something arrived since the last Pump
  MonoTime last_progress_;
  int64_t wall_us_ = 0;  // as of the last Tick
  MonoTime ticked_at_;
  Counters counters_;
};

}  // namespace spillway::ingest
