#include "services/ingest/history/partition_log.h"

#include <algorithm>
#include <utility>

namespace spillway::ingest {

uint16_t Fingerprint(std::string_view key, std::string_view value, int64_t timestamp_ms) {
  // FNV-1a over the three, folded to 16 bits; 0 is kept for "unknown".
  uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&hash](uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3u; };
  // A record's size and a sample of its bytes are enough: 1 in 65,536 is missed anyway.
  const auto mix_text = [&mix](std::string_view text) {
    for (unsigned shift = 0; shift < 32; shift += 8)
      mix(static_cast<uint8_t>(text.size() >> shift));
    for (char c : text.substr(0, 64)) mix(static_cast<uint8_t>(c));
    if (text.size() > 64) {
      for (char c : text.substr(text.size() - std::min<size_t>(64, text.size() - 64))) {
        mix(static_cast<uint8_t>(c));
      }
    }
  };
  mix_text(key);
  mix_text(value);
  for (unsigned shift = 0; shift < 64; shift += 8) {
    mix(static_cast<uint8_t>(static_cast<uint64_t>(timestamp_ms) >> shift));
  }
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
