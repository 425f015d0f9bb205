#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"

namespace spillway::ingest {

// One event of a record, serialised as an element of Batch.events (common/wire/event_wire.h).
struct LogEvent {
  // Offset and length inside LogRecord::bytes.
  uint32_t begin = 0;
  uint32_t size = 0;
  // ChannelHash (common/channel) of every channel it goes to.
  absl::InlinedVector<uint64_t, 2> channels;
};

// A record as a log keeps it. Plain data.
struct KeptRecord {
  int64_t offset = 0;
  int64_t time_us = 0;          // as in LogRecord
  const char* bytes = nullptr;  // the log's
  uint32_t size = 0;
  uint16_t fingerprint = 0;
  absl::InlinedVector<LogEvent, 1> events;
  // For each channel of each event, in their order: how many records further the channel's next one
  // is; 0: there is none yet. Where several events have the channel, the first of them says it.
  absl::InlinedVector<uint32_t, 2> next;

  std::string_view EventBytes(const LogEvent& event) const {
    return {bytes + event.begin, event.size};
  }
};

// Says which record stands at an offset; `fingerprint` 0: none is known.
struct RecordMark {
  int64_t offset = -1;
  uint16_t fingerprint = 0;
};

// What one Kafka record yielded: the unit that the log keeps and the link sends. Plain data.
struct LogRecord {
  int64_t offset = 0;
  uint16_t fingerprint = 0;  // Fingerprint() of the Kafka record
  // Wall time at which it was read: its age counts from there, so that an old record that is caught
  // up with is not given up before anyone got it.
  int64_t time_us = 0;
  std::string bytes;  // all its events, one after the other
  absl::InlinedVector<LogEvent, 1> events;

  std::string_view EventBytes(const LogEvent& event) const {
    return std::string_view(bytes).substr(event.begin, event.size);
  }
  // What it counts for in a log's byte budget.
  size_t cost() const { return CostOf(bytes.size(), events.size()); }
  static size_t CostOf(size_t bytes, size_t events) {
    return bytes + sizeof(KeptRecord) + events * sizeof(LogEvent);
  }
  // Empty again; its memory is kept for the next one.
  void Clear() {
    offset = time_us = 0;
    fingerprint = 0;
    bytes.clear();
    events.clear();
  }
};

// How a channel's state is kept for snapshots.
enum class SnapshotKind : uint8_t { kNone, kLatest, kByKey };

// A change to the latest-table that a record brings: the event's channel, its key, and which event
// of the record it is; `tombstone` removes the key.
struct LatestUpdate {
  std::string channel;
  std::string key;  // empty for kLatest
  uint32_t event = 0;
  bool tombstone = false;
};

// A normalised record on its way into a partition.
struct NormalisedRecord {
  LogRecord record;
  std::vector<LatestUpdate> latest;
};

// 16 bits that tell one Kafka record from another at the same offset of a topic that was made anew.
uint16_t Fingerprint(std::string_view key, std::string_view value, int64_t timestamp_ms);

}  // namespace spillway::ingest
