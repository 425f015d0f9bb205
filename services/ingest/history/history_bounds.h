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
  // An edge that has fallen further behind, in offsets, is not led up to the log any more: it goes
  // on with what the log holds, after a gap.
  int64_t catch_up_records = 10'000'000;
};

}  // namespace spillway::ingest
