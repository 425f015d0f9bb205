#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/wire/event_wire.h"

namespace spillway::ingest {

// A header of a record. A null value is an absent one: such headers are not handed in.
struct HeaderView {
  std::string_view name;
  std::string_view value;
};

// A Kafka record as the normaliser needs it; views into the caller's memory.
struct RecordInput {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  // nothing: a tombstone
  std::span<const HeaderView> headers;    // only looked at if CompiledRoute::needs_headers
  int64_t timestamp_ms = -1;              // Unix milliseconds; -1: none
};

// What ingest keeps of a channel for later subscribers.
enum class SnapshotMode : uint8_t { kNone, kLatest, kByKey };

// One event made of a record. The views point into the record or the normaliser and hold until its
// next Normalise. `slot` and `offset` are left to the caller.
struct NormalisedEvent {
  wire::EventView event;
  SnapshotMode snapshot = SnapshotMode::kNone;
};

// Why a record was rejected.
enum class RejectReason : uint8_t {
  kUndecodableJson,
  kUndecodableProtobuf,
  kBadFraming,
  kOversized,
  kMissingField,
  kBadChannel,
  kBadKey,
  kBadType,
  kPayloadNotObject,
};

// The stable code for metrics, logs and the dead-letter topic: "undecodable_json", ...
std::string_view RejectCode(RejectReason reason);

struct NormaliseResult {
  std::span<const NormalisedEvent> events;  // may be empty: the record is nobody's
  std::optional<RejectReason> rejected;     // set: there are no events
  std::string_view detail;                  // which field, which channel, which error

  // "missing_field:/symbol", "oversized", ...
  std::string Describe() const;
};

// What a topic can feed: channels that match `pattern` (common/channel/channel_pattern.h).
struct Feed {
  std::string pattern;
  SnapshotMode snapshot = SnapshotMode::kNone;
  std::optional<int64_t> horizon_ms;  // of the snapshot; nothing: the whole compacted topic

  bool operator==(const Feed&) const = default;
};

}  // namespace spillway::ingest
