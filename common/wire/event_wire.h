#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace spillway::wire {

// Hand-written reading and writing of spillway.v1.Event and of batches of them (proto/spillway/v1),
// for the two places where every event passes: it is written once by ingest and read in place by
// every edge, with no message object and no copy of its fields. Tests hold it against the generated
// code. Values of the enums are those of event.proto.
//
// Pure functions and plain data: usable from any thread.

// An event whose strings point into somebody else's bytes.
struct EventView {
  uint32_t slot = 0;
  int64_t offset = 0;
  absl::InlinedVector<std::string_view, 2> channels;
  std::string_view type;
  std::string_view key;
  int64_t event_time_us = 0;
  std::string_view payload;
  int encoding = 0;
  int priority = 0;
  std::string_view trace_id;
  bool tombstone = false;

  // Keeps the capacity of `channels`, so that a view used again allocates nothing.
  void Clear();
};

struct ProgressView {
  uint32_t slot = 0;
  uint64_t attach_id = 0;
  int64_t upto = 0;
  uint32_t fingerprint = 0;
  uint64_t interest_sequence = 0;  // 0: no news about interest
  int64_t interest_after = 0;
  uint64_t fingerprint_back = 0;
};

// Appends `event` as one element of Batch.events: tag, length, Event.
void AppendBatchEvent(const EventView& event, std::string* out);
// The same with these in place of the event's own.
void AppendBatchEvent(const EventView& event, uint32_t slot, int64_t offset, std::string* out);
// Appends one element of Batch.progress.
void AppendBatchProgress(const ProgressView& progress, std::string* out);

// Bytes to put before a serialised Batch of `batch_size` bytes to make it a serialised
// LinkResponse.
std::string LinkBatchHeader(size_t batch_size);
// Appends a serialised Event as one element of EphemeralBatch.events.
void AppendEphemeralEvent(std::string_view event, std::string* out);
// Bytes to put before `events_size` bytes of such elements, the first of them number `first`, to
// make them a serialised LinkResponse.
std::string LinkEphemeralHeader(uint64_t first, size_t events_size);
// If `message` is a serialised LinkResponse that holds a Batch and nothing else, its bytes.
std::optional<std::string_view> BatchOfLinkResponse(std::string_view message);

// False if the bytes are not a well-formed Event. Unknown fields are skipped. `event` is
// overwritten.
bool ParseEvent(std::string_view bytes, EventView* event);

using ChannelViews = absl::InlinedVector<std::string_view, 2>;
// The channels of an element of Batch.events, as AppendBatchEvent has written it; false if it is
// none. `channels` is overwritten.
bool ParseBatchEventChannels(std::string_view element, ChannelViews* channels);

// Walks over a serialised Batch, in the order of the wire.
class BatchReader {
 public:
  enum class Kind { kProgress, kEvent, kEnd, kMalformed };

  explicit BatchReader(std::string_view bytes) : rest_(bytes) {}

  // Steps to the next element; kProgress fills `progress`, kEvent sets `event_bytes` (for
  // ParseEvent).
  Kind Next(ProgressView* progress, std::string_view* event_bytes);

 private:
  std::string_view rest_;
};

}  // namespace spillway::wire
