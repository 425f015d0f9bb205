#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "services/ingest/history/log_record.h"

namespace spillway::ingest {

// The recent records of one partition: a window (floor, head] of Kafka's log, bounded in bytes and
// age. Records that yielded nothing move `head` and take no room. Offsets have holes; nothing here
// counts them.
//
// Invariants: every record in the log has floor < offset <= head; offsets ascend; a reader that has
// taken everything up to `floor` or beyond misses nothing by reading the log.
//
// Each channel's records are chained, so that reading one channel costs what it finds, and for
// every channel the last record that was evicted is remembered: most channels of a busy partition
// are quiet, and whoever was told of a quiet one's last event long ago still misses nothing.
//
// Records are numbered by an ever-growing sequence, so that a reader keeps its place while the
// front is evicted. Their bytes lie one after the other in blocks, so that a record costs no
// allocation; a block goes when its last record does, and one is kept for use again. So memory is
// up to two blocks (64 KiB each, less for a small log) above the byte bound. Owned by a shard; its
// thread only.
class PartitionLog {
 public:
  struct Bounds {
    size_t max_bytes = 64 << 20;
    int64_t max_age_us = 10LL * 60 * 1'000'000;
    // Channels whose last evicted record is remembered, about 32 bytes each; with more, all of them
    // are taken to have been evicted up to the floor. 0: none is.
    size_t evicted_channels = 64 << 10;
  };

  // A range of offsets, both ends included.
  struct Range {
    int64_t from = 0;
    int64_t to = 0;
  };

  // Empty, with floor = head = `after`.
  PartitionLog(Bounds bounds, int64_t after)
      : bounds_(bounds), floor_(after), head_(after), evicted_base_(after) {}

  // Adds a record beyond head; evicts from the front what passes the byte bound. The newest record
  // always stays, so one larger than the bound is still delivered.
  void Append(const LogRecord& record);
  // Everything up to `offset` was read: records that yielded nothing, holes, or the end of the
  // partition.
  void AdvanceHead(int64_t offset);
  // From now on holes that begin before this offset are noted: of a compacted topic, where a hole
  // may be a record that was removed. There is never more than one noted between two records that
  // are kept.
  void NoteHolesBefore(int64_t offset) {
    note_holes_before_ = std::max(note_holes_before_, offset);
  }
  // Whether everything of which holes are noted was read.
  bool past_noted_holes() const { return head_ + 1 >= note_holes_before_; }
  // From the first to the last offset of what was noted after `after` and before `before`.
  std::optional<Range> HoleBetween(int64_t after, int64_t before) const;
  // Evicts what lies before `sequence`.
  void EvictBefore(uint64_t sequence);
  // Evicts what is older than the age bound.
  void EvictOlderThan(int64_t now_us);

  int64_t floor() const { return floor_; }
  int64_t head() const { return head_; }
  // The last record that was read.
  RecordMark head_mark() const { return head_mark_; }
  size_t bytes() const { return bytes_; }
  size_t size() const { return records_.size(); }

  uint64_t first_sequence() const { return first_sequence_; }
  uint64_t end_sequence() const { return first_sequence_ + records_.size(); }
  // `sequence` in [first_sequence, end_sequence).
  const KeptRecord& At(uint64_t sequence) const { return records_[sequence - first_sequence_]; }
  // The first record after `offset`; end_sequence() if there is none.
  uint64_t SequenceAfter(int64_t offset) const;

  // A channel is named by its ChannelHash.
  // Whether reading the log misses nothing of the channel that came after `offset`.
  bool Covers(uint64_t channel, int64_t offset) const;
  // The same of whatever channels: the last evicted record of all is the floor's.
  bool CoversAll(int64_t offset) const { return offset >= floor_; }
  // The first record at or after `sequence` that has the channel; end_sequence() if there is none.
  // Looks at no more than `looks` records to find it: then it is the first one not looked at.
  uint64_t FirstOf(uint64_t channel, uint64_t sequence, size_t looks) const;
  // The next one after a record that has the channel; end_sequence() if there is none.
  uint64_t NextOf(uint64_t channel, uint64_t sequence) const;
  // The last record at or before `offset` that is known still.
  RecordMark MarkAt(int64_t offset) const;
  // The first record at or after `offset` that is known still.
  RecordMark MarkFrom(int64_t offset) const;
  // Whether that record stands where it is said to.
  enum class Compared {
    kSame,
    kOther,    // another one does
    kAbsent,   // none does: a hole
    kUnknown,  // it is not known (any more)
    kAhead,    // nothing was read there yet
  };
  Compared Compare(const RecordMark& claimed) const;

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t capacity = 0;
    size_t used = 0;
    size_t records = 0;  // that are in the log still
  };

  static constexpr size_t kMarks = 4'096;

  void NoteHole(int64_t from, int64_t to);
  static const uint32_t* FindNext(const KeptRecord& record, uint64_t channel);
  void Chain(KeptRecord& record, uint64_t sequence);
  void Unchain(const KeptRecord& record, uint64_t sequence);
  void PopFront();
  // A copy of the bytes in a block.
  const char* Keep(std::string_view bytes);
  void AddBlock(size_t at_least);

  const Bounds bounds_;
  std::deque<KeptRecord> records_;
  std::deque<Block> blocks_;  // of records_, in their order
  Block spare_;
  uint64_t first_sequence_ = 0;
  int64_t floor_;
  int64_t head_;
  RecordMark head_mark_;
  int64_t note_holes_before_ = 0;
  std::deque<Range> holes_;
  size_t bytes_ = 0;
  absl::flat_hash_map<uint64_t, uint64_t> last_;    // by channel: the sequence of its last record
  absl::flat_hash_map<uint64_t, int64_t> evicted_;  // by channel: offset of its last evicted record
  int64_t evicted_base_;  // of channels that are not in evicted_: nothing after it was evicted
  std::deque<RecordMark> marks_;  // of records that yielded nothing
  int64_t marks_floor_ = -1;      // of marks given up: they were no later than this
};

}  // namespace spillway::ingest
