#include "tests/unit/delivery/model_world.h"

#include <algorithm>

namespace spillway::model {

using std::chrono::milliseconds;

World::World(const WorldOptions& options)
    : options_(options), random_(options.seed), kafka_(options.partitions) {
  edge::LinkCore::Options core;
  core.node_id = "edge";
  core.move_stability = milliseconds(3'000);
  core.interest_linger = milliseconds(2'000);
  edge::HubShard::Options hub;
  hub.checkpoint_interval = milliseconds(1'000);
  hub.snapshot_piece_events = 2;
  hub.lane_intervals = {milliseconds(0), milliseconds(100), milliseconds(400), milliseconds(1'500)};
  if (options_.slow) {
    // One channel of each policy that leaves something out.
    hub.settings_of = [](std::string_view channel) {
      const auto policies = {edge::SlowPolicy::kConflate, edge::SlowPolicy::kDropOldest,
                             edge::SlowPolicy::kDropNewest};
      return edge::ChannelSettings{.slow = policies.begin()[(channel.back() - '1') % 3]};
    };
  }
  if (options_.tiny) {
    hub.lane_events = 3;
    hub.lane_bytes = 1'000;
    hub.ring_events = 2;
    hub.ring_bytes = 400;
  }
  edge_ = std::make_unique<ModelEdge>(core, hub, 2 + random_() % 2, options.seed);
  lives_.resize(options.ingests);
  for (size_t i = 0; i < options.ingests; ++i) {
    ingests_.push_back(
        std::make_unique<ModelIngest>(static_cast<int>(i), lives_[i], kafka_, IngestOptions()));
    Connect(i);
  }
}

ingest::ShardCore::Options World::IngestOptions() const {
  ingest::ShardCore::Options options;
  options.linger = milliseconds(2'000);
  if (options_.tiny) {
    options.log.max_bytes = 800;
    options.max_batch_bytes = 120;
    options.scan_window_bytes = 600;
    options.history_bytes = 100;
    options.history_records = 3;
  }
  return options;
}

void World::Connect(size_t ingest) {
  const uint64_t id = next_link_++;
  links_[id] = {ingest, true};
  edge_->core.OnLinkUp(id, now_);
}

void World::Disconnect(uint64_t id) {
  Link& link = links_.at(id);
  ModelIngest& ingest = *ingests_[link.ingest];
  ingest.core().CloseLink(id, now_);
  ingest.out.erase(id);
  ingest.states.erase(id);
  edge_->out.erase(id);
  links_.erase(id);
}

void World::Kill(size_t i) {
  std::vector<uint64_t> mine;
  for (const auto& [id, link] : links_) {
    if (link.ingest == i) mine.push_back(id);
  }
  for (uint64_t id : mine) {
    links_.erase(id);
    edge_->out.erase(id);
    edge_->core.OnLinkDown(id, now_);
  }
  ingests_[i] =
      std::make_unique<ModelIngest>(static_cast<int>(i), ++lives_[i], kafka_, IngestOptions());
}

void World::DeliverToIngest(uint64_t id) {
  auto& queue = edge_->out[id];
  if (queue.empty()) return;
  ModelIngest& ingest = *ingests_[links_.at(id).ingest];
  if (ingest.zombie) return;
  const v1::LinkRequest request = std::move(queue.front());
  queue.pop_front();
  switch (request.message_case()) {
    case v1::LinkRequest::kHello:
      ingest.Greet(id);
      break;
    case v1::LinkRequest::kInterest:
      ingest.core().OnInterest(id, request.interest());
      break;
    case v1::LinkRequest::kAttach:
      ingest.core().OnAttach(id, request.attach(), now_);
      break;
    case v1::LinkRequest::kDetach:
      ingest.core().OnDetach(id, request.detach(), now_);
      break;
    case v1::LinkRequest::kPrepare:
      ingest.core().OnPrepare(id, request.prepare(), now_);
      break;
    default:
      break;
  }
}

void World::DeliverToEdge(uint64_t id) {
  ModelIngest& ingest = *ingests_[links_.at(id).ingest];
  auto& queue = ingest.out[id];
  if (queue.empty()) return;
  const std::string message = std::move(queue.front());
  queue.pop_front();
  if (wire::BatchOfLinkResponse(message).has_value()) ingest.taken.push_back(id);
  edge_->core.OnMessage(id, message, now_);
}

void World::RunLinkTask() {
  if (edge_->link_tasks.empty()) return;
  const ModelEdge::Task task = std::move(edge_->link_tasks.front());
  edge_->link_tasks.pop_front();
  task(now_);
  // Now and then more than one task is a turn, and new interest is told late, or with the tick.
  if (random_() % 2 == 0) edge_->core.EndTurn(now_);
}

void World::RunMail(size_t worker) {
  if (edge_->mail[worker].empty()) return;
  const ModelEdge::Task task = std::move(edge_->mail[worker].front());
  edge_->mail[worker].pop_front();
  task(now_);
}

void World::RunCalls() {
  std::vector<ModelEdge::Call> calls = std::exchange(edge_->calls, {});
  for (ModelEdge::Call& call : calls) {
    const auto link = links_.find(call.link);
    if (link == links_.end()) continue;  // the edge has asked again already
    ModelIngest& ingest = *ingests_[link->second.ingest];
    const uint64_t read = next_read_++;
    reads_[read] = {call.link, call.id};
    if (call.history) {
      ingest.core().ReadHistory(
          read, call.past.channel(), {call.past.after().begin(), call.past.after().end()},
          {call.past.not_before().begin(), call.past.not_before().end()}, now_);
    } else {
      ingest.core().ReadSnapshot(
          read, call.snapshot.channel(),
          {call.snapshot.not_before().begin(), call.snapshot.not_before().end()}, now_);
    }
  }
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;
    for (ModelIngest::ReadAnswer& answer : std::exchange(ingest->reads, {})) {
      const auto found = reads_.find(answer.id);
      if (found == reads_.end()) continue;
      const auto [link, call] = found->second;
      reads_.erase(found);
      if (!links_.contains(link)) continue;
      if (!answer.result.error.empty()) {
        edge_->core.OnReadFailed(call, answer.result.error, now_);
        continue;
      }
      std::string bytes;
      for (const auto& event : answer.result.events) bytes += *event;
      v1::ReadResponse response;
      response.ParseFromString(bytes);
      response.set_last(true);
      response.set_complete(answer.result.complete);
      response.set_since_us(answer.result.since_us);
      for (const auto& as_of : answer.result.as_of) *response.add_as_of() = as_of;
      for (const auto& gap : answer.result.gaps) *response.add_gaps() = gap;
      edge_->core.OnReadResponse(call, response, now_);
    }
  }
}

void World::TidyUp() {
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;  // it will hear of it when it goes on
    for (uint64_t id : std::exchange(ingest->taken, {})) ingest->core().OnBatchTaken(id);
  }
  for (uint64_t id : std::exchange(edge_->closed, {})) {
    if (links_.contains(id)) Disconnect(id);
  }
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;
    for (uint64_t id : std::exchange(ingest->cut, {})) {
      if (!links_.contains(id)) continue;
      Disconnect(id);
      edge_->core.OnLinkDown(id, now_);
    }
  }
}

void World::Advance(milliseconds time) {
  now_ += time;
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;
    ingest->core().SetKafkaUp(!ingest->stalled, now_);
    ingest->core().Tick(now_, 2'000'000);
  }
  if (now_ - last_beat_ >= milliseconds(500)) {
    last_beat_ = now_;
    for (const auto& [id, link] : links_) {
      if (!ingests_[link.ingest]->zombie) ingests_[link.ingest]->Beat(id);
    }
    // The runtime dials again whatever is not linked.
    for (size_t i = 0; i < ingests_.size(); ++i) {
      const bool linked = std::any_of(links_.begin(), links_.end(),
                                      [i](const auto& l) { return l.second.ingest == i; });
      if (!linked && !ingests_[i]->zombie) Connect(i);
    }
  }
  edge_->core.Tick(now_);
  edge_->core.EndTurn(now_);
  for (auto& hub : edge_->hubs) hub->Tick(now_);
}

void World::Fault() {
  const size_t i = random_() % ingests_.size();
  switch (random_() % 5) {
    case 0:
      if (options_.kill) Kill(i);
      break;
    case 1:
      if (options_.stop) ingests_[i]->zombie = !ingests_[i]->zombie;
      break;
    case 2:
      if (options_.stall) ingests_[i]->stalled = !ingests_[i]->stalled;
      break;
    case 3:
      if (options_.cut && !links_.empty()) {
        const uint64_t id = AnyLink();
        Disconnect(id);
        edge_->core.OnLinkDown(id, now_);
      }
      break;
    default:
      if (options_.truncate) {
        const size_t p = random_() % options_.partitions;
        kafka_.Truncate(p, kafka_.partitions()[p].end - static_cast<int64_t>(random_() % 20));
      }
      break;
  }
}

uint64_t World::AnyLink() {
  auto link = links_.begin();
  std::advance(link, static_cast<long>(random_() % links_.size()));
  return link->first;
}

void World::Step() {
  switch (random_() % 16) {
    case 0:
    case 1:
      kafka_.Append(random_, channels_);
      break;
    case 2:
    case 3:
    case 4: {
      ModelIngest& ingest = *ingests_[random_() % ingests_.size()];
      if (!ingest.zombie) ingest.Turn(random_, now_);
      break;
    }
    case 5:
    case 6:
      if (!links_.empty()) DeliverToIngest(AnyLink());
      break;
    case 7:
    case 8:
    case 9:
      if (!links_.empty()) DeliverToEdge(AnyLink());
      break;
    case 10:
      RunLinkTask();
      break;
    case 11:
    case 12:
      RunMail(random_() % edge_->workers());
      break;
    case 13:
      RunCalls();
      break;
    case 14:
      if (random_() % 4 == 0) ChangeSubscriptions();
      if (options_.slow && random_() % 8 == 0) WriteToClients();
      if (random_() % 40 == 0) Fault();
      break;
    default:
      Advance(milliseconds(random_() % 60));
      break;
  }
  TidyUp();
}

void World::Run() {
  for (int step = 0; step < options_.steps; ++step) Step();
}

bool World::Quiet() const {
  for (const auto& mail : edge_->mail) {
    if (!mail.empty()) return false;
  }
  return edge_->link_tasks.empty() && edge_->calls.empty();
}

void World::Settle() {
  for (auto& ingest : ingests_) ingest->zombie = ingest->stalled = false;
  for (Subscribed& subscribed : clients_) {
    if (subscribed.client->queue != nullptr) subscribed.client->queue->blocked = false;
    if (subscribed.ended || subscribed.client->can_pull) continue;
    subscribed.client->can_pull = true;
    edge_->hubs[subscribed.worker]->OnWritable(subscribed.client.get(), now_);
  }
  // 40 virtual seconds: longer than every timeout of the rules.
  for (int round = 0; round < 800; ++round) {
    for (auto& ingest : ingests_) {
      for (int n = 0; n < 8; ++n) ingest->Turn(random_, now_);
    }
    std::vector<uint64_t> ids;
    for (const auto& [id, link] : links_) ids.push_back(id);
    for (uint64_t id : ids) {
      for (int n = 0; n < 8; ++n) {
        if (links_.contains(id)) DeliverToIngest(id);
        TidyUp();
        if (links_.contains(id)) DeliverToEdge(id);
        TidyUp();
      }
    }
    WriteToClients();
    RunCalls();  // answers that became ready
    for (int n = 0; n < 100 && !Quiet(); ++n) {
      RunLinkTask();
      for (size_t w = 0; w < edge_->workers(); ++w) RunMail(w);
      RunCalls();
      TidyUp();
    }
    Advance(milliseconds(50));
    TidyUp();
  }
}

}  // namespace spillway::model
