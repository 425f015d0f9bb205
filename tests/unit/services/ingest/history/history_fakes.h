#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/channel/channel_hash.h"
#include "common/wire/event_wire.h"
#include "services/ingest/history/log_record.h"

namespace spillway::ingest {

// A record that yields nothing.
inline LogRecord EmptyRecord(int64_t offset, int64_t time_us = 0) {
  LogRecord record;
  record.offset = offset;
  record.fingerprint = static_cast<uint16_t>(offset + 1);
  record.time_us = time_us;
  return record;
}

// A record of one event for one channel; `payload` sets its size.
inline LogRecord EventRecord(int64_t offset, std::string_view channel = "c",
                             std::string_view payload = "{}", uint32_t slot = 0) {
  LogRecord record = EmptyRecord(offset);
  wire::EventView view;
  view.slot = slot;
  view.offset = offset;
  view.channels.push_back(channel);
  view.payload = payload;
  wire::AppendBatchEvent(view, &record.bytes);
  LogEvent& event = record.events.emplace_back();
  event.size = static_cast<uint32_t>(record.bytes.size());
  event.channels.push_back(ChannelHash(channel));
  return record;
}

// The same with its change to the latest-table.
inline NormalisedRecord KeyedRecord(int64_t offset, std::string channel, std::string key,
                                    std::string_view payload = "{}", uint32_t slot = 0) {
  NormalisedRecord record{.record = EventRecord(offset, channel, payload, slot), .latest = {}};
  record.latest.push_back({std::move(channel), std::move(key), 0, false});
  return record;
}

// A record of several events, each for several channels, that all have one key.
inline NormalisedRecord WideRecord(int64_t offset,
                                   const std::vector<std::vector<std::string>>& events,
                                   const std::string& key = "k", uint32_t slot = 0) {
  NormalisedRecord record{.record = EmptyRecord(offset), .latest = {}};
  for (const std::vector<std::string>& channels : events) {
    wire::EventView view;
    view.slot = slot;
    view.offset = offset;
    view.key = key;
    LogEvent& event = record.record.events.emplace_back();
    for (const std::string& channel : channels) {
      view.channels.push_back(channel);
      event.channels.push_back(ChannelHash(channel));
      record.latest.push_back(
          {channel, key, static_cast<uint32_t>(record.record.events.size() - 1), false});
    }
    event.begin = static_cast<uint32_t>(record.record.bytes.size());
    wire::AppendBatchEvent(view, &record.record.bytes);
    event.size = static_cast<uint32_t>(record.record.bytes.size()) - event.begin;
  }
  return record;
}

inline NormalisedRecord Tombstone(int64_t offset, std::string channel, std::string key) {
  NormalisedRecord record = KeyedRecord(offset, std::move(channel), std::move(key));
  record.latest[0].tombstone = true;
  return record;
}

}  // namespace spillway::ingest
