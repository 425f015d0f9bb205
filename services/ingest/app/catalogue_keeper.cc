#include "services/ingest/app/catalogue_keeper.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

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

SlotInfo InfoOf(const CompiledRoute& route, SlotId id, int32_t partition) {
  SlotInfo info;
  info.id = id;
  info.topic = route.topic;
  info.partition = partition;
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

CatalogueKeeper::Change CatalogueKeeper::Update(const Metadata& metadata) {
  Change change;
  if (metadata.up) {
    std::set<std::string> unsure;
    for (const TopicInfo& topic : metadata.troubled) unsure.insert(topic.name);
    for (const std::string& topic : metadata.denied) unsure.insert(topic);
    std::set<std::string> seen;
    for (const TopicInfo& info : metadata.topics) {
      if (!info.status.ok() || info.partitions == 0) continue;
      seen.insert(info.name);
      Topic& topic = topics_[info.name];
      if (topic.route == nullptr) topic.route = routes_->Resolve(info.name);
      if (topic.route == nullptr) {
        topics_.erase(info.name);
        continue;
      }
      while (static_cast<int32_t>(topic.slots.size()) < info.partitions) {
        const auto partition = static_cast<int32_t>(topic.slots.size());
        v1::CatalogueSlot& slot = topic.slots.emplace_back();
        slot.set_slot(next_slot_++);
        slot.set_partition(partition);
        // A partition that appears while we run is new: its log starts now.
        slot.set_young(complete_);
        change.added.push_back({InfoOf(*topic.route, slot.slot(), partition), topic.route});
      }
    }
    for (auto topic = topics_.begin(); topic != topics_.end();) {
      if (seen.contains(topic->first) || unsure.contains(topic->first)) {
        ++topic;
        continue;
      }
      for (const v1::CatalogueSlot& slot : topic->second.slots)
        change.removed.push_back(slot.slot());
      topic = topics_.erase(topic);
    }
    complete_ = true;
  }

  v1::Catalogue& catalogue = change.catalogue;
  catalogue.set_complete(complete_);
  for (const auto& [name, topic] : topics_) {
    v1::CatalogueTopic* entry = catalogue.add_topics();
    entry->set_topic(name);
    for (const Feed& feed : topic.route->feeds) {
      v1::Feed* out = entry->add_feeds();
      out->set_pattern(feed.pattern);
      out->set_snapshot(ToProto(feed.snapshot));
    }
    for (const v1::CatalogueSlot& slot : topic.slots) *entry->add_slots() = slot;
  }
  for (const std::string& topic : metadata.missing) {
    AddProblem(&catalogue, topic, "missing", "the topic does not exist; create it");
  }
  for (const std::string& topic : metadata.denied) {
    AddProblem(&catalogue, topic, "denied",
               "Kafka does not let this ingest read it; grant DESCRIBE and READ");
  }
  for (const TopicInfo& topic : metadata.troubled) {
    AddProblem(&catalogue, topic.name, "error", std::string(topic.status.message()));
  }
  std::string serialised = catalogue.SerializeAsString();
  change.changed = serialised != last_;
  last_ = std::move(serialised);
  return change;
}

}  // namespace spillway::ingest
