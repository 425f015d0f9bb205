#include "services/ingest/app/catalogue_keeper.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/ingest/app/history_config.h"

namespace spillway::ingest {
namespace {

v1::SnapshotMode ToProto(SnapshotMode mode) {
  switch (mode) {
    case SnapshotMode::kLatest:
      return v1::SNAPSHOT_MODE_LATEST;
    case SnapshotMode::kByKey:
      return v1::SNAPSHOT_MODE_BY_KEY;
    case SnapshotMode::kNone:
      break;
  }
  return v1::SNAPSHOT_MODE_NONE;
}

SlotInfo InfoOf(const CompiledRoute& route, Compaction compaction, SlotId id, int32_t partition) {
  SlotInfo info;
  info.compaction = compaction;
  info.id = id;
  info.topic = route.topic;
  info.partition = partition;
  info.history = BoundsOf(route.history);
  bool whole = false;
  for (const Feed& feed : route.feeds) {
    if (feed.snapshot == SnapshotMode::kNone) continue;
    info.keeps_latest = true;
    // One table serves all: it reaches as far back as the feed that wants most.
    if (!feed.horizon_ms.has_value()) whole = true;
    info.horizon_ms = std::max(info.horizon_ms, feed.horizon_ms.value_or(0));
  }
  if (whole) info.horizon_ms = 0;
  return info;
}

void AddProblem(v1::Catalogue* catalogue, const std::string& topic, std::string code,
                std::string message) {
  v1::TopicProblem* problem = catalogue->add_problems();
  problem->set_topic(topic);
  problem->set_code(std::move(code));
  problem->set_message(std::move(message));
}

}  // namespace

Compaction CatalogueKeeper::CompactionOf(Topic& topic, const TopicInfo& info) {
  topic.was_compacted = topic.was_compacted || info.compacted.value_or(false);
  if (const auto& known = topic.route->compacted; known.has_value()) {
    return *known ? Compaction::kYes : Compaction::kNo;
  }
  if (!info.compacted.has_value()) return topic.compaction;  // as Kafka said last
  if (*info.compacted) return Compaction::kYes;
  return topic.was_compacted ? Compaction::kUnknown : Compaction::kNo;
}

void CatalogueKeeper::TakeIn(const TopicInfo& info, MonoTime now, Change* change) {
  Topic& topic = topics_[info.name];
  if (topic.route == nullptr) topic.route = routes_->Resolve(info.name);
  if (topic.route == nullptr) {
    topics_.erase(info.name);
    return;
  }
  const bool known = !topic.slots.empty();
  const Compaction compaction = CompactionOf(topic, info);
  if (std::exchange(topic.compaction, compaction) != compaction) {
    for (const Slot& slot : topic.slots) {
      if (!slot.gone) change->compaction.emplace_back(slot.told.slot(), compaction);
    }
  }
  topic.absence = {};
  topic.gone = false;
  for (Slot& slot : topic.slots) {
    if (slot.told.partition() >= info.partitions) {
      // The topic was made anew, with fewer.
      if (slot.gone || !slot.absence.Lasts(options_, now)) continue;
      slot.gone = true;
      change->removed.push_back(slot.told.slot());
      continue;
    }
    slot.absence = {};
    if (!std::exchange(slot.gone, false)) continue;
    // It is back, perhaps never was away: its number is its own, and it is not young.
    slot.told.set_young(false);
    slot.decided = true;
    change->added.push_back(
        {InfoOf(*topic.route, compaction, slot.told.slot(), slot.told.partition()), topic.route});
  }
  while (static_cast<int32_t>(topic.slots.size()) < info.partitions) {
    const auto partition = static_cast<int32_t>(topic.slots.size());
    Slot& slot = topic.slots.emplace_back();
    slot.told.set_slot(next_slot_++);
    slot.told.set_partition(partition);
    const bool late = complete_ && !unsure_.contains(info.name);
    slot.told.set_young(complete_ && (known || (late && missing_.contains(info.name))));
    if (late && !slot.told.young()) {
      slot.decided = false;
      slot.absent_ms = listed_ms_ - options_.clock_skew.count();
    }
    change->added.push_back(
        {InfoOf(*topic.route, compaction, slot.told.slot(), partition), topic.route});
  }
}

void CatalogueKeeper::MissOthers(const std::set<std::string>& seen, MonoTime now, Change* change) {
  for (auto& [name, topic] : topics_) {
    if (topic.gone || seen.contains(name)) continue;
    if (!topic.absence.Lasts(options_, now)) continue;
    topic.gone = true;
    for (Slot& slot : topic.slots) {
      if (!std::exchange(slot.gone, true)) change->removed.push_back(slot.told.slot());
    }
  }
}

CatalogueKeeper::Change CatalogueKeeper::Update(const Metadata& metadata, MonoTime now,
                                                WallTime wall_now) {
  Change change;
  if (metadata.up) {
    std::set<std::string> seen;
    for (const TopicInfo& topic : metadata.troubled) seen.insert(topic.name);
    for (const std::string& topic : metadata.denied) seen.insert(topic);
    unsure_.insert(seen.begin(), seen.end());
    for (const TopicInfo& info : metadata.topics) {
      if (!info.status.ok() || info.partitions == 0) continue;
      seen.insert(info.name);
      TakeIn(info, now, &change);
    }
    MissOthers(seen, now, &change);
    missing_ = {metadata.missing.begin(), metadata.missing.end()};
    for (const std::string& topic : metadata.missing) unsure_.erase(topic);
    listed_ms_ = ToUnixMicros(wall_now) / 1000;
    complete_ = true;
  }
  for (auto& [name, topic] : topics_) {
    for (Slot& slot : topic.slots) {
      if (slot.decided || slot.asked || slot.gone || now < slot.ask_at) continue;
      slot.asked = true;
      change.undecided.push_back({.slot = slot.told.slot(),
                                  .topic = name,
                                  .partition = slot.told.partition(),
                                  .unix_ms = slot.absent_ms});
    }
  }
  problems_.Clear();
  for (const std::string& topic : metadata.missing) {
    AddProblem(&problems_, topic, "missing", "the topic does not exist; create it");
  }
  for (const std::string& topic : metadata.denied) {
    AddProblem(&problems_, topic, "denied",
               "Kafka does not let this ingest read it; grant DESCRIBE and READ");
  }
  for (const TopicInfo& topic : metadata.troubled) {
    AddProblem(&problems_, topic.name, "error", std::string(topic.status.message()));
  }
  Tell(&change);
  return change;
}

CatalogueKeeper::Slot* CatalogueKeeper::Find(SlotId id) {
  for (auto& [name, topic] : topics_) {
    for (Slot& slot : topic.slots) {
      if (slot.told.slot() == id) return &slot;
    }
  }
  return nullptr;
}

CatalogueKeeper::Change CatalogueKeeper::Decide(SlotId id, bool young) {
  Change change;
  if (Slot* slot = Find(id); slot != nullptr && !slot->decided) {
    slot->decided = true;
    slot->told.set_young(young);
  }
  Tell(&change);
  return change;
}

void CatalogueKeeper::NotDecided(SlotId id, MonoTime now) {
  if (Slot* slot = Find(id); slot != nullptr) {
    slot->asked = false;
    slot->ask_at = now + options_.ask_again;
  }
}

void CatalogueKeeper::Tell(Change* change) {
  v1::Catalogue& catalogue = change->catalogue;
  catalogue = problems_;
  catalogue.set_complete(complete_);
  for (const auto& [name, topic] : topics_) {
    if (topic.gone) continue;
    v1::CatalogueTopic entry;
    for (const Slot& slot : topic.slots) {
      if (slot.decided && !slot.gone) *entry.add_slots() = slot.told;
    }
    if (entry.slots().empty()) continue;
    entry.set_topic(name);
    for (const Feed& feed : topic.route->feeds) {
      v1::Feed* out = entry.add_feeds();
      out->set_pattern(feed.pattern);
      out->set_snapshot(ToProto(feed.snapshot));
    }
    *catalogue.add_topics() = std::move(entry);
  }
  std::string serialised = catalogue.SerializeAsString();
  change->changed = serialised != last_;
  last_ = std::move(serialised);
}

}  // namespace spillway::ingest
