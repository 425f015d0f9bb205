#include "services/ingest/app/history_config.h"

namespace spillway::ingest {

HistoryBounds BoundsOf(const v1::HistoryConfig& config) {
  HistoryBounds bounds;
  bounds.log.max_bytes = static_cast<size_t>(config.bytes_per_partition());
  bounds.log.max_age_us = config.age() * 1000;
  bounds.latest_bytes = static_cast<size_t>(config.snapshot_bytes());
  bounds.reread_records = config.reread_records();
  bounds.reread_window_bytes = static_cast<size_t>(config.reread_bytes());
  bounds.catch_up_records = config.catch_up_records();
  return bounds;
}

}  // namespace spillway::ingest
