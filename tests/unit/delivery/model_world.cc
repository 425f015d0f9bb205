#include "tests/unit/delivery/model_world.h"

#include <algorithm>
#include <utility>

namespace spillway::model {

using std::chrono::milliseconds;

World::World(const WorldOptions& options)
    : options_(options), random_(options.seed), kafka_(options.partitions) {
  if (options.patterns) channels_ = {"ca1", "ca2", "cb3"};
  for (size_t place = 0; place < options.edges; ++place) StartEdge(place);
  lives_.resize(options.ingests);
  ingests_.resize(options.ingests);
  for (size_t i = 0; i < options.ingests; ++i) {
    StartIngest(i);
    for (ModelEdge* edge : live_) Connect(i, *edge);
  }
}

size_t World::grown() const {
  std::set<size_t> grown;
  for (const Subscribed& subscribed : clients_) {
    grown.insert(subscribed.from_begin.begin(), subscribed.from_begin.end());
  }
  return grown.size();
}

edge::LinkCounters World::counters() const {
  edge::LinkCounters sum;
  for (const auto& edge : edges_) {
    sum.failovers += edge->core.counters().failovers;
    sum.moves += edge->core.counters().moves;
  }
  return sum;
}

void World::DeliverToIngest(uint64_t id) {
  const Link& link = links_.at(id);
  auto& queue = link.edge->out[id];
  if (queue.empty() || link.ingest_gone) return;
  ModelIngest& ingest = *ingests_[link.ingest];
  if (ingest.zombie) return;
  const v1::LinkRequest request = std::move(queue.front());
  queue.pop_front();
  switch (request.message_case()) {
    case v1::LinkRequest::kHello:
      ingest.Greet(id);
      break;
    case v1::LinkRequest::kInterest:
      ingest.OnInterest(id, request.interest());
      break;
    case v1::LinkRequest::kAttach:
      ingest.CoreOf(request.attach().slot()).OnAttach(id, request.attach(), now_);
      break;
    case v1::LinkRequest::kDetach:
      ingest.CoreOf(request.detach().slot()).OnDetach(id, request.detach(), now_);
      break;
    case v1::LinkRequest::kPrepare:
      ingest.CoreOf(request.prepare().slot()).OnPrepare(id, request.prepare(), now_);
      break;
    default:
      break;
  }
}

void World::DeliverToEdge(uint64_t id) {
  Link& link = links_.at(id);
  if (link.edge_gone) return;
  ModelIngest& ingest = *ingests_[link.ingest];
  auto& queue = link.ingest_gone ? link.trailing : ingest.out[id];
  if (queue.empty()) return;
  const ModelIngest::Out one = std::move(queue.front());
  queue.pop_front();
  if (one.shard >= 0 && !link.ingest_gone) {
    ingest.taken.emplace_back(id, static_cast<size_t>(one.shard));
  }
  link.edge->core.OnMessage(id, one.message, now_);
}

ModelKafka::Writing World::Writing() const {
  return {.channels = channels_,
          .wide = options_.wide,
          .window = options_.repeats ? kWindow : 0,
          .time_us = WallUs()};
}

void World::RunLinkTask(ModelEdge& edge) {
  if (edge.link_tasks.empty()) return;
  const ModelEdge::Task task = std::move(edge.link_tasks.front());
  edge.link_tasks.pop_front();
  task(now_);
  // Now and then more than one task is a turn, and new interest is told late, or with the tick.
  if (random_() % 2 == 0) edge.core.EndTurn(now_);
}

void World::RunMail(ModelEdge& edge, size_t worker, MonoTime now) {
  if (edge.mail[worker].empty()) return;
  const ModelEdge::Task task = std::move(edge.mail[worker].front());
  edge.mail[worker].pop_front();
  task(now);
}

void World::RunCalls(ModelEdge& edge) {
  std::vector<ModelEdge::Call> calls = std::exchange(edge.calls, {});
  for (ModelEdge::Call& call : calls) {
    const auto found = links_.find(call.link);
    if (found == links_.end() || found->second.edge_gone) continue;  // it has asked again already
    const Link& link = found->second;
    if (link.ingest_gone || (options_.shaky && random_() % 16 == 0)) {
      edge.core.OnReadFailed(call.id, "the ingest cannot be reached", now_);
      continue;
    }
    const uint64_t read = next_read_++;
    reads_[read] = {call.link, call.id};
    ModelIngest& ingest = *ingests_[link.ingest];
    if (call.history && !call.past.claims().empty()) {
      const std::vector<v1::Claim> claims(call.past.claims().begin(), call.past.claims().end());
      ingest.StartRead(read, claims, [&](ingest::ShardCore& core, const auto& part) {
        core.Judge(read, part, now_);
      });
    } else if (call.history) {
      const std::vector<v1::SlotOffset> after(call.past.after().begin(), call.past.after().end());
      ingest.StartRead(read, after, [&](ingest::ShardCore& core, const auto& part) {
        core.ReadHistory(read, call.past.channel(), part, part, now_);
      });
    } else {
      const auto& wanted = call.snapshot.not_before();
      ingest.StartRead(read, std::vector<v1::SlotOffset>(wanted.begin(), wanted.end()),
                       [&](ingest::ShardCore& core, const auto& part) {
                         core.ReadSnapshot(read, call.snapshot.channel(), part, now_);
                       });
    }
  }
  AnswerReads();
}

void World::AnswerReads() {
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;
    for (ModelIngest::ReadAnswer& answer : std::exchange(ingest->reads, {})) {
      const auto found = reads_.find(answer.id);
      if (found == reads_.end()) continue;
      const auto [link, call] = found->second;
      reads_.erase(found);
      if (!links_.contains(link) || links_.at(link).edge_gone) continue;
      edge::LinkCore& core = links_.at(link).edge->core;
      if (!answer.result.error.empty()) {
        core.OnReadFailed(call, answer.result.error, now_);
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
      for (const v1::Verdict verdict : answer.result.verdicts) response.add_verdicts(verdict);
      core.OnReadResponse(call, response, now_);
    }
  }
}

void World::TidyUp() {
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;  // it will hear of it when it goes on
    for (const auto& [id, shard] : std::exchange(ingest->taken, {})) {
      ingest->ForEachCore([&, i = size_t{0}, wanted = shard](auto& core) mutable {
        if (i++ == wanted) core.OnBatchTaken(id);
      });
    }
  }
  for (ModelEdge* edge : live_) {
    for (uint64_t id : std::exchange(edge->closed, {})) {
      if (links_.contains(id)) EndAtEdge(id, /*told=*/true);
    }
  }
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;
    for (uint64_t id : std::exchange(ingest->cut, {})) {
      if (links_.contains(id)) EndAtIngest(id);
    }
  }
  if (!options_.apart) EndHalves();
}

void World::Advance(milliseconds time) {
  now_ += time;
  const int64_t wall_us = WallUs();
  for (auto& ingest : ingests_) {
    if (ingest->zombie) continue;
    ingest->ForEachCore([&](auto& core) {
      core.SetKafkaUp(!ingest->stalled, now_);
      core.Tick(now_, wall_us);
    });
    if ((options_.grow || options_.reset) && random_() % 64 == 0 &&
        ingest->Discover(/*young=*/true)) {
      ingest->TellCatalogueToAll();
    }
    if (options_.fewer && random_() % 64 == 0 && ingest->Drop()) ingest->TellCatalogueToAll();
  }
  if (options_.apart) EndHalves();
  if (now_ - last_beat_ >= milliseconds(500)) {
    last_beat_ = now_;
    for (const auto& [id, link] : links_) {
      if (!link.ingest_gone && !ingests_[link.ingest]->zombie) ingests_[link.ingest]->Beat(id);
    }
    // The runtime dials again whatever is not linked.
    for (ModelEdge* edge : live_) {
      for (size_t i = 0; i < ingests_.size(); ++i) {
        const bool linked = std::any_of(links_.begin(), links_.end(), [=](const auto& l) {
          return l.second.ingest == i && l.second.edge == edge && !l.second.edge_gone;
        });
        if (!linked && !ingests_[i]->zombie) Connect(i, *edge);
      }
    }
  }
  for (ModelEdge* edge : live_) {
    edge->core.Tick(now_);
    edge->core.EndTurn(now_);
    for (auto& hub : edge->hubs) hub->Tick(now_);
  }
}

// Its bytes are with the transport before the edge has them.
void World::Write(uint64_t id) {
  const Link& link = links_.at(id);
  if (!link.ingest_gone && !ingests_[link.ingest]->zombie) ingests_[link.ingest]->Write(id);
}

void World::Step() {
  switch (random_() % 16) {
    case 0:
    case 1:
      kafka_.Append(random_, Writing());
      if (options_.ephemeral && random_() % 4 == 0) PublishAny();
      break;
    case 2:
    case 3:
    case 4: {
      ModelIngest& ingest = *ingests_[random_() % ingests_.size()];
      if (!ingest.zombie) ingest.Turn(random_, now_, WallUs());
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
      if (!links_.empty() && random_() % 8 == 0) Write(AnyLink());
      break;
    case 10:
      RunLinkTask(AnyEdge());
      break;
    case 11:
    case 12: {
      ModelEdge& edge = AnyEdge();
      RunMail(edge, random_() % edge.workers(), now_);
      break;
    }
    case 13:
      RunCalls(AnyEdge());
      break;
    case 14:
      if (random_() % 4 == 0) ChangeSubscriptions();
      if (options_.slow && random_() % 8 == 0) WriteToClients();
      if (random_() % 20 == 0) Fault();
      break;
    default:
      Advance(milliseconds(random_() % 60));
      break;
  }
  TidyUp();
}

void World::Note(const std::string& what) {
  const auto ms = std::chrono::duration_cast<milliseconds>(now_ - MonoTime(std::chrono::hours(1)));
  trace_.push_back(absl::StrCat("step ", step_, ", ", ms.count(), " ms: ", what));
}

void World::Run() {
  for (; step_ < options_.steps; ++step_) Step();
}

bool World::Quiet() const {
  return std::all_of(live_.begin(), live_.end(), [](const ModelEdge* edge) {
    return edge->link_tasks.empty() && edge->calls.empty() &&
           std::all_of(edge->mail.begin(), edge->mail.end(),
                       [](const auto& mail) { return mail.empty(); });
  });
}

void World::Settle() {
  Note("all faults end");
  MakeAllAnew();
  for (auto& ingest : ingests_) ingest->zombie = ingest->stalled = ingest->shaky = false;
  for (Subscribed& subscribed : clients_) {
    if (subscribed.client->queue != nullptr) subscribed.client->queue->blocked = false;
    if (subscribed.ended || subscribed.client->can_pull) continue;
    subscribed.client->can_pull = true;
    subscribed.hub().OnWritable(subscribed.client.get(), now_);
  }
  // 40 virtual seconds: longer than every timeout of the rules.
  for (int round = 0; round < 800; ++round) {
    for (auto& ingest : ingests_) {
      for (int n = 0; n < 8; ++n) ingest->Turn(random_, now_, WallUs());
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
    for (ModelEdge* edge : live_) RunCalls(*edge);  // answers that became ready
    for (int n = 0; n < 100 && !Quiet(); ++n) {
      for (ModelEdge* edge : live_) {
        RunLinkTask(*edge);
        for (size_t w = 0; w < edge->workers(); ++w) RunMail(*edge, w, now_);
        RunCalls(*edge);
      }
      TidyUp();
    }
    Advance(milliseconds(50));
    TidyUp();
  }
}

}  // namespace spillway::model
