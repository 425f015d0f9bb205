#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/ingest/link/shard_core.h"
#include "services/ingest/shard/repeat_filter.h"
#include "tests/unit/delivery/model_kafka.h"
#include "tests/unit/delivery/model_sessions.h"

namespace spillway::model {

// An ingest of the model: real ShardCores over the model's Kafka. Its numbers for slots are its
// own, and others in each of its lives, as they may be.
class ModelIngest final : public ingest::RecordSource, public ingest::LinkSink {
 public:
  struct ReadAnswer {
    uint64_t id;
    ingest::ReadResult result;
  };
  // What goes to an edge, in order.
  struct Out {
    std::string message;
    int shard = -1;  // of a batch that was not written to the stream yet
  };
  struct Setup {
    int number = 0;
    int life = 0;
    int routes = 0;  // the route configuration that it has
    size_t shards = 1;
    bool topic_u = true;     // whether its routes match topic "u"
    bool compacted = false;  // its topics are
    int64_t horizon_ms = 0;  // of snapshots; 0: they are of everything
    int64_t window = 0;      // of repeats
    ingest::ShardCore::Options options;
    // An attachment was answered; `generation`: of which of the topics of one name it is.
    std::function<void(uint64_t link, uint64_t attach_id, int generation)> accepted;
  };

  ModelIngest(const Setup& setup, ModelKafka& kafka) : setup_(setup), kafka_(kafka) {
    for (size_t shard = 0; shard < setup.shards; ++shard) {
      ingest::ShardCore::Options options = setup.options;
      options.shard = shard;
      cores_.push_back(std::make_unique<ingest::ShardCore>(options, *this, *this));
    }
    Discover(/*young=*/false, kafka.partitions().size());
  }

  uint32_t SlotOf(size_t partition) const {
    return static_cast<uint32_t>((setup_.number * 10 + setup_.life % 10) * 100) +
           static_cast<uint32_t>(partition);
  }
  static size_t PartitionOf(uint32_t slot) { return slot % 100; }
  std::string name() const {
    return "ingest-" + std::to_string(setup_.number) + "." + std::to_string(setup_.life);
  }
  // Where its reader of the partition goes on; the largest number if it has none.
  int64_t LiveNext(size_t partition) const {
    const auto reader = live_.find(SlotOf(partition));
    return reader == live_.end() ? INT64_MAX : reader->second.next;
  }
  ingest::ShardCore& CoreOf(uint32_t slot) { return *cores_[PartitionOf(slot) % cores_.size()]; }
  template <typename Visit>
  void ForEachCore(Visit visit) {
    for (auto& core : cores_) visit(*core);
  }

  bool stalled = false;                     // reads nothing from Kafka
  bool zombie = false;                      // runs nothing at all (SIGSTOP)
  bool shaky = false;                       // some of what it asks of Kafka fails, for a moment
  std::map<uint64_t, std::deque<Out>> out;  // by link
  std::vector<std::pair<uint64_t, size_t>> taken;  // (link, shard): its batch was written
  std::map<uint64_t, std::map<size_t, std::vector<v1::ReaderBeat>>> states;  // by link and shard
  std::vector<uint64_t> cut;
  std::vector<ReadAnswer> reads;

  // Finds up to `most` partitions that it did not know. False: there are none.
  bool Discover(bool young, size_t most = 1) {
    bool found = false;
    for (size_t p = 0; p < kafka_.partitions().size() && most > 0; ++p) {
      const ModelKafka::Partition& partition = kafka_.partitions()[p];
      if (partition.gone || !known_.insert(p).second) continue;
      found = true;
      --most;
      if (partition.topic == "u" && !setup_.topic_u) continue;
      if (young && !dropped_.contains(p)) young_.insert(p);
      CoreOf(SlotOf(p)).AddSlot(
          {.id = SlotOf(p),
           .topic = partition.topic,
           .partition = partition.number,
           .keeps_latest = partition.keeps_latest(),
           .horizon_ms = setup_.horizon_ms,
           .compaction = setup_.compacted ? ingest::Compaction::kYes : ingest::Compaction::kNo});
    }
    return found;
  }

  // Gives up partitions that are no more. False: there are none.
  bool Drop() {
    std::set<size_t> removed;
    for (const size_t p : known_) {
      if (kafka_.partitions()[p].removed) removed.insert(p);
    }
    for (const size_t p : removed) {
      known_.erase(p);
      young_.erase(p);
      dropped_.insert(p);
      CoreOf(SlotOf(p)).RemoveSlot(SlotOf(p), "the topic has it no more");
    }
    return !removed.empty();
  }

  ModelSessions sessions;

  void OnInterest(uint64_t link, const v1::Interest& interest) {
    sessions.Apply(link, interest);
    ForEachCore([&](ingest::ShardCore& core) { core.OnInterest(link, interest); });
  }
  // Straight to an edge that wants it; now and then there is no room for it.
  void SendEphemeral(uint64_t link, const std::string& channel, int number, bool room) {
    Push(link, sessions.Next(link, channel, number, room));
  }

  void Greet(uint64_t link) {
    greeted_.insert(link);
    sessions.Open(link);
    ForEachCore([&](ingest::ShardCore& core) { core.OpenLink(link); });
    v1::LinkResponse hello;
    hello.mutable_hello()->set_node_id(name());
    hello.mutable_hello()->set_protocol(1);
    hello.mutable_hello()->set_route_hash("routes " + std::to_string(setup_.routes));
    hello.mutable_hello()->set_route_time_us(setup_.routes);
    Push(link, hello);
    TellCatalogue(link);
  }
  void TellCatalogueToAll() {
    for (const uint64_t link : greeted_) TellCatalogue(link);
  }
  void Close(uint64_t link, MonoTime now) {
    greeted_.erase(link);
    sessions.Close(link);
    ForEachCore([&](ingest::ShardCore& core) { core.CloseLink(link, now); });
    out.erase(link);
    states.erase(link);
    std::erase_if(taken, [link](const auto& entry) { return entry.first == link; });
  }
  void Beat(uint64_t link) {
    if (!greeted_.contains(link)) return;
    v1::LinkResponse response;
    response.mutable_beat()->set_kafka_up(!stalled);
    response.mutable_beat()->set_interest_sequence(sessions.SequenceOf(link));
    for (const auto& [shard, beats] : states[link]) {
      for (const v1::ReaderBeat& state : beats) *response.mutable_beat()->add_readers() = state;
    }
    out[link].push_front({response.SerializeAsString()});
  }
  void Push(uint64_t link, const v1::LinkResponse& response) {
    out[link].push_back({response.SerializeAsString()});
  }
  // The bytes of the next batch are with the transport, which holds what the edge did not take.
  void Write(uint64_t link) {
    for (Out& one : out[link]) {
      if (one.shard < 0) continue;
      taken.emplace_back(link, static_cast<size_t>(std::exchange(one.shard, -1)));
      return;
    }
  }

  // One turn of the shards: some of what Kafka's client has, then what gathered leaves.
  void Turn(std::mt19937_64& random, MonoTime now, int64_t wall_us) {
    for (uint32_t slot : std::exchange(to_resolve_, {})) {
      const auto& partition = kafka_.partitions()[PartitionOf(slot)];
      if (stalled || partition.gone || Fails(random)) {
        CoreOf(slot).OnResolveFailed(slot, partition.gone ? "unknown_topic" : "kafka_error", now);
      } else {
        taking_up_ = true;
        CoreOf(slot).OnResolved(slot, partition.begin, partition.end, now);
        taking_up_ = false;
      }
    }
    if (!stalled) {
      Read(live_, random, now, wall_us, /*live=*/true);
      Read(scans_, random, now, wall_us, /*live=*/false);
    }
    ForEachCore([&](ingest::ShardCore& core) { core.Pump(now); });
  }

  // A read of slots that several shards may hold.
  template <typename Place, typename Ask>
  void StartRead(uint64_t id, const std::vector<Place>& from, Ask ask) {
    std::map<ingest::ShardCore*, std::vector<Place>> parts;
    for (const Place& one : from) parts[&CoreOf(one.slot())].push_back(one);
    reading_[id].left = parts.size();
    for (auto& [core, part] : parts) ask(*core, part);
  }

  // RecordSource
  void Resolve(uint32_t slot) override { to_resolve_.push_back(slot); }
  void StartLive(uint32_t slot, int64_t from, int64_t earliest) override {
    // One that begins anew where it stands is where Kafka's client was.
    if (taking_up_) generations_[slot] = GenerationOf(slot);
    live_.erase(slot);
    live_.emplace(slot, ReaderFrom(slot, from, earliest));
  }
  void StopLive(uint32_t slot) override { live_.erase(slot); }
  void StartScan(uint32_t slot, int64_t from, int64_t from_time_ms, int64_t earliest) override {
    if (from_time_ms >= 0) {
      const ModelKafka::Partition& of = kafka_.partitions()[PartitionOf(slot)];
      const auto first =
          std::find_if(of.records.begin(), of.records.end(), [&](const ModelRecord& record) {
            return record.offset >= from && record.time_us >= from_time_ms * 1'000;
          });
      from = first == of.records.end() ? of.end : first->offset;
    }
    scans_.erase(slot);
    scans_.emplace(slot, ReaderFrom(slot, from, earliest));
  }
  void StopScan(uint32_t slot) override { scans_.erase(slot); }

  // LinkSink
  void SendBatch(uint64_t link, size_t shard, std::string batch) override {
    if (batch.size() <= kWholeBytes) {
      out[link].push_back({wire::LinkBatchHeader(batch.size()) + batch, static_cast<int>(shard)});
      return;
    }
    for (size_t at = 0; at < batch.size(); at += kPartBytes) {
      v1::LinkResponse response;
      const bool last = at + kPartBytes >= batch.size();
      response.mutable_batch_part()->set_data(batch.substr(at, kPartBytes));
      response.mutable_batch_part()->set_last(last);
      out[link].push_back({response.SerializeAsString(), last ? static_cast<int>(shard) : -1});
    }
  }
  void SendAnswer(uint64_t link, v1::LinkResponse answer) override {
    if (answer.has_attached()) {
      const v1::Attached& attached = answer.attached();
      setup_.accepted(link, attached.attach_id(), generations_.at(attached.slot()));
    }
    Push(link, answer);
  }
  void SetReaderStates(uint64_t link, size_t shard, std::vector<v1::ReaderBeat> beats) override {
    states[link][shard] = std::move(beats);
  }
  void Cut(uint64_t link, std::string_view) override { cut.push_back(link); }
  void ReadDone(uint64_t id, size_t, ingest::ReadResult result) override {
    Reading& reading = reading_.at(id);
    ingest::ReadResult& whole = reading.result;
    if (whole.error.empty()) whole.error = result.error;
    whole.events.insert(whole.events.end(), result.events.begin(), result.events.end());
    whole.as_of.insert(whole.as_of.end(), result.as_of.begin(), result.as_of.end());
    whole.gaps.insert(whole.gaps.end(), result.gaps.begin(), result.gaps.end());
    whole.verdicts.insert(whole.verdicts.end(), result.verdicts.begin(), result.verdicts.end());
    whole.complete = whole.complete && result.complete;
    whole.since_us = std::max(whole.since_us, result.since_us);
    if (--reading.left > 0) return;
    reads.push_back({id, std::move(whole)});
    reading_.erase(id);
  }

 private:
  // Batches above this go in parts.
  static constexpr size_t kWholeBytes = 200;
  static constexpr size_t kPartBytes = 70;
  struct Reading {
    size_t left = 0;
    ingest::ReadResult result;
  };

  // Where a reader of Kafka is, and in which of the topics of one name. What comes before `from` is
  // read for the filter's sake alone.
  struct Reader {
    int64_t next = 0;
    int64_t from = 0;
    int generation = 0;
    ingest::RepeatFilter repeats{0};
  };

  // As the shard has its readers begin.
  Reader ReaderFrom(uint32_t slot, int64_t from, int64_t earliest) const {
    const int64_t window = setup_.window;
    return {.next = window == 0 ? from : std::min(from, std::max(earliest, from - window + 1)),
            .from = from,
            .generation = generations_.at(slot),
            .repeats = ingest::RepeatFilter(window)};
  }

  int GenerationOf(uint32_t slot) const {
    return kafka_.partitions()[PartitionOf(slot)].generation();
  }
  bool Fails(std::mt19937_64& random) const { return shaky && random() % 16 == 0; }

  void TellCatalogue(uint64_t link) {
    v1::LinkResponse response;
    v1::Catalogue* catalogue = response.mutable_catalogue();
    catalogue->set_complete(true);
    std::map<std::string, v1::CatalogueTopic*> topics;
    for (const size_t p : known_) {
      const ModelKafka::Partition& partition = kafka_.partitions()[p];
      if (partition.topic == "u" && !setup_.topic_u) continue;
      v1::CatalogueTopic*& topic = topics[partition.topic];
      if (topic == nullptr) {
        topic = catalogue->add_topics();
        topic->set_topic(partition.topic);
        v1::Feed* feed = topic->add_feeds();
        feed->set_pattern("c*");
        feed->set_snapshot(partition.keeps_latest() ? v1::SNAPSHOT_MODE_BY_KEY
                                                    : v1::SNAPSHOT_MODE_NONE);
      }
      v1::CatalogueSlot* slot = topic->add_slots();
      slot->set_slot(SlotOf(p));
      slot->set_partition(partition.number);
      slot->set_young(young_.contains(p));
    }
    Push(link, response);
  }

  void Read(std::map<uint32_t, Reader>& readers, std::mt19937_64& random, MonoTime now,
            int64_t wall_us, bool live) {
    std::vector<uint32_t> slots;
    for (const auto& [slot, reader] : readers) slots.push_back(slot);
    for (const uint32_t slot : slots) {
      ingest::ShardCore& core = CoreOf(slot);
      if (!live && !core.scan_room()) continue;
      const size_t partition = PartitionOf(slot);
      for (size_t n = random() % 4; n > 0; --n) {
        const auto found = readers.find(slot);
        if (found == readers.end()) break;
        Reader& reader = found->second;
        const ModelKafka::Partition& of = kafka_.partitions()[partition];
        // Kafka's client notices a topic that is gone, or another one, before it reads on.
        const bool lost = of.gone || reader.generation != of.generation() || reader.next < of.begin;
        if (lost || Fails(random)) {
          if (live) {
            core.OnLiveError(slot, lost, lost ? "offset_out_of_range" : "kafka_error",
                             lost ? "out of range" : "a broker went away", now);
          } else {
            core.OnScanError(slot, lost ? "out of range" : "a broker went away", now);
          }
          break;
        }
        const ModelRecord* record = kafka_.At(partition, reader.next);
        if (record == nullptr) {
          const int64_t end = of.end;
          reader.next = std::max(reader.next, end);
          if (live) {
            core.OnLiveEnd(slot, end, now);
          } else {
            core.OnScanEnd(slot, end, now);
          }
          break;
        }
        reader.next = record->offset + 1;
        const bool repeat =
            setup_.window > 0 && reader.repeats.IsRepeat(record->idempotency_key, record->offset);
        if (record->offset < reader.from) continue;
        ingest::NormalisedRecord normalised = ModelKafka::Normalise(
            slot, reader.generation, *record, repeat, live ? wall_us : record->time_us);
        if (live) {
          core.OnLiveRecord(slot, std::move(normalised), now);
        } else {
          core.OnScanRecord(slot, std::move(normalised), now);
        }
      }
    }
  }

  const Setup setup_;
  ModelKafka& kafka_;
  std::set<size_t> known_;  // partitions that it has found
  std::set<size_t> young_;  // those that it found while it ran
  std::set<size_t> dropped_;
  std::set<uint64_t> greeted_;
  std::vector<uint32_t> to_resolve_;
  bool taking_up_ = false;               // a reader that begins now begins with what Kafka says now
  std::map<uint32_t, int> generations_;  // of live readers, by slot: as they began
  std::map<uint32_t, Reader> live_;
  std::map<uint32_t, Reader> scans_;
  std::map<uint64_t, Reading> reading_;
  std::vector<std::unique_ptr<ingest::ShardCore>> cores_;
};

}  // namespace spillway::model
