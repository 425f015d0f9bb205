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

}  // namespace spillway::wire
