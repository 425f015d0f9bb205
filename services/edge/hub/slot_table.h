#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel/channel_pattern.h"
#include "services/edge/dialect/edge_event.h"

namespace spillway::edge {

// A slot as this edge speaks of it.
struct SlotEntry {
  SlotNumber number = kNoSlot;
  std::string topic;
  int32_t partition = 0;
  uint64_t incarnation = 0;
  std::string source;  // "topic/partition@incarnation"
  struct Feed {
    ChannelPattern pattern;
    bool snapshot = false;
  };
  std::vector<Feed> feeds;

  // Whether it can feed the channel; *snapshot is set if ingest keeps snapshots of it there.
  bool Feeds(std::string_view channel, bool* snapshot) const;
  // The same of some channel that matches.
  bool FeedsAny(const ChannelPattern& pattern, bool* snapshot) const;
};

// All slots, by number. Made anew by the link thread when the catalogue changes and shared,
// immutable, with the workers. Entries are shared between versions, so that a source's name stays
// where it is.
struct SlotTable {
  std::vector<std::shared_ptr<const SlotEntry>> slots;  // index = SlotNumber; null if dropped
  bool complete = false;  // every linked ingest has told its catalogue

  const SlotEntry* Find(SlotNumber slot) const {
    return slot < slots.size() ? slots[slot].get() : nullptr;
  }
};

}  // namespace spillway::edge
