#include "services/ingest/link/link_hub.h"

#include <map>
#include <string_view>
#include <utility>

#include "common/channel/channel_hash.h"
#include "common/log/log.h"

namespace spillway::ingest {

LinkHub::LinkHub(Options options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

LinkHub::~LinkHub() { Stop(); }

void LinkHub::StartBeats() {
  beats_ = std::thread([this] { RunBeats(); });
  if (options_.session.interval.count() > 0) pacer_.Start();
}

void LinkHub::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (beats_.joinable()) beats_.join();
  std::vector<Session> all;
  {
    MutexLock lock(mutex_);
    all = AllLocked();
    for (const auto& [id, silent] : silent_) all.push_back(silent.session);
  }
  for (const Session& session : all) {
    session->Close({grpc::StatusCode::UNAVAILABLE, "this ingest is stopping"});
  }
  pacer_.Stop();  // after what is held back was given up
}

LinkHub::Session LinkHub::Find(LinkId link) const {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(link);
  return found == sessions_.end() ? nullptr : found->second;
}

std::vector<LinkHub::Session> LinkHub::All() const {
  MutexLock lock(mutex_);
  return AllLocked();
}

std::vector<LinkHub::Session> LinkHub::AllLocked() const {
  std::vector<Session> all;
  all.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) all.push_back(session);
  return all;
}

LinkSession* LinkHub::Accept(grpc::CallbackServerContext* context) {
  Session session;
  bool refused = false;
  {
    MutexLock lock(mutex_);
    session = LinkSession::Make(
        next_link_++,
        {.limits = options_.session, .handler = *this, .clock = clock_, .pacer = pacer_}, context);
    refused = silent_.size() >= options_.max_links;
    if (refused) {
      ++counters_.refused;
    } else {
      silent_[session->id()] = {session, clock_.Now()};
    }
  }
  session->Start();
  if (refused) {
    session->Close({grpc::StatusCode::RESOURCE_EXHAUSTED,
                    "too many calls wait to say Hello (ingest.limits.max_links)"});
  }
  return session.get();
}

void LinkHub::EndSilent() {
  std::vector<Session> late;
  {
    MutexLock lock(mutex_);
    const MonoTime now = clock_.Now();
    for (const auto& [id, silent] : silent_) {
      if (now - silent.since >= options_.hello_timeout) late.push_back(silent.session);
    }
  }
  for (const Session& session : late) {
    session->Close({grpc::StatusCode::DEADLINE_EXCEEDED, "no Hello came"});
  }
}

grpc::Status LinkHub::OnHello(const Session& session, const v1::EdgeHello& hello) {
  if (hello.protocol() != 1) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "this ingest speaks link protocol 1"};
  }
  v1::LinkResponse greeting;
  *greeting.mutable_hello() = options_.hello;
  {
    MutexLock lock(mutex_);
    silent_.erase(session->id());
    if (stopping_) return {grpc::StatusCode::UNAVAILABLE, "this ingest is stopping"};
    if (sessions_.size() >= options_.max_links) {
      ++counters_.refused;
      return {grpc::StatusCode::RESOURCE_EXHAUSTED,
              "this ingest has all the links it may have (ingest.limits.max_links)"};
    }
    sessions_[session->id()] = session;
    ++counters_.opened;
    greeting.mutable_hello()->mutable_addresses()->set_ops_address(ops_address_);
  }
  for (size_t shard = 0; shard < shards_->size(); ++shard) {
    shards_->Post(shard, [id = session->id()](ShardCore& core, MonoTime) { core.OpenLink(id); });
  }
  session->Greet(greeting);
  TellCatalogue({session});  // as it is now: what was told before the greeting was dropped
  log::Info("an edge has linked", {{"edge", hello.node_id()}, {"link", session->id()}});
  TellMembership();
  if (control_state_) {
    // It is among the sessions: what changes from here on is told to it, too.
    for (v1::Control& piece : control_state_()) {
      v1::LinkResponse response;
      *response.mutable_control() = std::move(piece);
      session->SendControl(response);
    }
  }
  return grpc::Status::OK;
}

void LinkHub::TellControl(const v1::Control& control) {
  v1::LinkResponse response;
  *response.mutable_control() = control;
  for (const Session& session : All()) session->SendControl(response);
}

void LinkHub::OnRequest(LinkSession& session, const v1::LinkRequest& request) {
  const LinkId id = session.id();
  switch (request.message_case()) {
    case v1::LinkRequest::kInterest: {
      // Shared: with many shards and a large interest a copy for each would be felt.
      const auto interest = std::make_shared<const v1::Interest>(request.interest());
      for (size_t shard = 0; shard < shards_->size(); ++shard) {
        shards_->Post(
            shard, [id, interest](ShardCore& core, MonoTime) { core.OnInterest(id, *interest); });
      }
      break;
    }
    case v1::LinkRequest::kAttach:
      shards_->Post(shards_->ShardOf(request.attach().slot()),
                    [id, attach = request.attach()](ShardCore& core, MonoTime now) {
                      core.OnAttach(id, attach, now);
                    });
      break;
    case v1::LinkRequest::kDetach:
      shards_->Post(shards_->ShardOf(request.detach().slot()),
                    [id, detach = request.detach()](ShardCore& core, MonoTime now) {
                      core.OnDetach(id, detach, now);
                    });
      break;
    case v1::LinkRequest::kPrepare:
      shards_->Post(shards_->ShardOf(request.prepare().slot()),
                    [id, prepare = request.prepare()](ShardCore& core, MonoTime now) {
                      core.OnPrepare(id, prepare, now);
                    });
      break;
    case v1::LinkRequest::kState:
      if (session.SetDraining(request.state().draining())) TellMembership();
      break;
    case v1::LinkRequest::kHello:
      session.Close({grpc::StatusCode::FAILED_PRECONDITION, "Hello comes once"});
      break;
    case v1::LinkRequest::kCredit:          // the session's own
    case v1::LinkRequest::MESSAGE_NOT_SET:  // from an edge of a later version
      break;
  }
}

void LinkHub::OnBatchTaken(LinkId link, size_t shard) {
  shards_->Post(shard, [link](ShardCore& core, MonoTime) { core.OnBatchTaken(link); });
}

void LinkHub::OnAnswersOverflow(LinkSession& session) {
  log::Warn("an edge is cut",
            {{"edge", session.hello().node_id()}, {"reason", "it does not take its answers"}});
  MutexLock lock(mutex_);
  ++counters_.answers_overflowed;
}

void LinkHub::OnClosed(LinkSession& session) {
  const LinkId id = session.id();
  {
    MutexLock lock(mutex_);
    counters_.ephemeral_dropped += session.ephemeral_dropped();
    silent_.erase(id);
    if (sessions_.erase(id) == 0) return;  // it never got as far as Hello
  }
  for (size_t shard = 0; shard < shards_->size(); ++shard) {
    shards_->Post(shard, [id](ShardCore& core, MonoTime now) { core.CloseLink(id, now); });
  }
  log::Info("a link has ended", {{"edge", session.hello().node_id()}, {"link", id}});
  TellMembership();
}

void LinkHub::SetCatalogue(v1::Catalogue catalogue) {
  {
    MutexLock lock(mutex_);
    catalogue_ = std::move(catalogue);
    ++catalogue_version_;
  }
  TellCatalogue(All());
}

void LinkHub::TellCatalogue(const std::vector<Session>& sessions) {
  v1::LinkResponse response;
  uint64_t version = 0;
  {
    MutexLock lock(mutex_);
    *response.mutable_catalogue() = catalogue_;
    version = catalogue_version_;
  }
  for (const Session& session : sessions) {
    session->SendWhole(LinkOutbox::Whole::kCatalogue, version, response);
  }
}

void LinkHub::SetKafka(bool up, std::string error) {
  {
    MutexLock lock(mutex_);
    if (up == kafka_up_ && error == kafka_error_) return;
    kafka_up_ = up;
    kafka_error_ = std::move(error);
  }
  Beat();  // edges learn of it now, not with the next beat
}

void LinkHub::SetOpsAddress(std::string address) {
  {
    MutexLock lock(mutex_);
    ops_address_ = std::move(address);
  }
  TellMembership();
}

void LinkHub::TellMembership() {
  v1::LinkResponse response;
  v1::Node* self = response.mutable_membership()->add_nodes();
  self->set_node_id(options_.hello.node_id());
  self->set_kind(v1::NODE_KIND_INGEST);
  v1::NodeAddresses* const addresses = self->mutable_addresses();
  *addresses = options_.hello.addresses();
  self->set_version(options_.hello.version());
  std::vector<Session> all;
  uint64_t version = 0;
  {
    MutexLock lock(mutex_);
    all = AllLocked();
    version = ++membership_version_;
    addresses->set_ops_address(ops_address_);
  }
  // An edge that has come back may have a link of before, which has yet to end: the newest counts.
  std::map<std::string_view, const LinkSession*> newest;
  for (const Session& session : all) {
    const LinkSession*& known = newest[session->hello().node_id()];
    if (known == nullptr || known->id() < session->id()) known = session.get();
  }
  for (const auto& [node_id, session] : newest) {
    v1::Node* node = response.mutable_membership()->add_nodes();
    node->set_node_id(session->hello().node_id());
    node->set_kind(v1::NODE_KIND_EDGE);
    *node->mutable_addresses() = session->hello().addresses();
    node->set_version(session->hello().version());
    node->set_draining(session->draining());
  }
  for (const Session& session : all) {
    session->SendWhole(LinkOutbox::Whole::kMembership, version, response);
  }
}

void LinkHub::Beat() {
  v1::Beat common;
  common.set_time_us(ToUnixMicros(clock_.WallNow()));
  {
    MutexLock lock(mutex_);
    common.set_kafka_up(kafka_up_);
    common.set_kafka_error(kafka_error_);
  }
  for (const Session& session : All()) {
    v1::LinkResponse response;
    *response.mutable_beat() = common;
    session->FillBeat(response.mutable_beat());
    session->SendBeat(response);
  }
}

void LinkHub::RunBeats() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!stopping_) wake_.WaitFor(mutex_, options_.beat_interval);
      if (stopping_) return;
    }
    Beat();
    EndSilent();
  }
}

uint32_t LinkHub::PublishEphemeral(const v1::Event& event) {
  std::vector<uint64_t> hashes;
  for (const std::string& channel : event.channels()) hashes.push_back(ChannelHash(channel));
  const std::vector<std::string_view> names(event.channels().begin(), event.channels().end());
  const std::string bytes = event.SerializeAsString();
  uint32_t edges = 0;
  for (const Session& session : All())
    edges += session->SendEphemeral(bytes, hashes, names) ? 1 : 0;
  return edges;
}

LinkHub::Counters LinkHub::counters() const {
  Counters counters;
  {
    MutexLock lock(mutex_);
    counters = counters_;
    counters.links = sessions_.size();
  }
  for (const Session& session : All()) {
    counters.queued_bytes += session->queued_bytes();
    counters.ephemeral_dropped += session->ephemeral_dropped();
  }
  return counters;
}

void LinkHub::SendBatch(LinkId link, size_t shard, std::string batch) {
  if (const Session session = Find(link); session != nullptr) {
    session->SendBatch(shard, std::move(batch));
  }
}

void LinkHub::SendAnswer(LinkId link, v1::LinkResponse answer) {
  if (const Session session = Find(link); session != nullptr) session->Send(answer);
}

void LinkHub::SetReaderStates(LinkId link, size_t shard, std::vector<v1::ReaderBeat> states) {
  if (const Session session = Find(link); session != nullptr) {
    session->SetReaderStates(shard, std::move(states));
  }
}

void LinkHub::Cut(LinkId link, std::string_view reason) {
  const Session session = Find(link);
  if (session == nullptr) return;
  log::Warn("an edge is cut", {{"edge", session->hello().node_id()}, {"reason", reason}});
  {
    MutexLock lock(mutex_);
    ++counters_.cut;
  }
  session->Close({grpc::StatusCode::RESOURCE_EXHAUSTED, std::string(reason)});
}

void LinkHub::ReadDone(uint64_t read_id, size_t shard, ReadResult result) {
  reads_->ReadDone(read_id, shard, std::move(result));
}

}  // namespace spillway::ingest
