#include "services/ingest/history/latest_table.h"

#include <algorithm>

namespace spillway::ingest {
namespace {

// What an entry costs beside its strings: map slot, shared_ptr control block.
constexpr size_t kEntryOverhead = 96;

size_t CostOf(std::string_view key, size_t bytes) { return kEntryOverhead + key.size() + bytes; }

}  // namespace

void LatestTable::Apply(const NormalisedRecord& record) {
  for (const LatestUpdate& update : record.latest) Set(update, record.record);
}

void LatestTable::Set(const LatestUpdate& update, const LogRecord& record) {
  const auto channel = channels_.find(update.channel);
  Entry* entry = nullptr;
  if (channel != channels_.end()) {
    const auto found = channel->second.find(update.key);
    if (found != channel->second.end()) entry = &found->second;
  }
  if (entry != nullptr && entry->offset >= record.offset) return;  // older than what is known

  if (update.tombstone && joined_) {
    if (entry == nullptr) return;
    bytes_ -= CostOf(update.key, entry->bytes == nullptr ? 0 : entry->bytes->size());
    --size_;
    channel->second.erase(update.key);
    if (channel->second.empty()) channels_.erase(channel);
    return;
  }

  const LogEvent* event = update.tombstone ? nullptr : &record.events[update.event];
  const size_t size = event == nullptr ? 0 : event->size;
  if (entry == nullptr) {
    if (bytes_ + CostOf(update.key, size) > max_bytes_) {
      ++refused_;
      refused_since_us_ = std::max(refused_since_us_, record.time_us);
      return;
    }
    entry = &channels_[update.channel][update.key];
    bytes_ += CostOf(update.key, 0);
    ++size_;
  } else if (entry->bytes != nullptr) {
    bytes_ -= entry->bytes->size();
  }
  bytes_ += size;
  entry->offset = record.offset;
  entry->bytes =
      event == nullptr ? nullptr : std::make_shared<const std::string>(record.EventBytes(*event));
}

void LatestTable::BackfillJoined(bool whole_topic, int64_t since_us) {
  joined_ = true;
  complete_ = whole_topic;
  since_us_ = since_us;
  DropTombstones();
}

void LatestTable::DropTombstones() {
  for (auto channel = channels_.begin(); channel != channels_.end();) {
    Keys& keys = channel->second;
    for (auto key = keys.begin(); key != keys.end();) {
      if (key->second.bytes == nullptr) {
        bytes_ -= CostOf(key->first, 0);
        --size_;
        keys.erase(key++);
      } else {
        ++key;
      }
    }
    if (keys.empty()) {
      channels_.erase(channel++);
    } else {
      ++channel;
    }
  }
}

}  // namespace spillway::ingest
