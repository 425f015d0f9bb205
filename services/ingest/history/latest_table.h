#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/string_map.h"
#include "services/ingest/history/log_record.h"

namespace spillway::ingest {

// The latest event of every (channel, key) that one partition's snapshot routes have seen: what
// snapshots are made of. Live records and the backfill behind them may come in any order: the
// higher offset wins.
//
// Coverage: `complete` once the whole topic was read back; otherwise the table holds every key that
// changed after `since_us`. Bounded in bytes: at the bound new keys are not taken in, and the table
// says for good that it is not complete, with `since_us` at the time of the first key it refused
// (metric: refused()).
//
// Owned by a shard; its thread only.
class LatestTable {
 public:
  explicit LatestTable(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Takes in what a record changes.
  void Apply(const NormalisedRecord& record);

  // The table holds everything from `since_us` on (the reader started there).
  void StartsAt(int64_t since_us) { since_us_ = since_us; }
  // The backfill has joined the live reader.
  void BackfillJoined(bool whole_topic, int64_t since_us);

  bool complete() const { return complete_ && refused_ == 0; }
  int64_t since_us() const { return refused_ == 0 ? since_us_ : refused_since_us_; }
  uint64_t refused() const { return refused_; }
  size_t bytes() const { return bytes_; }
  size_t size() const { return size_; }

  // Calls visit(std::string_view event_bytes, const the bytes' owner) for each event of the
  // channel.
  template <typename Visit>
  void ForEach(std::string_view channel, Visit visit) const {
    const auto found = channels_.find(channel);
    if (found == channels_.end()) return;
    for (const auto& [key, entry] : found->second) {
      if (entry.bytes != nullptr) visit(entry.bytes);
    }
  }

 private:
  struct Entry {
    int64_t offset = -1;
    // Null for a tombstone: kept until the backfill has joined, so that an older event does not
    // come back.
    std::shared_ptr<const std::string> bytes;
  };
  using Keys = StringMap<Entry>;

  void Set(const LatestUpdate& update, const LogRecord& record);
  void DropTombstones();

  const size_t max_bytes_;
  StringMap<Keys> channels_;
  size_t bytes_ = 0;
  size_t size_ = 0;
  bool complete_ = false;
  bool joined_ = false;
  int64_t since_us_ = 0;
  uint64_t refused_ = 0;
  int64_t refused_since_us_ = 0;
};

}  // namespace spillway::ingest
