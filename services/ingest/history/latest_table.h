#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/string_map.h"
#include "common/channel/channel_pattern.h"
#include "services/ingest/history/log_record.h"

namespace spillway::ingest {

// The latest event of every (channel, key) that one partition's snapshot routes have seen: what
// snapshots are made of. Live records and the backfill behind them may come in any order: the
// higher offset wins.
//
// Coverage: `complete` once the whole topic was read back; otherwise the table holds every key that
// changed after `since_us`. Bounded in bytes: at the bound the oldest entries go, and `since_us`
// moves past them (metric: evicted()). With a horizon, entries older than it go in time.
//
// Owned by a shard; its thread only.
class LatestTable {
 public:
  // `horizon_us` 0: entries are kept for ever.
  explicit LatestTable(size_t max_bytes, int64_t horizon_us = 0)
      : max_bytes_(max_bytes), horizon_us_(horizon_us) {}

  // Takes in what a record changes.
  void Apply(const NormalisedRecord& record);

  // The table holds everything from `since_us` on: the reader started there, at `live_from`. What
  // lies before is not shown until the backfill has joined: of its keys it may yet bring newer
  // events, or tombstones.
  void StartsAt(int64_t since_us, int64_t live_from = 0) {
    since_us_ = since_us;
    live_from_ = live_from;
  }
  // The backfill has joined the live reader.
  void BackfillJoined(bool whole_topic, int64_t since_us);

  // Gives up what is older than the horizon.
  void Expire(int64_t now_us);

  bool complete() const { return complete_ && evicted_ == 0; }
  int64_t since_us() const { return std::max({since_us_, expired_until_us_, evicted_until_us_}); }
  // Entries that went at the bound, and records that were older than those.
  uint64_t evicted() const { return evicted_; }
  size_t bytes() const { return bytes_; }
  size_t size() const { return size_; }

  // Calls visit(std::string_view event_bytes, const the bytes' owner) for each event of the
  // channel.
  template <typename Visit>
  void ForEach(std::string_view channel, Visit visit) const {
    const auto found = channels_.find(channel);
    if (found == channels_.end()) return;
    for (const auto& [key, entry] : found->second->keys) {
      const bool is_latest = joined_ || entry->offset >= live_from_;
      if (entry->bytes != nullptr && is_latest) visit(entry->bytes);
    }
  }

  // The same for each event of all channels that match: a record counts for the first of its
  // channels that does, so what is visited is what following them live would have left.
  template <typename Visit>
  void ForEachMatch(const ChannelPattern& pattern, Visit visit) const {
    for (const auto& [name, channel] : channels_) {
      if (!pattern.Matches(name)) continue;
      for (const auto& [key, entry] : channel->keys) {
        const bool is_latest = joined_ || entry->offset >= live_from_;
        if (entry->bytes != nullptr && is_latest && IsFirst(*entry, pattern)) visit(entry->bytes);
      }
    }
  }

 private:
  struct Channel;
  // On the heap, so that the maps' keys may point into it and it can be in a list.
  struct Entry {
    std::string key;
    Channel* channel = nullptr;
    int64_t offset = -1;
    int64_t time_us = 0;
    // Null for a tombstone: kept until the backfill has joined, so that an older event does not
    // come back.
    std::shared_ptr<const std::string> bytes;
    // Channels of what its record yielded before this event; null: nothing.
    std::unique_ptr<const std::vector<std::string>> before;
    Entry* older = nullptr;
    Entry* newer = nullptr;
    bool backfilled = false;  // which of the lists
  };
  template <typename Value>
  using ViewMap =
      absl::flat_hash_map<std::string_view, std::unique_ptr<Value>, StringHash, std::equal_to<>>;
  struct Channel {
    std::string name;
    ViewMap<Entry> keys;
  };
  // Entries by age: offsets rise from the oldest on.
  struct Ages {
    Entry* oldest = nullptr;
    Entry* newest = nullptr;
    void Append(Entry* entry);
    void Remove(Entry* entry);
  };

  void Set(const LatestUpdate& update, const LogRecord& record);
  static size_t CostOf(const Entry& entry);
  // Whether the entry's channel is the first of its record's that matches.
  static bool IsFirst(const Entry& entry, const ChannelPattern& pattern);
  Entry* Find(const LatestUpdate& update);
  Entry* Add(const LatestUpdate& update);
  void Remove(Entry* entry);
  void GiveUp(Entry* entry);  // Remove, and nothing older comes in again
  Ages& AgesOf(const Entry& entry) { return entry.backfilled ? backfilled_ : live_; }
  Entry* Oldest() { return backfilled_.oldest != nullptr ? backfilled_.oldest : live_.oldest; }
  void DropTombstones();

  const size_t max_bytes_;
  const int64_t horizon_us_;
  ViewMap<Channel> channels_;
  // The backfill goes on below what live has brought: two sequences, each with rising offsets.
  Ages backfilled_;
  Ages live_;
  int64_t newest_offset_ = -1;
  int64_t given_up_ = -1;  // nothing up to this offset comes in: its later fate may be forgotten
  size_t bytes_ = 0;
  size_t size_ = 0;
  bool complete_ = false;
  bool joined_ = false;
  int64_t since_us_ = 0;
  int64_t live_from_ = 0;
  int64_t expired_until_us_ = 0;
  int64_t evicted_until_us_ = 0;
  uint64_t evicted_ = 0;
};

}  // namespace spillway::ingest
