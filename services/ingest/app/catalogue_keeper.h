#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "services/ingest/kafka/metadata_prober.h"
#include "services/ingest/normalise/route_table.h"
#include "services/ingest/shard/shard_context.h"
#include "spillway/v1/link.pb.h"

namespace spillway::ingest {

// Turns what Kafka says of its topics into the catalogue that edges attach from: gives every
// (topic, partition) its slot number, once. Pure; the prober's thread only.
//
// Edges that are at work take a young slot from its beginning, so nothing may be called young that
// could hold events of before: a topic that could not be seen, is back, or is merely late. Young
// are a later partition of a known topic and a topic that Kafka had said was missing; any other
// that is found later is looked into (Undecided) before it is told.
class CatalogueKeeper {
 public:
  struct Options {
    // A topic, or a partition, that is not listed is kept until so many listings over so long were
    // without it: one listing can be incomplete, and a permission can be taken away for a moment.
    int absent_listings = 3;
    std::chrono::milliseconds absent_time{30'000};
    // How far clocks of producers may be behind this one's.
    std::chrono::milliseconds clock_skew{60'000};
    std::chrono::milliseconds ask_again{1'000};
  };
  // A slot that is not told yet. It is young if its log begins at 0 and its first record of after
  // `unix_ms`, when it was not there, is the first of all.
  struct Undecided {
    SlotId slot = 0;
    std::string topic;
    int32_t partition = 0;
    int64_t unix_ms = 0;
  };
  struct Change {
    bool changed = false;
    std::vector<ShardSlot> added;
    std::vector<SlotId> removed;
    std::vector<std::pair<SlotId, Compaction>> compaction;  // of slots that were added earlier
    std::vector<Undecided> undecided;                // to be answered by Decide or NotDecided
    v1::Catalogue catalogue;                         // whole
  };

  CatalogueKeeper(std::shared_ptr<const RouteTable> routes, Options options)
      : routes_(std::move(routes)), options_(options) {}
  explicit CatalogueKeeper(std::shared_ptr<const RouteTable> routes)
      : CatalogueKeeper(std::move(routes), Options()) {}

  // Kafka being down changes nothing: what was there is taken to be there still.
  Change Update(const Metadata& metadata, MonoTime now, WallTime wall_now);
  Change Decide(SlotId id, bool young);
  // It could not be found out: asked again by a later Update.
  void NotDecided(SlotId id, MonoTime now);

 private:
  struct Absence {
    int listings = 0;  // without it
    MonoTime since;
    // One more. Whether it has lasted.
    bool Lasts(const Options& options, MonoTime now) {
      if (listings++ == 0) since = now;
      return listings >= options.absent_listings && now - since >= options.absent_time;
    }
  };
  struct Slot {
    v1::CatalogueSlot told;
    bool gone = false;  // not told; its number is kept for when it comes back
    Absence absence;
    bool decided = true;
    bool asked = false;
    int64_t absent_ms = 0;  // not decided: when it was not there
    MonoTime ask_at;
  };
  struct Topic {
    std::shared_ptr<const CompiledRoute> route;
    std::vector<Slot> slots;  // index = partition
    Compaction compaction = Compaction::kUnknown;
    bool was_compacted = false;  // as Kafka said once: what it removed then is missing still
    bool gone = false;        // with all of them
    Absence absence;
  };

  static Compaction CompactionOf(Topic& topic, const TopicInfo& info);
  void TakeIn(const TopicInfo& info, MonoTime now, Change* change);
  void MissOthers(const std::set<std::string>& seen, MonoTime now, Change* change);
  Slot* Find(SlotId id);
  // Fills in the catalogue.
  void Tell(Change* change);

  const std::shared_ptr<const RouteTable> routes_;
  const Options options_;
  std::map<std::string, Topic> topics_;
  std::set<std::string> missing_;  // Kafka has said that they do not exist
  std::set<std::string> unsure_;   // were denied or in trouble: they may be old
  int64_t listed_ms_ = 0;          // when Kafka was asked last
  v1::Catalogue problems_;         // those alone
  std::string last_;               // the last catalogue, serialised: to see a change of any kind
  SlotId next_slot_ = 1;
  bool complete_ = false;
};

}  // namespace spillway::ingest
