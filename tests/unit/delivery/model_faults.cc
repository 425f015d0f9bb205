// World: what starts, ends, breaks and grows.

#include <algorithm>
#include <numeric>
#include <utility>

#include "tests/unit/delivery/model_world.h"

namespace spillway::model {

using std::chrono::milliseconds;

edge::HubShard::Options World::HubOptions() const {
  edge::HubShard::Options hub;
  hub.checkpoint_interval = milliseconds(1'000);
  hub.snapshot_piece_events = 2;
  hub.lane_intervals = {milliseconds(0), milliseconds(100), milliseconds(400), milliseconds(1'500)};
  if (options_.ephemeral) {
    hub.settings_of = [](std::string_view) { return edge::ChannelSettings{.ephemeral = true}; };
  }
  if (options_.slow) {
    // Channels, and patterns, of each policy that leaves something out.
    hub.settings_of = [](std::string_view channel) {
      const auto policies = {edge::SlowPolicy::kConflate, edge::SlowPolicy::kDropOldest,
                             edge::SlowPolicy::kDropNewest};
      return edge::ChannelSettings{
          .slow = policies.begin()[std::accumulate(channel.begin(), channel.end(), 0) % 3]};
    };
  }
  if (options_.tiny) {
    hub.lane_events = 3;
    hub.lane_bytes = 1'000;
    hub.ring_events = 2;
    hub.ring_bytes = 400;
  }
  return hub;
}

void World::StartEdge(size_t place) {
  edge::LinkCore::Options core;
  core.node_id = absl::StrCat("edge ", place);
  core.first_attach_id = 1 + 1'000'000 * edges_.size();
  core.move_stability = milliseconds(3'000);
  core.interest_linger = milliseconds(2'000);
  if (options_.grow || options_.fewer) core.slot_linger = milliseconds(6'000);
  edges_.push_back(
      std::make_unique<ModelEdge>(core, HubOptions(), 2 + random_() % 2, options_.seed + place));
  live_.resize(std::max(live_.size(), place + 1));
  live_[place] = edges_.back().get();
}

// Its clients are gone with it; the ingests hear of it when they do.
void World::RestartEdge() {
  ModelEdge& gone = AnyEdge();
  Note(absl::StrCat(gone.name, " is started again"));
  for (Subscribed& subscribed : clients_) {
    if (subscribed.edge == &gone) subscribed.ended = true;
  }
  for (auto& [id, link] : links_) {
    if (link.edge == &gone) link.edge_gone = true;
  }
  gone.out.clear();
  StartEdge(static_cast<size_t>(std::find(live_.begin(), live_.end(), &gone) - live_.begin()));
  EndHalves();
}

ModelEdge& World::AnyEdge() {
  return *(live_.size() == 1 ? live_[0] : live_[random_() % live_.size()]);
}

ingest::ShardCore::Options World::IngestOptions() const {
  ingest::ShardCore::Options options;
  options.linger = milliseconds(2'000);
  if (options_.tiny) {
    options.history.log.max_bytes = 800;
    options.max_batch_bytes = 120;
    options.scan_window_bytes = 600;
    options.history_bytes = 100;
    options.history_records = 3;
  }
  if (options_.skips) options.history.catch_up_records = 3;
  if (options_.aging) options.history.log.max_age_us = 400'000;
  if (options_.limited) options.history.latest_bytes = 2'000;
  return options;
}

void World::StartIngest(size_t i) {
  ModelIngest::Setup setup;
  setup.number = static_cast<int>(i);
  setup.life = lives_[i];
  if (options_.routes) {
    if (random_() % 2 == 0) ++routes_;
    setup.routes = routes_ - (random_() % 4 == 0 ? 1 : 0);
  }
  setup.shards = options_.shards;
  setup.topic_u = i != 0 || options_.ingests == 1;
  setup.compacted = options_.compact;
  if (options_.limited) setup.horizon_ms = 1'500;
  if (options_.repeats) setup.window = kWindow;
  setup.options = IngestOptions();
  setup.accepted = [this](uint64_t link, uint64_t attach_id, int generation) {
    Accepted(link, attach_id, generation);
  };
  ingests_[i] = std::make_unique<ModelIngest>(setup, kafka_);
  // As a shard does before anything can have been answered.
  ingests_[i]->ForEachCore([&](auto& core) { core.Tick(now_, WallUs()); });
}

void World::Connect(size_t ingest, ModelEdge& edge) {
  const uint64_t id = next_link_++;
  links_[id] = {
      .ingest = ingest, .edge = &edge, .edge_gone = false, .ingest_gone = false, .trailing = {}};
  edge.core.OnLinkUp(id, now_);
}

void World::EndAtEdge(uint64_t id, bool told) {
  Link& link = links_.at(id);
  if (std::exchange(link.edge_gone, true)) return;
  if (!told) link.edge->core.OnLinkDown(id, now_);
}

void World::EndAtIngest(uint64_t id) {
  Link& link = links_.at(id);
  if (std::exchange(link.ingest_gone, true)) return;
  ModelIngest& ingest = *ingests_[link.ingest];
  link.trailing = std::move(ingest.out[id]);
  // Some of what it wrote last is lost.
  if (!link.trailing.empty()) link.trailing.resize(random_() % (link.trailing.size() + 1));
  ingest.Close(id, now_);
  link.edge->out.erase(id);
}

void World::EndHalves() {
  std::vector<uint64_t> ids;
  for (const auto& [id, link] : links_) {
    if (link.edge_gone || link.ingest_gone) ids.push_back(id);
  }
  for (const uint64_t id : ids) {
    Link& link = links_.at(id);
    const bool now = !options_.apart || random_() % 8 == 0;
    if (!link.ingest_gone && now && !(options_.apart && ingests_[link.ingest]->zombie)) {
      EndAtIngest(id);
    }
    if (!link.edge_gone && now) EndAtEdge(id, /*told=*/false);
    if (link.edge_gone && link.ingest_gone) links_.erase(id);
  }
}

void World::Kill(size_t i) {
  Note(absl::StrCat("ingest ", i, " is killed and started again"));
  for (auto& [id, link] : links_) {
    if (link.ingest == i) EndAtIngest(id);
  }
  ++lives_[i];
  StartIngest(i);
  if (!options_.apart) EndHalves();
}

void World::Grow() {
  if (kafka_.partitions().size() >= options_.partitions + 4) return;
  // Who is live by now is to have all of it, where nobody who finds it has begun later than it.
  const size_t partition = kafka_.partitions().size();
  const std::string topic = random_() % 2 == 0 ? "t" : "u";
  if (kafka_.IsGone(topic)) return;
  const bool fresh = kafka_.Add(topic);
  Note(absl::StrCat("a partition of ", topic));
  if (!fresh) return;  // it begins at its end, as it may never have been away
  for (Subscribed& subscribed : clients_) {
    const ModelClient& client =
        subscribed.client->sent != nullptr ? *subscribed.client->sent : *subscribed.client;
    if (!subscribed.ended && client.subscribed && !client.wants_snapshot &&
        subscribed.edge->table->complete) {
      subscribed.from_begin.insert(partition);
    }
  }
}

void World::Fault() {
  std::vector<void (World::*)()> kinds;
  const auto add = [&](bool wanted, void (World::*fault)()) {
    if (wanted) kinds.push_back(fault);
  };
  add(options_.kill, &World::KillAny);
  add(options_.stop, &World::StopAny);
  add(options_.stall, &World::StallAny);
  add(options_.shaky, &World::ShakeAny);
  add(options_.cut, &World::CutAny);
  add(options_.apart, &World::LinkAnyTwice);
  add(options_.truncate, &World::TruncateAny);
  add(options_.compact, &World::CompactAny);
  add(options_.grow, &World::Grow);
  add(options_.reset, &World::DeleteAny);
  add(options_.restart && random_() % 4 == 0, &World::RestartEdge);
  if (!kinds.empty()) (this->*kinds[random_() % kinds.size()])();
}

void World::KillAny() { Kill(AnyIngest()); }

void World::StopAny() {
  const size_t i = AnyIngest();
  ingests_[i]->zombie = !ingests_[i]->zombie;
  Note(absl::StrCat("ingest ", i, ingests_[i]->zombie ? " is stopped" : " goes on"));
}

void World::StallAny() {
  const size_t i = AnyIngest();
  ingests_[i]->stalled = !ingests_[i]->stalled;
  Note(absl::StrCat("ingest ", i, ingests_[i]->stalled ? " loses Kafka" : " has Kafka again"));
}

void World::ShakeAny() {
  const size_t i = AnyIngest();
  ingests_[i]->shaky = !ingests_[i]->shaky;
  Note(absl::StrCat("Kafka ", ingests_[i]->shaky ? "fails now and then" : "is well", " for ingest ",
                    i));
}

void World::CutAny() {
  if (links_.empty()) return;
  const uint64_t id = AnyLink();
  Note(absl::StrCat("link ", id, " to ingest ", links_.at(id).ingest, " is cut"));
  if (random_() % 2 == 0) {
    EndAtEdge(id, /*told=*/false);
  } else {
    EndAtIngest(id);
  }
  if (!options_.apart) EndHalves();
}

// A second address of it.
void World::LinkAnyTwice() {
  const size_t i = AnyIngest();
  if (!ingests_[i]->zombie) Connect(i, AnyEdge());
}

void World::TruncateAny() {
  const size_t p = random_() % kafka_.partitions().size();
  kafka_.Truncate(p, kafka_.partitions()[p].end - static_cast<int64_t>(random_() % 20));
  Note(absl::StrCat(kafka_.partitions()[p].source(), " begins at ", kafka_.partitions()[p].begin));
}

void World::CompactAny() {
  const size_t p = random_() % kafka_.partitions().size();
  // Never what is so new that a reader at work may not have come to it.
  int64_t before = kafka_.partitions()[p].end - static_cast<int64_t>(random_() % 10);
  for (const auto& ingest : ingests_) before = std::min(before, ingest->LiveNext(p));
  const size_t removed = kafka_.Compact(p, before);
  Note(absl::StrCat(kafka_.partitions()[p].source(), " is compacted before ", before, ": ", removed,
                    " records go"));
}

size_t World::AnyIngest() { return random_() % ingests_.size(); }

uint64_t World::AnyLink() {
  auto link = links_.begin();
  std::advance(link, static_cast<long>(random_() % links_.size()));
  return link->first;
}

}  // namespace spillway::model
