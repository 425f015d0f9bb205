#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/journal.h"

namespace spillway::load {

// Where one client is in each of its channels, as json.v1 has clients keep it
// (docs/protocol-json.md, Positions), so that it can go on there on another connection. A channel
// is called by its place among the client's. One thread.
class PositionTable {
 public:
  // Where one event stood. Without a slot that was told before: of no source.
  struct Place {
    uint16_t source = Journal::kNoSource;
    int64_t offset = 0;
  };
  struct Entry {
    std::string source;
    uint16_t number = Journal::kNoSource;  // the source's in the journal
    uint32_t slot = UINT32_MAX;            // on the present connection; none
    bool pending = true;
    bool proven = false;  // fp and fp_offset are known
    uint32_t fp = 0;
    int64_t fp_offset = 0;
    int64_t offset = 0;
  };

  // `journal` may be null; it is told the names of sources.
  explicit PositionTable(size_t channels, Journal* journal = nullptr)
      : channels_(channels), journal_(journal) {}

  // Slot numbers mean nothing on another connection.
  void Disconnect();

  // An event message, as far as it says where it stands; one that does not moves nothing.
  Place TakeEvent(size_t channel, std::string_view message);
  // What may speak of positions, in order: subscribed, snapshot, joined, checkpoint, gap. Says of
  // which channel, or pattern, by its name; empty if of none or if it is not understood.
  struct Spoken {
    std::string channel;
    bool gap = false;
  };
  static Spoken WhatIsSpokenOf(std::string_view message);
  void TakePositions(size_t channel, std::string_view message);

  // Whether the channel's position has been told at all.
  bool known(size_t channel) const { return !channels_[channel].empty(); }
  const std::vector<Entry>& entries(size_t channel) const { return channels_[channel]; }
  // The channel's value in `positions` of a subscribe command.
  void Append(size_t channel, std::string* out) const;

 private:
  static Entry* BySlot(std::vector<Entry>* entries, uint32_t slot);
  static Entry* ByPartition(std::vector<Entry>* entries, std::string_view source);
  void Name(Entry* entry, std::string_view source);

  std::vector<std::vector<Entry>> channels_;  // a few partitions each
  Journal* journal_;
};

}  // namespace spillway::load
