#pragma once

#include <cstddef>

// Sizes that both tiers go by. What an ingest may make is below what an edge takes: an edge that
// refused a batch would attach again after what it has and be sent the same one, for ever.
namespace spillway::wire {

// Largest Batch that an edge puts together of parts.
inline constexpr size_t kMaxBatchBytes = 64 << 20;
// What all events of one record may come to, encoded; a record above it is rejected. The rest of
// the batch that it travels in is progress.
inline constexpr size_t kMaxRecordBytes = 60 << 20;

// Channel names in one Interest message. A larger change goes as several: no interest may be too
// large for a message, and none may hold up a shard for long while it is applied.
inline constexpr size_t kInterestBytes = 256 << 10;

}  // namespace spillway::wire
