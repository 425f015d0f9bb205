// World: topics that are deleted and made anew, and what clients must be told of it.

#include <algorithm>
#include <utility>

#include "services/edge/hub/edge_batch.h"
#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

// Deletes one, or makes one anew that is gone: with as many partitions or one more, of which each
// holds less than the old one did, as much, or more.
void World::DeleteAny() {
  const std::string topic = random_() % 4 == 0 ? "u" : "t";
  const auto& partitions = kafka_.partitions();
  const bool exists = std::any_of(partitions.begin(), partitions.end(), [&](const auto& one) {
    return one.topic == topic && !one.removed;
  });
  if (!exists) return;
  if (!kafka_.IsGone(topic)) {
    kafka_.Delete(topic);
    Note(absl::StrCat("topic ", topic, " is deleted"));
    if (random_() % 2 == 0) return;
  }
  MakeAnew(topic);
}

void World::MakeAnew(const std::string& topic) {
  const bool fewer = options_.fewer && random_() % 2 == 0;
  Note(absl::StrCat("topic ", topic, " is made anew", fewer ? ", with one partition" : ""));
  for (ModelKafka::Partition& partition : kafka_.partitions()) {
    if (partition.topic != topic || !partition.gone || partition.removed) continue;
    if (fewer && partition.number > 0) {
      partition.removed = partition.was_removed = true;
      continue;
    }
    const int64_t old_end = partition.end;
    ModelKafka::MakeAnew(partition);
    int64_t fill = static_cast<int64_t>(random_() % 4);
    switch (random_() % 3) {
      case 0:
        fill = std::min(fill, old_end);
        break;
      case 1:
        fill = old_end;
        break;
      default:
        fill += old_end;
        break;
    }
    while (partition.end < fill) {
      ModelKafka::AppendTo(partition, random_, Writing());
    }
  }
  if (random_() % 4 == 0 && kafka_.partitions().size() < options_.partitions + 4) kafka_.Add(topic);
}

void World::MakeAllAnew() {
  for (size_t p = 0; p < kafka_.partitions().size(); ++p) {
    if (kafka_.partitions()[p].gone && !kafka_.partitions()[p].removed)
      MakeAnew(std::string(kafka_.partitions()[p].topic));
  }
}

bool World::IsProof(size_t partition, int generation, int64_t at) const {
  const ModelKafka::Partition& of = kafka_.partitions()[partition];
  if (options_.truncate && (generation != of.generation() || at < of.begin)) return false;
  const auto& history = of.histories[static_cast<size_t>(generation)];
  return std::any_of(history.begin(), history.end(),
                     [at](const ModelRecord& record) { return record.offset == at; });
}

void World::Accepted(uint64_t link, uint64_t attach_id, int generation) {
  ModelEdge& edge = *links_.at(link).edge;
  const ModelEdge::Asked& asked = edge.asked.at(attach_id);
  const v1::Attach& attach = asked.attach;
  const size_t partition = ModelIngest::PartitionOf(attach.slot());
  const auto& slots = asked.table->slots;
  const auto slot = std::find_if(slots.begin(), slots.end(), [&](const auto& entry) {
    return entry != nullptr && PartitionOf(edge, entry->number) == partition;
  });
  if (slot == slots.end()) {
    broken_.push_back("an attach of a slot that was not told to workers");
    return;
  }
  ModelEdge::Generation& known = edge.generations[(*slot)->number];
  if (attach_id < known.attach_id) return;  // of before
  known.attach_id = attach_id;
  const bool has_some = attach.from_case() == v1::Attach::kAfter &&
                        (attach.after() >= 0 || attach.fingerprint() != 0);
  if (!has_some || known.number < 0) {
    known = {.number = generation, .attach_id = attach_id};
    return;
  }
  // One that was accepted before may have crossed, and has been read from, if nothing was taken in.
  const bool might = known.next >= 0 && known.may_cross;
  known.crossed = known.crossed || (might && known.next != generation);
  known.next = generation == known.number ? -1 : generation;
  known.may_cross = might || attach.fingerprint() == 0 ||
                    !IsProof(partition, generation, attach.fingerprint_at());
}

size_t World::resets() const {
  size_t total = 0;
  for (const Subscribed& subscribed : clients_) {
    for (const auto& [number, slot] : subscribed.client->slots) {
      total += slot.ended_by_reset() ? 1 : 0;
    }
  }
  return total;
}

bool World::MayBegin(const ModelClient::Slot& slot, size_t partition, int generation) const {
  if (!slot.resumed) return true;
  if (!slot.shown.has_value()) return slot.start == -1;
  const Claim& claim = *slot.shown;
  if (claim.pending) return true;
  if (claim.forged) return slot.start == -1 || (claim.may_pass && slot.start == claim.at);
  const bool unjudged =
      std::find(slot.reasons.begin(), slot.reasons.end(), edge::kLimit) != slot.reasons.end();
  if (claim.at < 0) return slot.start == claim.at;
  const bool known = claim.generation >= 0 && !unjudged && claim.mark.fingerprint != 0 &&
                     IsProof(partition, generation, claim.mark.at);
  if (known) return slot.start == (claim.generation == generation ? claim.at : -1);
  // A wrong number and no proof: it is not taken, or it is.
  const bool same = claim.generation == generation && !options_.reset && !options_.grow;
  return slot.start == claim.at || (!same && slot.start == -1);
}

void World::CheckTaken(const Subscribed& subscribed, const ModelClient& client,
                       const std::string& who, std::vector<std::string>* broken) const {
  const ModelEdge& edge = *subscribed.edge;
  if (client.wants_snapshot) return;  // in place of all, where one partition's does not hold
  for (size_t p = 0; p < kafka_.partitions().size(); ++p) {
    const ModelKafka::Partition& partition = kafka_.partitions()[p];
    const Claim* claim = client.ShownOf(partition.source());
    // Nothing was made anew since: no edge may tell it so, whatever that edge has yet to notice.
    const bool known = claim != nullptr && !claim->pending && !claim->forged &&
                       claim->mark.fingerprint != 0 &&
                       claim->generation == partition.generation() &&
                       IsProof(p, claim->generation, claim->mark.at);
    if (!known) continue;
    bool reset = false;
    bool unjudged = false;
    for (const auto& [number, slot] : client.slots) {
      if (PartitionOf(edge, number) != p) continue;
      const auto has = [&slot = slot](std::string_view reason) {
        return std::find(slot.reasons.begin(), slot.reasons.end(), reason) != slot.reasons.end();
      };
      const auto generation = edge.generations.find(number);
      const bool crossed = generation != edge.generations.end() && generation->second.unknown();
      reset = reset || (!crossed && has(edge::kReset));
      unjudged = unjudged || has(edge::kLimit);
    }
    if (!reset || unjudged) continue;
    broken->push_back(absl::StrCat(who, partition.source(), " was told a reset after ", claim->at,
                                   " of topic ", claim->generation, ", which it still is"));
  }
}

void World::CheckResets(const Subscribed& subscribed, const ModelClient& client,
                        const std::string& who, std::vector<std::string>* broken) const {
  const ModelEdge& edge = *subscribed.edge;
  for (const auto& [number, slot] : client.slots) {
    const auto known = edge.generations.find(number);
    if (known == edge.generations.end() || known->second.unknown()) continue;
    const size_t partition = PartitionOf(edge, number);
    if (kafka_.partitions()[partition].was_removed) continue;  // of that nothing is told
    const int newest = kafka_.partitions()[partition].generation();
    const auto say = [&](const std::string& what) {
      broken->push_back(absl::StrCat(who, "slot ", number, " of topic ", known->second.number,
                                     " of ", newest, ": ", what));
    };
    if (slot.ended_by_reset() && known->second.number == newest) say("ended as if it were gone");
    if (subscribed.ended || !slot.begun) continue;
    const bool was_reset =
        std::find(edge.reports.begin(), edge.reports.end(),
                  "topic_reset " + edge.sources.at(number)) != edge.reports.end();
    if (was_reset && !slot.ended_by_reset()) say("was not told to have ended");
    if (edge.table->Find(number) != nullptr && known->second.number != newest) {
      say("goes on, though it is gone");
    }
    if (!slot.ended_by_reset()) continue;
    // The next one is all for it.
    const auto next = std::find_if(
        client.slots.upper_bound(number), client.slots.end(),
        [&](const auto& other) { return PartitionOf(edge, other.first) == partition; });
    if (next == client.slots.end() || !next->second.begun) {
      say("has none in its place");
    } else if (!options_.truncate && next->second.start != -1 && !client.snapshot_failed &&
               std::none_of(client.snapshots.begin(), client.snapshots.end(),
                            [&](const auto& one) { return one.as_of.contains(next->first); })) {
      say(absl::StrCat("slot ", next->first, " came in its place and began at ",
                       next->second.start));
    } else if (!(client.resumed && client.wants_snapshot) &&  // it may have got one instead
               std::any_of(next->second.reasons.begin(), next->second.reasons.end(),
                           [](const auto& reason) { return reason == edge::kReset; }) &&
               !next->second.ended_by_reset()) {
      say("what came in its place has a gap");
    }
  }
}

}  // namespace spillway::model
