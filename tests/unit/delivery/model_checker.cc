// World: what every client must have been given, worked out from Kafka's whole history.

#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {
namespace {

bool Within(const std::vector<std::pair<int64_t, int64_t>>& gaps, int64_t offset) {
  return std::any_of(gaps.begin(), gaps.end(), [offset](const auto& gap) {
    return offset >= gap.first && offset <= gap.second;
  });
}

// As they are in a subscription: of a pattern, a key is one of its channel.
std::map<int64_t, std::string> KeysOf(const std::vector<ModelRecord>& history,
                                      const std::string& name) {
  std::map<int64_t, std::string> keys;
  for (const ModelRecord& record : history) {
    keys[record.offset] = absl::StrCat(record.ChannelFor(name), " ", record.key);
  }
  return keys;
}

}  // namespace

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

size_t World::foreign() const {
  size_t total = 0;
  for (const Subscribed& subscribed : clients_) {
    for (const auto& [number, slot] : subscribed.client->slots) {
      total +=
          static_cast<size_t>(std::count(slot.reasons.begin(), slot.reasons.end(), edge::kReset));
    }
  }
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
  std::vector<std::string> broken = broken_;
  for (const auto& edge : edges_) {
    broken.insert(broken.end(), edge->broken.begin(), edge->broken.end());
  }
  for (const Subscribed& subscribed : clients_) {
    const ModelClient& client = *subscribed.client;
    if (client.sent == nullptr) {
      CheckClient(subscribed, client, &broken);
    } else {
      CheckClient(subscribed, *client.sent, &broken);
      CheckQueue(subscribed, &broken);
    }
  }
  return broken;
}

size_t World::PartitionOf(const ModelEdge& edge, SlotNumber slot) const {
  const auto source = edge.sources.find(slot);
  const auto& partitions = kafka_.partitions();
  const auto found = std::find_if(partitions.begin(), partitions.end(), [&](const auto& partition) {
    return source != edge.sources.end() &&
           partition.source() == Claims::PartitionOf(source->second);
  });
  return static_cast<size_t>(found - partitions.begin());
}

const std::vector<ModelRecord>& World::HistoryOf(const ModelEdge& edge, SlotNumber slot) const {
  const auto known = edge.generations.find(slot);
  const int generation = known == edge.generations.end() ? 0 : known->second.number;
  return kafka_.partitions()[PartitionOf(edge, slot)].histories[static_cast<size_t>(generation)];
}

void World::CheckConflated(const ModelClient& client, SlotNumber number,
                           const std::vector<ModelRecord>& history, bool ended,
                           const std::string& who, std::vector<int64_t>* expected,
                           std::vector<std::string>* broken) const {
  const ModelClient::Slot& slot = client.slots.at(number);
  const std::set<int64_t> received(slot.offsets.begin(), slot.offsets.end());
  const std::map<int64_t, std::string> keys = KeysOf(history, client.channel);
  // Whether a newer event of its key, not beyond `last`, was among the first `count` received.
  const auto replaced = [&](int64_t missing, int64_t last, size_t count) {
    for (size_t i = 0; i < count && i < slot.offsets.size(); ++i) {
      if (slot.offsets[i] > missing && slot.offsets[i] <= last &&
          keys.at(slot.offsets[i]) == keys.at(missing)) {
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
    const bool waited = ended && (slot.offsets.empty() || offset > slot.offsets.back());
    if (received.contains(offset) || window == slot.windows.end() || waited) {
      kept.push_back(offset);
      continue;
    }
    // One that left may have left before the newer one was sent.
    const bool open = ended && window->to == INT64_MAX;
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

void World::CheckClient(const Subscribed& subscribed, const ModelClient& client,
                        std::vector<std::string>* broken) const {
  const std::string who = absl::StrCat("client of ", client.channel, " (worker ", subscribed.worker,
                                       client.wants_snapshot ? ", snapshot): " : "): ");
  for (const std::string& line : client.broken) broken->push_back(who + line);
  if (!subscribed.ended && !client.subscribed) broken->push_back(who + "never subscribed");
  const ModelEdge& edge = *subscribed.edge;
  std::set<size_t> served;
  for (const auto& entry : edge.table->slots) {
    if (entry == nullptr) continue;
    served.insert(PartitionOf(edge, entry->number));
    const auto found = client.slots.find(entry->number);
    if (!subscribed.ended && (found == client.slots.end() || !found->second.begun)) {
      broken->push_back(absl::StrCat(who, "never began slot ", entry->number));
    }
  }
  const auto there = std::count_if(kafka_.partitions().begin(), kafka_.partitions().end(),
                                   [](const auto& partition) { return !partition.removed; });
  if (!subscribed.ended && served.size() != static_cast<size_t>(there)) {
    broken->push_back(who + "not all partitions are served, or some that are no more");
  }
  for (const auto& [number, slot] : client.slots) {
    if (!slot.begun) continue;
    const size_t partition = PartitionOf(edge, number);
    const bool ended =
        subscribed.ended || (edge.table->Find(number) == nullptr && !slot.ended_by_reset());
    const auto known = edge.generations.find(number);
    if (known != edge.generations.end() && known->second.unknown()) continue;
    const int generation = known == edge.generations.end() ? 0 : known->second.number;
    const std::vector<ModelRecord>& history = HistoryOf(edge, number);
    std::vector<int64_t> expected;
    for (const ModelRecord& record : history) {
      const auto got = slot.channels.find(record.offset);
      if (got != slot.channels.end() && got->second != record.ChannelFor(client.channel)) {
        broken->push_back(absl::StrCat(who, "slot ", number, ": ", record.offset, " came as of ",
                                       got->second, ", is of ", record.ChannelFor(client.channel)));
      }
      if (record.Feeds(client.channel) && record.offset > slot.start &&
          !Within(slot.gaps, record.offset)) {
        expected.push_back(record.offset);
      }
    }
    for (const std::string& reason : slot.reasons) {
      // What is away cannot be read in time.
      const bool away = options_.reset && client.resumed && reason == edge::kLimit;
      if (reason == "compacted" && options_.compact) continue;
      if (reason == "skipped" && options_.skips) continue;
      const bool may_be_lost = options_.truncate || options_.tiny || options_.aging || away;
      if (reason == edge::kReset ? client.forged || options_.reset : may_be_lost) continue;
      broken->push_back(
          absl::StrCat(who, "a gap ", reason, " in slot ", number, " that nothing explains"));
    }
    for (const int of : slot.generations) {
      if (of == generation) continue;
      broken->push_back(absl::StrCat(who, "slot ", number, " of topic ", generation,
                                     " has events of topic ", of));
    }
    if (!MayBegin(slot, partition, generation)) {
      broken->push_back(absl::StrCat(who, "slot ", number, " was to go on at ",
                                     slot.shown.has_value() ? slot.shown->at : -1, ", not at ",
                                     slot.start));
    }
    // An ingest that is started again does not know what is young.
    if (subscribed.from_begin.contains(partition) && slot.start >= 0 && !options_.kill &&
        !options_.truncate) {
      broken->push_back(
          absl::StrCat(who, "slot ", number, " came while it was live, and began at ", slot.start));
    }
    if (!slot.windows.empty()) {
      CheckConflated(client, number, history, ended, who, &expected, broken);
    }
    // One who left got a beginning of it.
    if (ended && expected.size() > slot.offsets.size()) expected.resize(slot.offsets.size());
    if (expected == slot.offsets) continue;
    size_t n = 0;
    while (n < expected.size() && n < slot.offsets.size() && expected[n] == slot.offsets[n]) ++n;
    broken->push_back(absl::StrCat(who, "slot ", number, " from ", slot.start, ": expected ",
                                   expected.size(), " events, got ", slot.offsets.size(),
                                   ", first difference at ", n, ": expected ",
                                   n < expected.size() ? expected[n] : -1, ", got ",
                                   n < slot.offsets.size() ? slot.offsets[n] : -1));
  }
  for (const auto& [number, at, fingerprint] : client.told) {
    const auto known = edge.generations.find(number);
    if (known == edge.generations.end() || known->second.unknown()) continue;
    if (fingerprint != ModelKafka::Fingerprint(known->second.number, at)) {
      broken->push_back(absl::StrCat(who, "slot ", number, " of topic ", known->second.number,
                                     " was told with the fingerprint of another one at ", at));
    }
  }
  if (options_.ephemeral) CheckEphemeral(subscribed, who, broken);
  if (options_.reset) {
    CheckResets(subscribed, client, who, broken);
    CheckTaken(subscribed, client, who, broken);
  }
  // A state that retention took away cannot be in a snapshot.
  if (!options_.truncate) CheckSnapshots(subscribed, client, who, broken);
}

void World::CheckSnapshots(const Subscribed& subscribed, const ModelClient& client,
                           const std::string& who, std::vector<std::string>* broken) const {
  for (const ModelClient::Snapshot& snapshot : client.snapshots) {
    if (!snapshot.whole) continue;
    for (const SlotNumber slot : snapshot.fed_by) {
      if (snapshot.as_of.contains(slot) || !snapshot.complete) continue;
      const size_t partition = PartitionOf(*subscribed.edge, slot);
      const bool over = subscribed.edge->table->Find(slot) == nullptr;  // perhaps by then already
      if (over || !kafka_.partitions()[partition].keeps_latest()) continue;
      broken->push_back(absl::StrCat(who, "a complete snapshot is not of slot ", slot));
    }
    // Without tombstones: the latest of every key, and of them those that it must have.
    std::set<std::string> latest_events;
    std::set<std::string> expected;
    const auto& generations = subscribed.edge->generations;
    const bool crossed =
        std::any_of(snapshot.as_of.begin(), snapshot.as_of.end(), [&](const auto& entry) {
          const auto known = generations.find(entry.first);
          return known == generations.end() || known->second.unknown();
        });
    if (crossed) continue;
    for (const auto& [slot, as_of] : snapshot.as_of) {
      // By channel and key. A record counts for one channel, though it is the latest of others.
      std::map<std::pair<std::string, std::string>, const ModelRecord*> latest;
      for (const ModelRecord& record : HistoryOf(*subscribed.edge, slot)) {
        if (record.repeat || record.offset > as_of) continue;
        for (const auto& channels : record.events) {
          for (const std::string& channel : channels) {
            if (IsFor(client.channel, channel)) latest[{channel, record.key}] = &record;
          }
        }
      }
      for (const auto& [key, record] : latest) {
        if (record->tombstone || record->ChannelFor(client.channel) != key.first) continue;
        const std::string event = absl::StrCat(slot, ":", record->offset, ":",
                                               generations.at(slot).number, ":", key.first);
        latest_events.insert(event);
        if (snapshot.complete || record->time_us >= snapshot.since_us) expected.insert(event);
      }
    }
    // Of what ended while it was sent a beginning may have been.
    std::set<std::string> events = snapshot.events;
    std::erase_if(events, [&](const std::string& event) {
      const auto slot = static_cast<SlotNumber>(std::stoul(event));
      return !snapshot.as_of.contains(slot) && subscribed.edge->table->Find(slot) == nullptr;
    });
    if (!std::includes(events.begin(), events.end(), expected.begin(), expected.end()) ||
        !std::includes(latest_events.begin(), latest_events.end(), events.begin(), events.end())) {
      broken->push_back(absl::StrCat(who, "a snapshot ",
                                     snapshot.complete ? "that is complete" : "since then",
                                     " holds ", events.size(), " events, is to hold ",
                                     expected.size(), ", and there are ", latest_events.size()));
    }
  }
}

void World::CheckQueue(const Subscribed& subscribed, std::vector<std::string>* broken) const {
  const ModelClient& client = *subscribed.client;
  const std::string who = absl::StrCat("queue of a client of ", client.channel, ": ");
  for (const std::string& line : client.broken) broken->push_back(who + line);
  for (const auto& [number, sent] : client.sent->slots) {
    if (!sent.begun) continue;
    const auto found = client.slots.find(number);
    if (found == client.slots.end() || !found->second.begun) {
      if (!subscribed.ended)
        broken->push_back(absl::StrCat(who, "slot ", number, " was not begun"));
      continue;
    }
    const ModelClient::Slot& slot = found->second;
    const std::map<int64_t, std::string> keys =
        KeysOf(HistoryOf(*subscribed.edge, number), client.channel);
    const auto say = [&](int64_t offset, const char* what) {
      broken->push_back(absl::StrCat(who, "slot ", number, ": ", offset, what));
    };
    for (const int64_t offset : slot.offsets) {
      if (Within(slot.gaps, offset)) say(offset, " was sent and told as a gap");
    }
    const std::set<int64_t> read(slot.offsets.begin(), slot.offsets.end());
    for (const int64_t offset : sent.offsets) {
      if (read.contains(offset) || Within(slot.gaps, offset)) continue;
      if (subscribed.ended && offset > slot.at) continue;  // it waited still
      const bool silent = client.silent.contains({number, offset});
      const bool replaced =
          std::any_of(sent.offsets.begin(), sent.offsets.end(), [&](int64_t newer) {
            return newer > offset && keys.at(newer) == keys.at(offset) &&
                   client.silent.contains({number, newer}) &&
                   (read.contains(newer) || Within(slot.gaps, newer) || subscribed.ended);
          });
      if (!silent || !replaced) say(offset, " was left out without a word");
    }
    for (const auto& [from, to] : sent.gaps) {
      if (subscribed.ended && to > slot.at) continue;
      const bool told =
          std::any_of(slot.gaps.begin(), slot.gaps.end(), [from = from, to = to](const auto& gap) {
            return gap.first <= from && gap.second >= to;
          });
      if (!told) say(from, " begins a gap that was not told");
    }
  }
}

}  // namespace spillway::model
