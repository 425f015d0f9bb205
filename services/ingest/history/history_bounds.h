#pragma once

#include <cstddef>
#include <cstdint>

#include "services/ingest/history/partition_log.h"

namespace spillway::ingest {

// What is kept of one partition, and how far back it is read again.
struct HistoryBounds {
  PartitionLog::Bounds log;
  size_t latest_bytes = 64 << 20;  // latest-table, for snapshots
  // Kafka is read again for history that the log has given up, if it goes no further back than so
  // many offsets before the log; 0: never.
  int64_t reread_records = 1'000'000;
  size_t reread_window_bytes = 16 << 20;  // of it that is kept
};

}  // namespace spillway::ingest
