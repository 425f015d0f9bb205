#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "spillway/v1/control.pb.h"

namespace spillway::ingest {

// A record of the control topic. Points to what it was read from.
struct ControlRecord {
  // Of tombstones: the entry that it makes of its key, serialised.
  static constexpr char kHeader[] = "spillway.control";

  std::optional<std::string_view> key = std::nullopt;
  std::optional<std::string_view> value = std::nullopt;   // nothing = a tombstone
  std::optional<std::string_view> header = std::nullopt;  // kHeader
  int64_t timestamp_ms = -1;  // Unix milliseconds; -1: the broker gave none
};

// The entry that it holds, as control::Check wants it, under its own key; nothing if it is none.
// Anybody who may write to the topic can have written it. Pure; any thread.
std::optional<v1::ControlEntry> EntryOf(const ControlRecord& record);

}  // namespace spillway::ingest
