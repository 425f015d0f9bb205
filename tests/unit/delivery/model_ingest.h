#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "services/ingest/link/shard_core.h"
#include "tests/unit/delivery/model_kafka.h"

namespace spillway::model {

// An ingest of the model: the real ShardCore over the model's Kafka; slot numbers differ from one
// ingest to the next (100 * n + partition), as they may in life.
class ModelIngest final : public ingest::RecordSource, public ingest::LinkSink {
 public:
  struct ReadAnswer {
    uint64_t id;
    ingest::ReadResult result;
  };

  ModelIngest(int number, int life, ModelKafka& kafka, ingest::ShardCore::Options options)
      : number_(number), life_(life), kafka_(kafka), core_(options, *this, *this) {
    for (size_t p = 0; p < kafka.partitions().size(); ++p) {
      core_.AddSlot({.id = SlotOf(p),
                     .topic = "t",
                     .partition = static_cast<int32_t>(p),
                     .keeps_latest = true,
                     .horizon_ms = 0});
    }
  }

  uint32_t SlotOf(size_t partition) const {
    return static_cast<uint32_t>(number_) * 100 + static_cast<uint32_t>(partition);
  }
  size_t PartitionOf(uint32_t slot) const { return slot % 100; }
  std::string name() const {
    return "ingest-" + std::to_string(number_) + "." + std::to_string(life_);
  }
  ingest::ShardCore& core() { return core_; }

  bool stalled = false;                             // reads nothing from Kafka
  bool zombie = false;                              // runs nothing at all (SIGSTOP)
  std::map<uint64_t, std::deque<std::string>> out;  // by link: what goes to the edge
  std::vector<uint64_t> taken;                      // links whose batch was written to the stream
  std::map<uint64_t, std::vector<v1::ReaderBeat>> states;
  std::vector<uint64_t> cut;
  std::vector<ReadAnswer> reads;

  void Greet(uint64_t link) {
    core_.OpenLink(link);
    v1::LinkResponse hello;
    hello.mutable_hello()->set_node_id(name());
    hello.mutable_hello()->set_protocol(1);
    Push(link, hello);
    v1::LinkResponse response;
    v1::Catalogue* catalogue = response.mutable_catalogue();
    catalogue->set_complete(true);
    v1::CatalogueTopic* topic = catalogue->add_topics();
    topic->set_topic("t");
    v1::Feed* feed = topic->add_feeds();
    feed->set_pattern("c*");
    feed->set_snapshot(v1::SNAPSHOT_MODE_BY_KEY);
    for (size_t p = 0; p < kafka_.partitions().size(); ++p) {
      v1::CatalogueSlot* slot = topic->add_slots();
      slot->set_slot(SlotOf(p));
      slot->set_partition(static_cast<int32_t>(p));
    }
    Push(link, response);
  }
  void Beat(uint64_t link) {
    v1::LinkResponse response;
    response.mutable_beat()->set_kafka_up(!stalled);
    for (const v1::ReaderBeat& state : states[link])
      *response.mutable_beat()->add_readers() = state;
    if (auto& queue = out[link]; true) queue.push_front(response.SerializeAsString());
  }
  void Push(uint64_t link, const v1::LinkResponse& response) {
    out[link].push_back(response.SerializeAsString());
  }

  // One turn of the shard: some of what Kafka's client has, then what gathered leaves.
  void Turn(std::mt19937_64& random, MonoTime now) {
    for (uint32_t slot : std::exchange(to_resolve_, {})) {
      const auto& partition = kafka_.partitions()[PartitionOf(slot)];
      if (stalled) {
        core_.OnResolveFailed(slot, "no broker", now);
      } else {
        core_.OnResolved(slot, partition.begin, partition.end, now);
      }
    }
    if (!stalled) {
      Read(live_, random, now, /*live=*/true);
      if (core_.scan_room()) Read(scans_, random, now, /*live=*/false);
    }
    core_.Pump(now);
  }

  // RecordSource
  void Resolve(uint32_t slot) override { to_resolve_.push_back(slot); }
  void StartLive(uint32_t slot, int64_t from) override { live_[slot] = from; }
  void StopLive(uint32_t slot) override { live_.erase(slot); }
  void StartScan(uint32_t slot, int64_t from, int64_t) override { scans_[slot] = from; }
  void StopScan(uint32_t slot) override { scans_.erase(slot); }

  // LinkSink
  void SendBatch(uint64_t link, size_t, std::string batch) override {
    out[link].push_back(wire::LinkBatchHeader(batch.size()) + batch);
  }
  void SendAnswer(uint64_t link, v1::LinkResponse answer) override { Push(link, answer); }
  void SetReaderStates(uint64_t link, size_t, std::vector<v1::ReaderBeat> beats) override {
    states[link] = std::move(beats);
  }
  void Cut(uint64_t link, std::string_view) override { cut.push_back(link); }
  void ReadDone(uint64_t id, size_t, ingest::ReadResult result) override {
    reads.push_back({id, std::move(result)});
  }

 private:
  void Read(std::map<uint32_t, int64_t>& readers, std::mt19937_64& random, MonoTime now,
            bool live) {
    const std::map<uint32_t, int64_t> copy = readers;
    for (const auto& [slot, from] : copy) {
      const size_t partition = PartitionOf(slot);
      for (size_t n = random() % 4; n > 0; --n) {
        const auto reader = readers.find(slot);
        if (reader == readers.end()) break;
        const ModelRecord* record = kafka_.At(partition, reader->second);
        if (reader->second < kafka_.partitions()[partition].begin) {
          if (live) {
            core_.OnLiveError(slot, true, "out of range", now);
          } else {
            core_.OnScanError(slot, "out of range", now);
          }
          break;
        }
        if (record == nullptr) {
          const int64_t end = kafka_.partitions()[partition].end;
          reader->second = std::max(reader->second, end);
          if (live) {
            core_.OnLiveEnd(slot, end, now);
          } else {
            core_.OnScanEnd(slot, end, now);
          }
          break;
        }
        reader->second = record->offset + 1;
        ingest::NormalisedRecord normalised = ModelKafka::Normalise(slot, *record);
        if (live) {
          core_.OnLiveRecord(slot, std::move(normalised), now);
        } else {
          core_.OnScanRecord(slot, std::move(normalised), now);
        }
      }
    }
  }

  const int number_;
  const int life_;
  ModelKafka& kafka_;
  std::vector<uint32_t> to_resolve_;
  std::map<uint32_t, int64_t> live_;
  std::map<uint32_t, int64_t> scans_;
  ingest::ShardCore core_;
};

}  // namespace spillway::model
