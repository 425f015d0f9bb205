// World: what every client must have been given, worked out from Kafka's whole history.

#include <algorithm>
#include <map>
#include <set>

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

size_t World::slow_gaps() const {
  size_t total = 0;
  for (const Subscribed& subscribed : clients_) {
    if (subscribed.client->queue != nullptr) total += subscribed.client->queue->gaps();
  }
  return total;
}

std::vector<std::string> World::Check() const {
  std::vector<std::string> broken;
  for (const Subscribed& subscribed : clients_) CheckClient(subscribed, &broken);
  return broken;
}

void World::CheckConflated(const Subscribed& subscribed, SlotNumber number, const std::string& who,
                           std::vector<int64_t>* expected, std::vector<std::string>* broken) const {
  const ModelClient::Slot& slot = subscribed.client->slots.at(number);
  const std::set<int64_t> received(slot.offsets.begin(), slot.offsets.end());
  std::map<int64_t, const ModelRecord*> records;
  for (const ModelRecord& record : const_cast<World*>(this)->kafka_.partitions()[number].history) {
    records[record.offset] = &record;
  }
  // Whether a newer event of its key, not beyond `last`, was among the first `count` received.
  const auto replaced = [&](int64_t missing, int64_t last, size_t count) {
    for (size_t i = 0; i < count && i < slot.offsets.size(); ++i) {
      if (slot.offsets[i] > missing && slot.offsets[i] <= last &&
          records.at(slot.offsets[i])->key == records.at(missing)->key) {
        return true;
      }
    }
    return false;
  };
  std::vector<int64_t> kept;
  for (int64_t offset : *expected) {
    const auto window = std::find_if(slot.windows.begin(), slot.windows.end(), [&](const auto& w) {
      return offset > w.from && offset <= w.to;
    });
    // What waits for one who leaves goes with it.
    const bool waited = subscribed.ended && (slot.offsets.empty() || offset > slot.offsets.back());
    if (received.contains(offset) || window == slot.windows.end() || waited) {
      kept.push_back(offset);
      continue;
    }
    // One that left may have left before the newer one was sent.
    const bool open = subscribed.ended && window->to == INT64_MAX;
    if (!open && !replaced(offset, window->to, slot.offsets.size())) {
      broken->push_back(absl::StrCat(who, "slot ", number, ": ", offset,
                                     " is missing and no newer event of its key came instead"));
    }
    for (const ModelClient::Slot::Fence& fence : slot.fences) {
      if (offset <= fence.offset && !replaced(offset, fence.offset, fence.received)) {
        broken->push_back(absl::StrCat(who, "slot ", number, ": ", offset, " was left out before ",
                                       fence.offset, " with nothing instead"));
      }
    }
  }
  *expected = std::move(kept);
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
    if (!options_.truncate && !options_.tiny && !options_.slow && !slot.gaps.empty()) {
      broken->push_back(absl::StrCat(who, "a gap in slot ", p, " that nothing explains"));
    }
    if (!slot.windows.empty()) CheckConflated(subscribed, p, who, &expected, broken);
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
