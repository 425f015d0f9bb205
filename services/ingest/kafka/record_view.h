#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

struct rd_kafka_message_s;

namespace spillway::ingest {

struct RecordHeader {
  std::string_view name;
  std::optional<std::string_view> value;  // nothing = null
};

// A record as it lies in librdkafka's fetch buffer. Valid only while the handler it was given to
// runs; all views point into that buffer.
struct RecordView {
  int64_t offset = 0;
  int64_t timestamp_ms = -1;  // Unix milliseconds; -1: the broker gave none
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // nothing = a tombstone

  // Replaces `out` with the record's headers, in their order. Parsed on demand: most records are
  // routed without them.
  void ReadHeaders(std::vector<RecordHeader>* out) const;
  // The last one of this name; nothing if there is none or it is null.
  std::optional<std::string_view> Header(const char* name) const;

  const rd_kafka_message_s* message = nullptr;  // for ReadHeaders only
};

// Stable meaning of an error on a partition.
enum class PartitionError : uint8_t {
  kNone,
  kOutOfRange,    // the offset asked for is not in the log (any more, or yet)
  kUnknownTopic,  // topic or partition does not exist
  kDenied,        // no permission to read; librdkafka keeps trying
  kTooLarge,      // a record above receive.message.max.bytes stands in the way
  kCorrupt,       // a batch that could not be read; reading goes on behind it
  kOther,
};
const char* PartitionErrorName(PartitionError error);

// What ShardReader::Poll hands out, in offset order for one partition.
struct PartitionEvent {
  enum class Kind : uint8_t { kRecord, kEof, kError };

  uint64_t cookie = 0;  // of the Start that this belongs to
  Kind kind = Kind::kRecord;
  // kRecord: the record's. kEof: the next one to be written: all below it was delivered or is no
  // record (compacted, aborted, a transaction's marker). kError: the one that was asked for, or -1.
  int64_t offset = -1;
  const RecordView* record = nullptr;  // kRecord
  PartitionError error = PartitionError::kNone;
  std::string_view text;  // kError: librdkafka's words, for logs
  // kError: reading of this partition is over and the cookie is forgotten (kOutOfRange and
  // kUnknownTopic). The caller finds out what is true (MetadataProber) and starts again.
  bool ended = false;
};

}  // namespace spillway::ingest
