#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/channel/channel_hash.h"
#include "common/wire/event_wire.h"
#include "services/ingest/history/log_record.h"

namespace spillway::model {

// A record as the model's Kafka holds it: an event for one channel, or one that yields nothing.
struct ModelRecord {
  int64_t offset = 0;
  std::string channel;  // empty: yields nothing
  std::string key;
  bool tombstone = false;
};

// One topic of the model: partitions with holes in their offsets.
class ModelKafka {
 public:
  struct Partition {
    std::vector<ModelRecord> records;
    std::vector<ModelRecord> history;  // records that retention removed too
    int64_t begin = 0;
    int64_t end = 0;  // next offset
  };

  explicit ModelKafka(size_t partitions) : partitions_(partitions) {}

  std::vector<Partition>& partitions() { return partitions_; }

  void Append(std::mt19937_64& random, const std::vector<std::string>& channels) {
    Partition& partition = partitions_[random() % partitions_.size()];
    if (random() % 8 == 0) partition.end += static_cast<int64_t>(random() % 3);  // a hole
    ModelRecord record;
    record.offset = partition.end++;
    if (random() % 5 != 0) {
      record.channel = channels[random() % channels.size()];
      record.key = std::string(1, static_cast<char>('a' + random() % 4));
      record.tombstone = random() % 10 == 0;
    }
    partition.records.push_back(record);
    partition.history.push_back(record);
    if (random() % 16 == 0) ++partition.end;  // a transaction's marker
  }

  // Retention: what lies before is gone.
  void Truncate(size_t partition, int64_t begin) {
    Partition& p = partitions_[partition];
    p.begin = std::max(p.begin, std::min(begin, p.end));
    std::erase_if(p.records, [&](const ModelRecord& r) { return r.offset < p.begin; });
  }

  // The first record at or after `offset`; null at the end.
  const ModelRecord* At(size_t partition, int64_t offset) const {
    for (const ModelRecord& record : partitions_[partition].records) {
      if (record.offset >= offset) return &record;
    }
    return nullptr;
  }

  static ingest::NormalisedRecord Normalise(uint32_t slot, const ModelRecord& record) {
    ingest::NormalisedRecord out;
    out.record.offset = record.offset;
    out.record.fingerprint = static_cast<uint16_t>(record.offset * 7 + 1);
    out.record.time_us = 1;
    if (record.channel.empty()) return out;
    wire::EventView view;
    view.slot = slot;
    view.offset = record.offset;
    view.channels.push_back(record.channel);
    view.key = record.key;
    view.payload = "{}";
    view.encoding = 1;
    view.tombstone = record.tombstone;
    wire::AppendBatchEvent(view, &out.record.bytes);
    ingest::LogEvent& event = out.record.events.emplace_back();
    event.begin = 0;
    event.size = static_cast<uint32_t>(out.record.bytes.size());
    event.channels.push_back(ChannelHash(record.channel));
    out.latest.push_back({record.channel, record.key, 0, record.tombstone});
    return out;
  }

 private:
  std::vector<Partition> partitions_;
};

}  // namespace spillway::model
