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
  head_ = record.offset;
  head_fingerprint_ = record.fingerprint;
  if (record.events.empty()) return;
  bytes_ += record.cost();
  records_.push_back({.offset = record.offset,
                      .time_us = record.time_us,
                      .bytes = Keep(record.bytes),
                      .size = static_cast<uint32_t>(record.bytes.size()),
                      .fingerprint = record.fingerprint,
                      .events = record.events});
  while (bytes_ > bounds_.max_bytes && records_.size() > 1) PopFront();
}

void PartitionLog::AdvanceHead(int64_t offset, uint16_t fingerprint) {
  if (offset <= head_) return;
  head_ = offset;
  if (fingerprint != 0) head_fingerprint_ = fingerprint;
}

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

void PartitionLog::PopFront() {
  const KeptRecord& front = records_.front();
  bytes_ -= LogRecord::CostOf(front.size, front.events.size());
  floor_ = front.offset;
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
