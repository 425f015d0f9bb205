#include "services/ingest/history/partition_log.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "common/channel/channel_hash.h"

namespace spillway::ingest {

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

void PartitionLog::Append(LogRecord record) {
  if (record.offset <= head_) return;  // a reader that started again a little earlier
  head_ = record.offset;
  head_fingerprint_ = record.fingerprint;
  if (record.events.empty()) return;
  bytes_ += record.cost();
  records_.push_back(std::move(record));
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
      [](int64_t wanted, const LogRecord& record) { return wanted < record.offset; });
  return first_sequence_ + static_cast<uint64_t>(found - records_.begin());
}

void PartitionLog::PopFront() {
  bytes_ -= records_.front().cost();
  floor_ = records_.front().offset;
  records_.pop_front();
  ++first_sequence_;
}

}  // namespace spillway::ingest
