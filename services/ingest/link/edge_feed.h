#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/wire/event_wire.h"
#include "services/ingest/history/partition_log.h"
#include "services/ingest/link/shard_io.h"
#include "services/ingest/link/wanted_channels.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

// One partition given to one edge: a cursor over the partition's log, or over the scan that leads
// up to it.
struct Attachment {
  enum class State { kWaiting, kScan, kLog };

  SlotId slot = 0;
  uint64_t attach_id = 0;
  State state = State::kWaiting;
  v1::Attach request;          // kWaiting: where it wants to begin
  int64_t cursor = -1;         // everything up to here was put into batches
  int64_t told = -1;           // the last `upto` that the edge was sent
  RecordMark mark;             // a record at or before the cursor
  uint64_t next_sequence = 0;  // of the log or the scan's window
  bool interest_news = false;  // the edge is owed (interest_sequence, interest_after)
  int64_t interest_after = -1;
  bool behind = false;  // the log has moved past the cursor
  // The cursor stands before records that are missing: the edge must be told, and the cursor moved
  // past them, before the next batch.
  std::optional<PartitionLog::Range> hole;
  bool proven = true;  // else it is sent nothing: its position may be one of another topic
};

// What one shard sends over one link: the edge's interest, its attachments in this shard, and the
// making of batches out of the logs. Nothing is queued here: what gathers in the logs while a batch
// is under way is the next batch. Owned by ShardCore; its thread only.
class EdgeFeed {
 public:
  // Finds the log that an attachment reads in its state; null if there is nothing to read.
  class Logs {
   public:
    virtual ~Logs() = default;
    virtual const PartitionLog* LogOf(const Attachment& attachment) const = 0;
  };

  EdgeFeed(LinkId link, size_t max_batch_bytes) : link_(link), max_batch_bytes_(max_batch_bytes) {}

  LinkId link() const { return link_; }

  void ApplyInterest(const v1::Interest& interest);
  uint64_t interest_sequence() const { return interest_sequence_; }

  Attachment& Add(const v1::Attach& request);
  // False if it is not (or no longer) known.
  bool Remove(SlotId slot, uint64_t attach_id);
  Attachment* Find(SlotId slot);
  std::vector<Attachment>& attachments() { return attachments_; }
  // See WantedChannels.
  uint64_t TakeForgotten() { return interest_.TakeForgotten(); }

  // Builds the next batch: whole records in offset order for each partition, at most
  // max_batch_bytes (one larger record travels alone), fairly over the partitions. Progress without
  // events is included when `all_progress`, or when the edge waits for news of its interest. Empty
  // if there is nothing to say. Where a cursor fell off its log, *behind and the attachment's own
  // are set: it must be led up to the log anew; the others go on. Where one stands before a hole,
  // its `hole` is set. What is returned must be sent, or the link ended: the cursors stand behind
  // it.
  std::string BuildBatch(const Logs& logs, bool all_progress, bool* behind);

  // A batch is with the link and not taken yet.
  bool outstanding = false;
  MonoTime outstanding_since;

 private:
  // Appends what `attachment` yields; false once the batch is full.
  bool AppendRecords(const PartitionLog& log, Attachment& attachment, std::string* batch);
  // Whether something is missing between the cursor and `before`; the cursor goes up to there.
  static bool StopsAtHole(const PartitionLog& log, int64_t before, Attachment& attachment);
  bool WantedByPattern(std::string_view event);

  const LinkId link_;
  const size_t max_batch_bytes_;
  WantedChannels interest_;
  uint64_t interest_sequence_ = 0;
  std::vector<Attachment> attachments_;
  size_t next_attachment_ = 0;
  size_t expected_bytes_ = 0;            // of the next batch with events
  wire::ChannelViews names_;             // scratch of WantedByPattern
  std::vector<const LogEvent*> wanted_;  // of AppendRecords; empty between records
};

}  // namespace spillway::ingest
