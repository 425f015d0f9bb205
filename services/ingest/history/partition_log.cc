#include "services/ingest/history/partition_log.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "common/channel/channel_hash.h"

namespace spillway::ingest {
namespace {

constexpr size_t kMinBlock = 4 << 10;
constexpr size_t kMaxBlock = 64 << 10;

}  // namespace

uint16_t Fingerprint(std::string_view key, std::string_view value, int64_t timestamp_ms) {
  uint64_t hash = 0;
  const auto mix = [&hash](uint64_t word) {
    hash = std::rotl(hash ^ word, 29) * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  };
  // A record's size and a sample of its bytes are enough: 1 in 65,536 is missed anyway.
  const auto mix_text = [&mix](std::string_view text) {
    constexpr size_t kSample = 64;
    mix(text.size());
    mix(ChannelHash(text.substr(0, kSample)));
    if (text.size() > kSample) {
      mix(ChannelHash(text.substr(text.size() - std::min(kSample, text.size() - kSample))));
    }
  };
  mix_text(key);
  mix_text(value);
  mix(static_cast<uint64_t>(timestamp_ms));
  // 0 is kept for "unknown".
  const auto folded =
      static_cast<uint16_t>((hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48)) & 0xFFFF);
  return folded == 0 ? 1 : folded;
}

void PartitionLog::Append(const LogRecord& record) {
  if (record.offset <= head_) return;  // a reader that started again a little earlier
  if (record.offset > head_ + 1 && head_ + 1 < note_holes_before_) {
    NoteHole(head_ + 1, record.offset - 1);
  }
  head_ = record.offset;
  head_mark_ = {record.offset, record.fingerprint};
  if (record.events.empty()) {
    if (marks_.size() == kMarks) {
      marks_floor_ = marks_.front().offset;
      marks_.pop_front();
    }
    marks_.push_back({record.offset, record.fingerprint});
    return;
  }
  bytes_ += record.cost();
  records_.push_back({.offset = record.offset,
                      .time_us = record.time_us,
                      .bytes = Keep(record.bytes),
                      .size = static_cast<uint32_t>(record.bytes.size()),
                      .fingerprint = record.fingerprint,
                      .events = record.events,
                      .next = {}});
  Chain(records_.back(), end_sequence() - 1);
  while (bytes_ > bounds_.max_bytes && records_.size() > 1) PopFront();
}

void PartitionLog::NoteHole(int64_t from, int64_t to) {
  // One with the last, where no record that is kept lies between.
  if (!holes_.empty() && (records_.empty() || records_.back().offset < holes_.back().from)) {
    holes_.back().to = to;
  } else {
    holes_.push_back({from, to});
  }
}

std::optional<PartitionLog::Range> PartitionLog::HoleBetween(int64_t after, int64_t before) const {
  if (holes_.empty()) return std::nullopt;
  const auto first =
      std::lower_bound(holes_.begin(), holes_.end(), after + 1,
                       [](const Range& hole, int64_t offset) { return hole.to < offset; });
  if (first == holes_.end() || first->from >= before) return std::nullopt;
  auto last = std::lower_bound(first, holes_.end(), before, [](const Range& hole, int64_t offset) {
    return hole.from < offset;
  });
  --last;
  return Range{std::max(first->from, after + 1), std::min(last->to, before - 1)};
}

void PartitionLog::AdvanceHead(int64_t offset) { head_ = std::max(head_, offset); }

void PartitionLog::EvictBefore(uint64_t sequence) {
  while (!records_.empty() && first_sequence_ < sequence) PopFront();
}

void PartitionLog::EvictOlderThan(int64_t now_us) {
  while (!records_.empty() && records_.front().time_us < now_us - bounds_.max_age_us) PopFront();
}

uint64_t PartitionLog::SequenceAfter(int64_t offset) const {
  const auto found = std::upper_bound(
      records_.begin(), records_.end(), offset,
      [](int64_t wanted, const KeptRecord& record) { return wanted < record.offset; });
  return first_sequence_ + static_cast<uint64_t>(found - records_.begin());
}

bool PartitionLog::Covers(uint64_t channel, int64_t offset) const {
  if (offset >= floor_) return true;
  const auto found = evicted_.find(channel);
  return offset >= (found == evicted_.end() ? evicted_base_ : found->second);
}

const uint32_t* PartitionLog::FindNext(const KeptRecord& record, uint64_t channel) {
  size_t n = 0;
  for (const LogEvent& event : record.events) {
    for (const uint64_t one : event.channels) {
      if (one == channel) return &record.next[n];
      ++n;
    }
  }
  return nullptr;
}

uint64_t PartitionLog::FirstOf(uint64_t channel, uint64_t sequence, size_t looks) const {
  const auto last = last_.find(channel);
  if (last == last_.end() || last->second < sequence) return end_sequence();
  sequence = std::max(sequence, first_sequence_);
  for (; looks > 0 && FindNext(At(sequence), channel) == nullptr; --looks) ++sequence;
  return sequence;
}

uint64_t PartitionLog::NextOf(uint64_t channel, uint64_t sequence) const {
  const uint32_t next = *FindNext(At(sequence), channel);
  return next == 0 ? end_sequence() : sequence + next;
}

RecordMark PartitionLog::MarkAt(int64_t offset) const {
  RecordMark found;
  if (const uint64_t after = SequenceAfter(offset); after > first_sequence_) {
    const KeptRecord& record = At(after - 1);
    found = {record.offset, record.fingerprint};
  }
  const auto mark =
      std::upper_bound(marks_.begin(), marks_.end(), offset,
                       [](int64_t wanted, const RecordMark& one) { return wanted < one.offset; });
  if (mark != marks_.begin() && std::prev(mark)->offset > found.offset) found = *std::prev(mark);
  return found;
}

RecordMark PartitionLog::MarkFrom(int64_t offset) const {
  RecordMark found;
  if (const uint64_t first = SequenceAfter(offset - 1); first < end_sequence()) {
    const KeptRecord& record = At(first);
    found = {record.offset, record.fingerprint};
  }
  const auto mark =
      std::lower_bound(marks_.begin(), marks_.end(), offset,
                       [](const RecordMark& one, int64_t wanted) { return one.offset < wanted; });
  const bool none = found.fingerprint == 0;
  if (mark != marks_.end() && (none || mark->offset < found.offset)) found = *mark;
  return found;
}

PartitionLog::Compared PartitionLog::Compare(const RecordMark& claimed) const {
  if (claimed.offset > head_) return Compared::kAhead;
  const RecordMark found = MarkAt(claimed.offset);
  if (found.fingerprint != 0 && found.offset == claimed.offset) {
    return found.fingerprint == claimed.fingerprint ? Compared::kSame : Compared::kOther;
  }
  // What is no longer here may have stood there.
  const bool whole = claimed.offset > floor_ && claimed.offset > marks_floor_;
  return whole ? Compared::kAbsent : Compared::kUnknown;
}

void PartitionLog::Chain(KeptRecord& record, uint64_t sequence) {
  for (const LogEvent& event : record.events) {
    for (const uint64_t channel : event.channels) {
      record.next.push_back(0);
      const auto [last, fresh] = last_.try_emplace(channel, sequence);
      if (fresh || last->second == sequence) continue;
      const KeptRecord& before = At(last->second);
      // More records between two of a channel than 32 bits can say do not fit into any log.
      *const_cast<uint32_t*>(FindNext(before, channel)) =
          static_cast<uint32_t>(sequence - last->second);
      last->second = sequence;
    }
  }
}

void PartitionLog::Unchain(const KeptRecord& record, uint64_t sequence) {
  for (const LogEvent& event : record.events) {
    for (const uint64_t channel : event.channels) {
      if (const auto last = last_.find(channel); last != last_.end() && last->second == sequence) {
        last_.erase(last);
      }
      if (bounds_.evicted_channels > 0) evicted_[channel] = record.offset;
    }
  }
  if (bounds_.evicted_channels > 0 && evicted_.size() <= bounds_.evicted_channels) return;
  evicted_.clear();
  evicted_base_ = record.offset;
}

void PartitionLog::PopFront() {
  const KeptRecord& front = records_.front();
  Unchain(front, first_sequence_);
  bytes_ -= LogRecord::CostOf(front.size, front.events.size());
  floor_ = front.offset;
  while (!holes_.empty() && holes_.front().to <= floor_) holes_.pop_front();
  records_.pop_front();
  ++first_sequence_;
  if (--blocks_.front().records > 0) return;
  if (blocks_.size() > 1 || blocks_.front().capacity > kMaxBlock) {
    std::swap(spare_, blocks_.front());
    blocks_.pop_front();
    if (spare_.capacity > kMaxBlock) spare_ = Block();  // of one large record
  } else {
    blocks_.front().used = 0;
  }
}

const char* PartitionLog::Keep(std::string_view bytes) {
  if (blocks_.empty() || blocks_.back().capacity - blocks_.back().used < bytes.size()) {
    AddBlock(bytes.size());
  }
  Block& block = blocks_.back();
  char* const at = block.bytes.get() + block.used;
  std::memcpy(at, bytes.data(), bytes.size());
  block.used += bytes.size();
  ++block.records;
  return at;
}

void PartitionLog::AddBlock(size_t at_least) {
  if (!blocks_.empty() && blocks_.back().records == 0) blocks_.pop_back();
  if (spare_.capacity >= at_least && spare_.capacity > 0) {
    blocks_.push_back(std::exchange(spare_, Block()));
    blocks_.back().used = blocks_.back().records = 0;
    return;
  }
  // In proportion to the log: most partitions are quiet, and there may be thousands.
  const size_t size = std::max(std::clamp(bytes_ / 8, kMinBlock, kMaxBlock), at_least);
  blocks_.push_back({.bytes = std::make_unique_for_overwrite<char[]>(size), .capacity = size});
}

}  // namespace spillway::ingest
