// World: what every client must have been given, worked out from Kafka's whole history.

#include <algorithm>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

size_t World::received() const {
  size_t total = 0;
  for (const Subscribed& subscribed : clients_) {
    for (const auto& [number, slot] : subscribed.client->slots) total += slot.offsets.size();
  }
  return total;
}

size_t World::snapshots() const {
  size_t total = 0;
  for (const Subscribed& subscribed : clients_) total += subscribed.client->snapshots.size();
  return total;
}

std::vector<std::string> World::Check() const {
  std::vector<std::string> broken;
  for (const Subscribed& subscribed : clients_) CheckClient(subscribed, &broken);
  return broken;
}

void World::CheckClient(const Subscribed& subscribed, std::vector<std::string>* broken) const {
  const ModelClient& client = *subscribed.client;
  const std::string who = absl::StrCat("client of ", client.channel, " (worker ", subscribed.worker,
                                       client.wants_snapshot ? ", snapshot): " : "): ");
  for (const std::string& line : client.broken) broken->push_back(who + line);
  if (!subscribed.ended && !client.subscribed) broken->push_back(who + "never subscribed");
  // Slot numbers are given in the order of the catalogue: here they are the partitions.
  const auto& partitions = const_cast<World*>(this)->kafka_.partitions();
  for (SlotNumber p = 0; p < partitions.size(); ++p) {
    const auto found = client.slots.find(p);
    if (found == client.slots.end() || !found->second.begun) {
      if (!subscribed.ended) broken->push_back(absl::StrCat(who, "never began slot ", p));
      continue;
    }
    const ModelClient::Slot& slot = found->second;
    std::vector<int64_t> expected;
    for (const ModelRecord& record : partitions[p].history) {
      const bool missing = std::any_of(slot.gaps.begin(), slot.gaps.end(), [&](const auto& gap) {
        return record.offset >= gap.first && record.offset <= gap.second;
      });
      if (record.channel == client.channel && record.offset > slot.start && !missing) {
        expected.push_back(record.offset);
      }
    }
    if (!options_.truncate && !options_.tiny && !slot.gaps.empty()) {
      broken->push_back(absl::StrCat(who, "a gap in slot ", p, " that nothing explains"));
    }
    // One who left got a beginning of it.
    if (subscribed.ended && expected.size() > slot.offsets.size()) {
      expected.resize(slot.offsets.size());
    }
    if (expected == slot.offsets) continue;
    size_t n = 0;
    while (n < expected.size() && n < slot.offsets.size() && expected[n] == slot.offsets[n]) ++n;
    broken->push_back(absl::StrCat(who, "slot ", p, " from ", slot.start, ": expected ",
                                   expected.size(), " events, got ", slot.offsets.size(),
                                   ", first difference at ", n, ": expected ",
                                   n < expected.size() ? expected[n] : -1, ", got ",
                                   n < slot.offsets.size() ? slot.offsets[n] : -1));
  }
  if (options_.truncate) return;  // a state that retention took away cannot be in a snapshot
  for (const ModelClient::Snapshot& snapshot : client.snapshots) {
    if (!snapshot.complete) continue;
    for (const SlotNumber slot : snapshot.fed_by) {
      if (snapshot.as_of.contains(slot)) continue;
      broken->push_back(absl::StrCat(who, "a complete snapshot is not of slot ", slot));
    }
    std::set<std::string> expected;
    for (const auto& [p, as_of] : snapshot.as_of) {
      std::map<std::string, const ModelRecord*> latest;
      for (const ModelRecord& record : partitions[p].history) {
        if (record.channel == client.channel && record.offset <= as_of) {
          latest[record.key] = &record;
        }
      }
      for (const auto& [key, record] : latest) {
        if (!record->tombstone) expected.insert(absl::StrCat(p, ":", record->offset));
      }
    }
    if (snapshot.events != expected) {
      broken->push_back(absl::StrCat(who, "a complete snapshot holds ", snapshot.events.size(),
                                     " events instead of ", expected.size()));
    }
  }
}

}  // namespace spillway::model
