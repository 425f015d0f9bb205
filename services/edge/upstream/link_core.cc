#include "services/edge/upstream/link_core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/erase_if.h"

namespace spillway::edge {
namespace {

// How long a channel's compressed frames are made ahead after a worker asked for one.
constexpr std::chrono::seconds kForgetWanted{60};

}  // namespace

LinkCore::LinkCore(Options options, VariantTable& variants, LinkCoreSink& sink, uint64_t seed)
    : options_(std::move(options)),
      variants_(variants),
      sink_(sink),
      random_(seed),
      kept_histories_(options_.kept_histories),
      next_attach_id_(options_.first_attach_id) {}

LinkCore::~LinkCore() = default;

LinkState* LinkCore::FindLink(LinkId link) {
  const auto found = links_.find(link);
  return found == links_.end() ? nullptr : found->second.get();
}

void LinkCore::OnLinkUp(LinkId id, MonoTime now) {
  auto& link = links_[id];
  link = std::make_unique<LinkState>();
  link->id = id;
  link->up_since = link->last_beat = now;
  v1::LinkRequest request;
  v1::EdgeHello* hello = request.mutable_hello();
  hello->set_node_id(options_.node_id);
  hello->set_protocol(1);
  hello->set_version(options_.version);
  *hello->mutable_addresses() = options_.addresses;
  hello->set_credit_bytes(options_.credit_bytes);
  hello->mutable_state()->set_draining(draining_);
  sink_.Send(id, std::move(request));
}

void LinkCore::SetDraining(bool draining) {
  if (std::exchange(draining_, draining) == draining) return;
  for (const auto& [id, link] : links_) {
    v1::LinkRequest request;
    request.mutable_state()->set_draining(draining_);
    sink_.Send(id, std::move(request));
  }
}

void LinkCore::OnLinkDown(LinkId id, MonoTime now) {
  LinkState* link = FindLink(id);
  if (link == nullptr) return;
  sink_.Report("link_lost", link->node_id);
  DropLink(*link, now);
}

void LinkCore::DropLink(LinkState& dropped, MonoTime now) {
  const LinkId id = dropped.id;
  if (!dropped.node_id.empty()) gone_[dropped.node_id] = now;
  if (dropped.greeted) {
    LoseEphemeral(now);  // with what was on its way
    if (sink_.cluster() != nullptr) sink_.cluster()->OnIngestGone(dropped.node_id);
  }
  links_.erase(id);
  for (auto& slot : slots_) {
    if (slot == nullptr) continue;
    slot->avoid_until.erase(id);
    if (slot->moving_to == id) slot->moving_to = 0;
    if (slot->phase != SlotState::Phase::kUnattached && slot->link == id) {
      ++counters_.failovers;
      Unattach(*slot, now);
    }
  }
  for (const auto& channel : interests_) {
    EraseIf(&channel->sequences, [id](const auto& entry) { return entry.first == id; });
  }
  DropReads(id, now);  // asked again of whoever takes over
  AttachAll(now);
}

// Ingests that did not come back: what only they knew is gone with them.
void LinkCore::ForgetGone(MonoTime now) {
  bool forgot = false;
  for (auto node = gone_.begin(); node != gone_.end();) {
    if (now - node->second < options_.slot_linger) {
      ++node;
      continue;
    }
    for (auto& slot : slots_) {
      if (slot != nullptr) slot->told_by.erase(node->first);
    }
    gone_.erase(node++);
    forgot = true;
  }
  if (forgot) DropUnknownSlots(now);
}

void LinkCore::OnMessage(LinkId id, std::string_view message, MonoTime now) {
  LinkState* link = FindLink(id);
  if (link == nullptr) return;  // closed meanwhile
  if (const auto batch = wire::BatchOfLinkResponse(message); batch.has_value()) {
    OnBatch(*link, *batch, now);
    return;
  }
  v1::LinkResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    ++counters_.malformed;
    sink_.CloseLink(id, LinkEnd::kMalformed);
    DropLink(*link, now);
    return;
  }
  if (!link->greeted && response.message_case() != v1::LinkResponse::kHello) {
    return;  // an ingest's first word is Hello
  }
  switch (response.message_case()) {
    case v1::LinkResponse::kHello:
      OnHello(*link, response.hello(), now);
      break;
    case v1::LinkResponse::kCatalogue:
      OnCatalogue(*link, response.catalogue(), now);
      break;
    case v1::LinkResponse::kBatch:
      OnBatch(*link, response.batch().SerializeAsString(), now);
      break;
    case v1::LinkResponse::kBatchPart:
      OnPart(*link, response.batch_part(), now);
      break;
    case v1::LinkResponse::kAttached:
      OnAttached(*link, response.attached(), now);
      break;
    case v1::LinkResponse::kAttachRefused:
      OnRefused(*link, response.attach_refused(), now);
      break;
    case v1::LinkResponse::kBeat:
      OnBeat(*link, response.beat(), now);
      break;
    case v1::LinkResponse::kEphemeral:
      OnEphemeral(*link, response.ephemeral(), message.size(), now);
      break;
    case v1::LinkResponse::kPrepared:
      OnPrepared(*link, response.prepared(), now);
      break;
    case v1::LinkResponse::kMembership:
      if (sink_.cluster() != nullptr) {
        sink_.cluster()->OnMembership(link->node_id, response.membership());
      }
      break;
    case v1::LinkResponse::kControl:
      if (sink_.cluster() != nullptr) sink_.cluster()->OnControl(link->node_id, response.control());
      break;
    case v1::LinkResponse::MESSAGE_NOT_SET:
      break;  // an ingest of a later version may say more than this edge understands
  }
}

void LinkCore::OnBatchReleased(LinkId id, size_t bytes) {
  LinkState* link = FindLink(id);
  if (link == nullptr) return;
  link->owed_credit += static_cast<int64_t>(bytes);
  // Granted in steps: a message for every batch would double the traffic of a quiet link.
  if (link->owed_credit < options_.credit_bytes / 8) return;
  v1::LinkRequest request;
  request.mutable_credit()->set_bytes(link->owed_credit);
  link->owed_credit = 0;
  sink_.Send(id, std::move(request));
}

void LinkCore::Tick(MonoTime now) {
  std::vector<LinkId> dead;
  for (const auto& [id, link] : links_) {
    if (now - link->last_beat >= options_.beat_timeout) dead.push_back(id);
  }
  for (LinkId id : dead) {
    LinkState& link = *links_.at(id);
    sink_.Report("link_silent", link.node_id);
    sink_.CloseLink(id, LinkEnd::kSilent);
    DropLink(link, now);
  }
  ForgetGone(now);
  CheckReaders(now);
  AttachAll(now);
  CheckMoves(now);
  ExpireInterest(now);
  RetryReads(now);
  TellEphemeralGap(now);
  if (now >= forget_wanted_) {
    variants_.ForgetWanted();
    forget_wanted_ = now + kForgetWanted;
  }
}

UpstreamStatus LinkCore::Status(MonoTime now) const {
  UpstreamStatus status;
  status.catalogue_complete = catalogue_complete_;
  status.interests = interests_.size();
  status.patterns = patterns_.size();
  status.patterns_forgotten = patterns_.forgotten();
  status.reads_under_way = calls_.size();
  status.reads_waiting = waiting_reads_.size() + later_reads_.size();
  status.counters = counters_;
  for (const auto& [id, link] : links_) {
    status.links.push_back(
        {link->node_id, link->greeted, link->kafka_up, link->kafka_error, link->interest_in_force});
    status.kafka_up = status.kafka_up || (link->greeted && link->kafka_up);
    for (const auto& problem : link->problems) {
      if (std::find(status.problems.begin(), status.problems.end(), problem) ==
          status.problems.end()) {
        status.problems.push_back(problem);
      }
    }
  }
  for (const auto& slot : slots_) {
    if (slot == nullptr) continue;
    UpstreamStatus::Slot& entry = status.slots.emplace_back();
    entry.topic = slot->entry->topic;
    entry.partition = slot->entry->partition;
    entry.taken = slot->taken;
    entry.lag = slot->lag;
    entry.stalled = slot->reader == v1::READER_STATE_STALLED;
    if (entry.stalled) entry.reason = slot->stall_reason;
    if (slot->unread_since.has_value()) {
      entry.unread_ms =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - *slot->unread_since).count();
    }
    entry.attached = slot->phase == SlotState::Phase::kAttached;
    entry.served = std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
      return link.second->numbers.contains(slot->number());
    });
    if (!entry.attached) {
      entry.unattached_ms =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - slot->unattached_since)
              .count();
    }
    const auto link = links_.find(slot->link);
    if (entry.attached && link != links_.end()) entry.ingest = link->second->node_id;
  }
  return status;
}

}  // namespace spillway::edge
