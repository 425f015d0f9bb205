// LinkCore: hello, the merged catalogue, beats.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/edge/upstream/link_core.h"

namespace spillway::edge {
namespace {
constexpr size_t kMaxRouteTimes = 64;  // route configurations remembered; the oldest are forgotten
}

void LinkCore::OnHello(LinkState& link, const v1::IngestHello& hello, MonoTime now) {
  if (hello.protocol() != 1) {
    sink_.Report("link_protocol", absl::StrCat(hello.node_id(), " speaks link protocol ",
                                               hello.protocol(), ", this edge speaks 1"));
    sink_.CloseLink(link.id, LinkEnd::kProtocol);
    DropLink(link, now);
    return;
  }
  for (const auto& [id, other] : links_) {
    if (id != link.id && other->greeted && other->node_id == hello.node_id()) {
      // Two addresses of one ingest: the older link stays.
      sink_.CloseLink(link.id, LinkEnd::kDuplicate);
      DropLink(link, now);
      return;
    }
  }
  TellFresh();  // to the others: this one is told the whole
  link.greeted = true;
  link.node_id = hello.node_id();
  link.route_hash = hello.route_hash();
  link.route_time_us = hello.route_time_us();
  const auto [known, fresh] = route_times_.insert({link.route_hash, link.route_time_us});
  known->second = std::min(known->second, link.route_time_us);
  if (route_times_.size() > kMaxRouteTimes) {
    route_times_.erase(
        std::min_element(route_times_.begin(), route_times_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  gone_.erase(link.node_id);
  link.last_beat = now;
  sink_.Report("link_up", link.node_id);
  if (sink_.cluster() != nullptr) sink_.cluster()->OnIngest(hello);
  SendWholeInterest(link);
  link.whole_interest = link.interest_sequence;
}

SlotNumber LinkCore::SlotFor(const v1::CatalogueTopic& topic, const v1::CatalogueSlot& slot,
                             bool* fresh) {
  std::string told_as =
      absl::StrCat(topic.topic(), "/", slot.partition(), "@", topic.incarnation());
  const auto found = slot_numbers_.find(told_as);
  if (found != slot_numbers_.end() && slots_[found->second] != nullptr) return found->second;

  *fresh = true;
  SlotEntry entry;
  entry.topic = topic.topic();
  entry.partition = slot.partition();
  entry.incarnation = topic.incarnation() + IncarnationOf(told_as);
  for (const v1::Feed& feed : topic.feeds()) {
    auto pattern = ChannelPattern::Parse(feed.pattern());
    if (!pattern.ok()) {
      sink_.Report("bad_feed", std::string(pattern.status().message()));
      continue;
    }
    entry.feeds.push_back(
        {*std::move(pattern), feed.snapshot() != v1::SNAPSHOT_MODE_NONE && feed.snapshot() != 0});
  }
  // Whoever was linked before may hold positions that do not know of this partition: from its
  // start.
  return AddSlot(std::move(entry), std::move(told_as), catalogue_complete_ && slot.young());
}

void LinkCore::OnCatalogue(LinkState& link, const v1::Catalogue& catalogue, MonoTime now) {
  link.problems.clear();
  for (const v1::TopicProblem& problem : catalogue.problems()) {
    link.problems.emplace_back(problem.topic(),
                               absl::StrCat(problem.code(), ": ", problem.message()));
  }
  if (!catalogue.complete()) return;
  bool fresh = false;
  const auto old_numbers = std::exchange(link.numbers, {});
  link.slots.clear();
  for (const v1::CatalogueTopic& topic : catalogue.topics()) {
    for (const v1::CatalogueSlot& slot : topic.slots()) {
      const SlotNumber number = SlotFor(topic, slot, &fresh);
      if (slots_[number]->told_by.empty()) {
        slots_[number]->since = now;
        slots_[number]->unattached_since = now;
      }
      slots_[number]->told_by.insert(link.node_id);
      link.slots[slot.slot()] = number;
      link.numbers[number] = slot.slot();
    }
  }
  // What this ingest served by a number that it no longer speaks of comes from wherever it is to be
  // had.
  for (const auto& [number, old] : old_numbers) {
    const auto kept = link.numbers.find(number);
    SlotState* slot = slots_[number].get();
    if (slot == nullptr || (kept != link.numbers.end() && kept->second == old)) continue;
    if (slot->moving_to == link.id) slot->moving_to = 0;
    if (slot->link != link.id || slot->phase == SlotState::Phase::kUnattached) continue;
    ++counters_.failovers;
    Unattach(*slot, now);
  }
  for (auto& slot : slots_) {
    if (slot != nullptr && !link.numbers.contains(slot->number()))
      slot->told_by.erase(link.node_id);
  }
  link.has_catalogue = true;
  const bool first = !std::exchange(catalogue_complete_, true);
  if (first) first_catalogue_ = now;
  const size_t before = slots_.size();
  DropUnknownSlots(now);
  if (fresh || first || before != slots_.size()) PublishSlots();
  AttachAll(now);
}

bool LinkCore::MayComeBack(const SlotState& slot, MonoTime now) const {
  for (const std::string& node : slot.told_by) {
    const auto gone = gone_.find(node);
    if (gone != gone_.end() && now - gone->second < options_.slot_linger) return true;
    // It is back, and its catalogue still on the way.
    for (const auto& [id, link] : links_) {
      if (link->node_id == node && !link->has_catalogue) return true;
    }
  }
  return false;
}

void LinkCore::DropUnknownSlots(MonoTime now) {
  bool dropped = false;
  for (auto& slot : slots_) {
    if (slot == nullptr) continue;
    bool known = false;
    bool heard = false;
    for (const auto& [id, link] : links_) {
      if (!link->has_catalogue) continue;
      heard = true;
      known = known || link->numbers.contains(slot->number());
    }
    // An ingest that is away for a moment, with a route that the others do not have, must find the
    // slot's place when it comes back: what was dropped begins anew.
    if (!heard || known || MayComeBack(*slot, now)) continue;
    // Every ingest that has a catalogue says that the topic is gone.
    sink_.Report("slot_gone", slot->entry->source);
    Retire(slot);
    dropped = true;
  }
  if (dropped) PublishSlots();
}

void LinkCore::PublishSlots() {
  auto table = std::make_shared<SlotTable>();
  table->complete = catalogue_complete_;
  table->slots.reserve(slots_.size());
  for (const auto& slot : slots_) {
    table->slots.push_back(slot == nullptr ? nullptr : slot->entry);
  }
  sink_.PostSlots(std::move(table));
}

void LinkCore::OnBeat(LinkState& link, const v1::Beat& beat, MonoTime now) {
  link.last_beat = now;
  link.kafka_up = beat.kafka_up();
  link.kafka_error = beat.kafka_error();
  if (!link.interest_in_force && link.greeted && beat.interest_sequence() >= link.whole_interest) {
    link.interest_in_force = true;
    LoseEphemeral(now);  // what was published there before then, nobody here got
  }
  for (const v1::ReaderBeat& reader : beat.readers()) {
    SlotState* slot = CurrentSlot(link, reader.slot(), reader.attach_id());
    if (slot == nullptr) continue;
    slot->lag = reader.lag();
    if (reader.state() == v1::READER_STATE_STALLED) {
      slot->stalled_since =
          now - std::chrono::milliseconds(std::max<int64_t>(0, reader.since_ms()));
      slot->stall_reason = reader.reason();
      if (!slot->unread_since.has_value()) slot->unread_since = slot->stalled_since;
    } else if (reader.state() != v1::READER_STATE_STARTING) {
      slot->unread_since.reset();  // where it is starting, it has not been read yet
    }
    slot->reader = reader.state();
  }
}

}  // namespace spillway::edge
