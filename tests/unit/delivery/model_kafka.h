#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/channel/channel_hash.h"
#include "common/channel/channel_pattern.h"
#include "common/wire/event_wire.h"
#include "services/ingest/history/log_record.h"

namespace spillway::model {

// Whether a subscription to `name`, which may be a pattern, is for the channel.
inline bool IsFor(const std::string& name, const std::string& channel) {
  return IsChannelPattern(name) ? ChannelPattern::Parse(name)->Matches(channel) : name == channel;
}

// A record as the model's Kafka holds it: events, each for one or more channels, of one key. No
// channel gets two of one record.
struct ModelRecord {
  int64_t offset = 0;
  std::vector<std::vector<std::string>> events;  // their channels; empty: yields nothing
  std::string key;
  bool tombstone = false;
  int64_t time_us = 0;
  std::string idempotency_key;
  bool repeat = false;  // another one had its idempotency key shortly before

  // The channel that it is for in a subscription to `name`; empty: it is for none.
  std::string ChannelFor(const std::string& name) const {
    if (repeat) return {};
    for (const auto& channels : events) {
      for (const std::string& channel : channels) {
        if (IsFor(name, channel)) return channel;
      }
    }
    return {};
  }
  bool Feeds(const std::string& name) const { return !ChannelFor(name).empty(); }
};

// Topics of the model: partitions with holes in their offsets.
class ModelKafka {
 public:
  struct Partition {
    std::string topic = "t";
    int32_t number = 0;
    std::vector<ModelRecord> records;
    // All records that there ever were, of each topic of this name, one made after the other.
    std::vector<std::vector<ModelRecord>> histories{{}};
    int64_t begin = 0;
    int64_t end = 0;       // next offset
    bool gone = false;     // its topic is deleted, and not made anew yet
    bool removed = false;  // its topic was, with fewer partitions
    bool was_removed = false;

    int generation() const { return static_cast<int>(histories.size()) - 1; }
    const std::vector<ModelRecord>& history() const { return histories.back(); }
    // As edges speak of it, but for its incarnation.
    std::string source() const { return absl::StrCat(topic, "/", number); }
    // Topic "u" keeps no snapshots.
    bool keeps_latest() const { return topic == "t"; }
  };

  explicit ModelKafka(size_t partitions) {
    for (size_t n = 0; n < partitions; ++n) Add("t");
  }

  std::vector<Partition>& partitions() { return partitions_; }
  const std::vector<Partition>& partitions() const { return partitions_; }

  // One more partition of a topic. False: it is one that was removed.
  bool Add(const std::string& topic) {
    for (Partition& partition : partitions_) {
      if (partition.topic != topic || !partition.removed) continue;
      MakeAnew(partition);
      return false;
    }
    Partition partition;
    partition.topic = topic;
    partition.number = static_cast<int32_t>(
        std::count_if(partitions_.begin(), partitions_.end(),
                      [&](const Partition& other) { return other.topic == topic; }));
    partitions_.push_back(std::move(partition));
    return true;
  }

  struct Writing {
    const std::vector<std::string>& channels;
    bool wide = false;   // some records are of several channels, some of several events
    int64_t window = 0;  // some repeat others; within so many offsets they yield nothing
    int64_t time_us = 0;
  };
  void Append(std::mt19937_64& random, const Writing& writing) {
    AppendTo(partitions_[random() % partitions_.size()], random, writing);
  }
  static void AppendTo(Partition& partition, std::mt19937_64& random, const Writing& writing) {
    if (partition.gone) return;
    const std::vector<std::string>& channels = writing.channels;
    const bool wide = writing.wide;
    if (random() % 8 == 0) partition.end += static_cast<int64_t>(random() % 3);  // a hole
    ModelRecord record;
    record.offset = partition.end++;
    record.time_us = writing.time_us;
    if (writing.window > 0 && random() % 2 == 0) {
      record.idempotency_key = absl::StrCat("key ", random() % 8);
      record.repeat = std::any_of(partition.history().begin(), partition.history().end(),
                                  [&](const ModelRecord& before) {
                                    return before.idempotency_key == record.idempotency_key &&
                                           before.offset > record.offset - writing.window;
                                  });
    }
    if (random() % 5 != 0) {
      const size_t first = random() % channels.size();
      record.events.push_back({channels[first]});
      const auto other = [&](size_t n) { return channels[(first + n) % channels.size()]; };
      if (wide && random() % 3 == 0) record.events[0].push_back(other(1));
      if (wide && random() % 3 == 0) record.events.push_back({other(2)});
      record.key = std::string(1, static_cast<char>('a' + random() % 4));
      record.tombstone = random() % 10 == 0;
    }
    partition.records.push_back(record);
    partition.histories.back().push_back(record);
    if (random() % 16 == 0) ++partition.end;  // a transaction's marker
  }

  bool IsGone(const std::string& topic) const {
    return std::any_of(partitions_.begin(), partitions_.end(), [&](const Partition& partition) {
      return partition.topic == topic && partition.gone && !partition.removed;
    });
  }
  void Delete(const std::string& topic) {
    for (Partition& partition : partitions_) {
      if (partition.topic == topic) partition.gone = true;
    }
  }
  // Empty.
  static void MakeAnew(Partition& partition) {
    partition.gone = partition.removed = false;
    partition.begin = partition.end = 0;
    partition.records.clear();
    partition.histories.emplace_back();
  }

  // Retention: what lies before is gone.
  void Truncate(size_t partition, int64_t begin) {
    Partition& p = partitions_[partition];
    p.begin = std::max(p.begin, std::min(begin, p.end));
    std::erase_if(p.records, [&](const ModelRecord& r) { return r.offset < p.begin; });
  }

  // Compaction: of records before `before` that say the same channels and key, the newest stays. A
  // tombstone, too: Kafka keeps it for delete.retention.ms, so that whoever reads the topic from
  // its beginning meets it. Returns how many went.
  size_t Compact(size_t partition, int64_t before) {
    std::vector<ModelRecord>& records = partitions_[partition].records;
    const std::vector<ModelRecord> all = records;
    return std::erase_if(records, [&](const ModelRecord& record) {
      return record.offset < before && !record.events.empty() &&
             std::any_of(all.begin(), all.end(), [&](const ModelRecord& newer) {
               return newer.offset > record.offset && newer.offset < before &&
                      newer.key == record.key && newer.events == record.events;
             });
    });
  }

  // The first record at or after `offset`; null at the end.
  const ModelRecord* At(size_t partition, int64_t offset) const {
    for (const ModelRecord& record : partitions_[partition].records) {
      if (record.offset >= offset) return &record;
    }
    return nullptr;
  }

  static uint16_t Fingerprint(int generation, int64_t offset) {
    return static_cast<uint16_t>(offset * 7 + generation * 1'009 + 1);
  }
  // Its payload says which of the topics of one name it is of. `repeat`: its reader has found that
  // it is one. `time_us`: the age that it has for logs and tables.
  static ingest::NormalisedRecord Normalise(uint32_t slot, int generation,
                                            const ModelRecord& record, bool repeat,
                                            int64_t time_us) {
    const std::string payload = absl::StrCat(generation);
    ingest::NormalisedRecord out;
    out.record.offset = record.offset;
    out.record.fingerprint = Fingerprint(generation, record.offset);
    out.record.time_us = time_us;
    if (repeat) return out;
    for (const std::vector<std::string>& channels : record.events) {
      wire::EventView view;
      view.slot = slot;
      view.offset = record.offset;
      for (const std::string& channel : channels) view.channels.push_back(channel);
      view.key = record.key;
      view.payload = payload;
      view.encoding = 1;
      view.tombstone = record.tombstone;
      ingest::LogEvent& event = out.record.events.emplace_back();
      event.begin = static_cast<uint32_t>(out.record.bytes.size());
      wire::AppendBatchEvent(view, &out.record.bytes);
      event.size = static_cast<uint32_t>(out.record.bytes.size()) - event.begin;
      const auto index = static_cast<uint32_t>(out.record.events.size() - 1);
      for (const std::string& channel : channels) {
        event.channels.push_back(ChannelHash(channel));
        out.latest.push_back({channel, record.key, index, record.tombstone});
      }
    }
    return out;
  }

 private:
  std::vector<Partition> partitions_;
};

}  // namespace spillway::model
