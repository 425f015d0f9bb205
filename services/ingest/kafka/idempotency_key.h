#pragma once

#include <cstddef>

namespace spillway::ingest {

// The record header in which a publication's idempotency key travels.
inline constexpr char kIdempotencyHeader[] = "idempotency_key";
// The publish API takes no longer keys, and in records of others they are none.
inline constexpr size_t kMaxIdempotencyKeyBytes = 256;

}  // namespace spillway::ingest
