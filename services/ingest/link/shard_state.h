#pragma once

// ShardCore's private state, shared by the files that implement it.

#include <memory>
#include <string>
#include <vector>

#include "services/ingest/link/shard_core.h"

namespace spillway::ingest {

struct ShardCore::Slot {
  enum class Phase { kIdle, kResolving, kReading };
  // What the one scan of a slot is for; catching up goes first, a backfill begins again after it.
  enum class Scan { kNone, kCatchUp, kBackfill };
  struct Prepare {
    LinkId link;
    int64_t after;
  };

  SlotInfo info;
  Phase phase = Phase::kIdle;
  std::unique_ptr<PartitionLog> log;    // kReading
  std::unique_ptr<LatestTable> latest;  // kReading, if it keeps one
  int64_t begin = 0;                    // as resolved last
  bool begin_is_old = false;            // a scan from it has failed since
  int64_t live_from = 0;                // where the live reader began
  bool backfilled = false;
  MonoTime backfill_not_before;  // after a failure
  int64_t backfill_since_us = 0;
  Scan scan = Scan::kNone;
  std::unique_ptr<PartitionLog> window;  // what a catch-up scan has read and not everyone has taken
  v1::ReaderState state = v1::READER_STATE_STALLED;
  MonoTime state_since;
  v1::ReaderState state_before = v1::READER_STATE_STALLED;  // Kafka went away
  size_t attached = 0;                                      // attachments of all links
  MonoTime unattached_since;
  bool resolve_under_way = false;
  bool retry_resolve = false;
  MonoTime retry_at;
  int64_t end = -1;  // log end as last seen; for the lag
  std::vector<Prepare> prepares;
};

struct ShardCore::PendingRead {
  uint64_t id = 0;
  std::string channel;
  bool history = false;
  std::vector<v1::SlotOffset> after;
  std::vector<v1::SlotOffset> not_before;
  MonoTime begun;
};

template <typename Visit>
void ShardCore::ForEachAttachment(SlotId slot, Visit visit) {
  for (auto& [link, feed] : feeds_) {
    if (Attachment* attachment = feed->Find(slot); attachment != nullptr) visit(*feed, *attachment);
  }
}

}  // namespace spillway::ingest
