#include "services/edge/control/admin_actions.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"
#include "common/log/log.h"
#include "common/net/ip_address.h"
#include "services/edge/control/admin_workers_op.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxPatternChannels = 1'000;
constexpr size_t kBroadcastsATurn = 8;

// Connections of one worker that are to end, turn by turn; by id, since some will end by themselves
// meanwhile.
struct Closing {
  std::vector<std::string> ids;
  size_t next = 0;
  uint16_t code;
  std::string reason;
  std::optional<v1::ReconnectAdvice> advice;

  // When the one whose turn it is may come back; nothing: never.
  std::optional<std::chrono::milliseconds> After() const {
    if (advice->never()) return std::nullopt;
    const double share = static_cast<double>(next) / static_cast<double>(ids.size());
    return std::chrono::milliseconds(
        advice->after_ms() + std::llround(share * static_cast<double>(advice->spread_ms())));
  }
};

void CloseTurn(AdminWorkers& workers, size_t worker, const std::shared_ptr<Closing>& closing,
               SessionRegistry& sessions) {
  for (size_t i = 0; i < kClosesATurn && closing->next < closing->ids.size(); ++i) {
    if (Session* session = sessions.Find(closing->ids[closing->next])) {
      if (closing->advice.has_value()) session->TellClosing(closing->After());
      session->Close(closing->code, closing->reason);
    }
    ++closing->next;
  }
  if (closing->next == closing->ids.size()) return;
  workers.Post(worker, [&workers, worker, closing](SessionRegistry& later, HubShard&) {
    CloseTurn(workers, worker, closing, later);
  });
}

// `label` was checked.
std::vector<Session*> WithLabel(const std::string& label, const SessionRegistry& sessions) {
  const LabelFilter filter = *LabelFilter::Parse(label);
  std::vector<Session*> found = sessions.All();
  std::erase_if(found, [&](const Session* session) { return !filter.Matches(session->labels()); });
  return found;
}

uint64_t Sum(const std::vector<uint64_t>& parts) {
  uint64_t sum = 0;
  for (uint64_t part : parts) sum += part;
  return sum;
}

}  // namespace

std::vector<Session*> TargetsOf(const v1::DisconnectRequest& request,
                                const SessionRegistry& sessions, const HubShard& hub) {
  std::vector<Session*> found;
  switch (request.target_case()) {
    case v1::DisconnectRequest::kConnectionId:
      if (Session* session = sessions.Find(request.connection_id())) found.push_back(session);
      break;
    case v1::DisconnectRequest::kUserId:
      found = sessions.OfUser(request.user_id());
      break;
    case v1::DisconnectRequest::kIp: {
      const IpNetwork network = *IpNetwork::Parse(request.ip());
      for (Session* session : sessions.All()) {
        const auto address = IpAddress::Parse(session->ip());
        if (address.has_value() && network.Contains(*address)) found.push_back(session);
      }
      break;
    }
    case v1::DisconnectRequest::kAll:
      found = sessions.All();
      break;
    case v1::DisconnectRequest::kChannel:
      // Every subscriber of a hub is a session.
      for (Subscriber* subscriber : hub.SubscribersOf(request.channel())) {
        found.push_back(static_cast<Session*>(subscriber));
      }
      break;
    case v1::DisconnectRequest::kEndpoint:
      for (Session* session : sessions.All()) {
        if (session->endpoint().options().path == request.endpoint()) found.push_back(session);
      }
      break;
    case v1::DisconnectRequest::kLabel:
      found = WithLabel(request.label(), sessions);
      break;
    case v1::DisconnectRequest::TARGET_NOT_SET:
      break;
  }
  std::erase_if(found, [](const Session* session) { return session->ending(); });
  return found;
}

AdminOp<v1::DisconnectRequest, v1::DisconnectResponse> MakeDisconnect(const AdminParts& parts) {
  AdminOp<v1::DisconnectRequest, v1::DisconnectResponse> op;
  op.path = "/spillway.v1.AdminService/Disconnect";
  op.check = CheckDisconnect;
  op.local = [&parts](const v1::DisconnectRequest& request, auto done) {
    Gather<uint64_t>::RunOn(
        parts.workers,
        [&parts, &request](size_t worker, SessionRegistry& sessions, HubShard& hub) -> uint64_t {
          const std::vector<Session*> targets = TargetsOf(request, sessions, hub);
          if (request.dry_run()) return targets.size();
          const auto closing = std::make_shared<Closing>();
          closing->code = DisconnectCode(request);
          closing->reason = request.reason();
          if (request.has_reconnect()) closing->advice = request.reconnect();
          for (const Session* target : targets) closing->ids.emplace_back(target->id());
          CloseTurn(parts.workers, worker, closing, sessions);
          return targets.size();
        },
        [&request, done](const std::vector<uint64_t>& all, bool complete) {
          v1::DisconnectResponse response;
          response.set_disconnected(Sum(all));
          if (!complete) return done(Stopping(), std::move(response));
          if (response.disconnected() == 0 && request.has_connection_id()) {
            return done(NoConnection(request.connection_id()), std::move(response));
          }
          log::Info("admin: connections told to end",
                    {{"connections", response.disconnected()}, {"code", DisconnectCode(request)}});
          done(grpc::Status::OK, std::move(response));
        });
  };
  op.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  op.count = [](const auto& response) { return response.disconnected(); };
  return op;
}

uint64_t BroadcastTo(const Broadcast& broadcast, bool dry_run, const VariantTable& variants,
                     SessionRegistry& sessions, HubShard& hub, std::vector<Ref<EdgeEvent>>* kept) {
  const v1::BroadcastRequest& request = *broadcast.request;
  std::vector<Session*> targets;
  if (request.all()) targets = sessions.All();
  if (!request.label().empty()) targets = WithLabel(request.label(), sessions);
  for (const std::string& user : request.users()) {
    const std::vector<Session*> of_user = sessions.OfUser(user);
    targets.insert(targets.end(), of_user.begin(), of_user.end());
  }
  if (request.all() || request.users_size() > 0 || !request.label().empty()) {
    if (dry_run) return targets.size();
    for (Session* session : targets) {
      session->SendFrame(*variants.FrameOf(*broadcast.event, 0, session->variant()), nullptr);
    }
    return targets.size();
  }
  std::vector<std::string> channels(request.channels().begin(), request.channels().end());
  Ref<EdgeEvent> event = broadcast.event;
  if (!request.pattern().empty()) {
    const ChannelPattern pattern = *ChannelPattern::Parse(request.pattern());
    hub.ForEachChannel([&](std::string_view name, size_t) {
      if (channels.size() < kMaxPatternChannels && pattern.Matches(name) &&
          IsValidChannelName(name)) {  // what is subscribed to may be a pattern itself
        channels.emplace_back(name);
      }
    });
    if (channels.empty()) return 0;
    wire::EventView view = broadcast.event->view();
    view.channels.clear();
    for (const std::string& channel : channels) view.channels.push_back(channel);
    event = EdgeEvent::Make(view, kNoSlot);
    kept->push_back(event);
  }
  return dry_run ? hub.BroadcastTargets(*event) : hub.Broadcast(*event);
}

namespace {

// Events, and what each worker made of them: kept to the end of the workers' turns.
struct Batch {
  std::vector<Broadcast> broadcasts;
  std::vector<std::vector<Ref<EdgeEvent>>> kept;
  bool dry_run = false;
};

using Delivered = std::vector<uint64_t>;

using SendDone = std::function<void(const Delivered& delivered, bool complete)>;

// Whether it looks at all sessions, or all channels, of a worker.
bool IsWide(const v1::BroadcastRequest& request) {
  return request.all() || !request.label().empty() || !request.pattern().empty();
}

// Behind the last of those that go in one turn of each worker, so that others are served between: a
// few, or a single wide one.
size_t TurnEnd(const std::vector<Broadcast>& broadcasts, size_t first) {
  if (IsWide(*broadcasts[first].request)) return first + 1;
  size_t end = first;
  while (end < broadcasts.size() && end - first < kBroadcastsATurn &&
         !IsWide(*broadcasts[end].request)) {
    ++end;
  }
  return end;
}

// Turn after turn. `sum`: of those before.
void Send(const AdminParts& parts, const std::shared_ptr<Batch>& batch, Delivered sum,
          SendDone done) {
  batch->kept.resize(parts.workers.count());
  const size_t first = sum.size();
  const size_t end = TurnEnd(batch->broadcasts, first);
  Gather<Delivered>::RunOn(
      parts.workers,
      [&parts, batch, first, end](size_t worker, SessionRegistry& sessions, HubShard& hub) {
        Delivered delivered;
        for (size_t i = first; i < end; ++i) {
          delivered.push_back(BroadcastTo(batch->broadcasts[i], batch->dry_run, parts.variants,
                                          sessions, hub, &batch->kept[worker]));
        }
        return delivered;
      },
      [&parts, batch, first, end, sum = std::move(sum), done = std::move(done)](
          const std::vector<Delivered>& all, bool complete) {
        Delivered so_far = sum;
        so_far.resize(end);
        for (const Delivered& part : all) {
          for (size_t i = 0; i < part.size(); ++i) so_far[first + i] += part[i];
        }
        if (!complete || end == batch->broadcasts.size()) {
          so_far.resize(batch->broadcasts.size());
          return done(so_far, complete);
        }
        Send(parts, batch, std::move(so_far), done);
      });
}

}  // namespace

AdminOp<v1::BroadcastRequest, v1::BroadcastResponse> MakeBroadcast(const AdminParts& parts) {
  AdminOp<v1::BroadcastRequest, v1::BroadcastResponse> op;
  op.path = "/spillway.v1.AdminService/Broadcast";
  op.check = [&parts](const v1::BroadcastRequest& request) {
    return BroadcastOf(request, parts.clock.WallNow()).status();
  };
  op.local = [&parts](const v1::BroadcastRequest& request, auto done) {
    const auto batch = std::make_shared<Batch>();
    batch->broadcasts.push_back(*BroadcastOf(request, parts.clock.WallNow()));
    batch->dry_run = request.dry_run();
    Send(parts, batch, {}, [done](const Delivered& delivered, bool complete) {
      v1::BroadcastResponse response;
      response.set_delivered(delivered[0]);
      done(complete ? grpc::Status::OK : Stopping(), std::move(response));
    });
  };
  op.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  op.count = [](const auto& response) { return response.delivered(); };
  return op;
}

AdminOp<v1::BroadcastBatchRequest, v1::BroadcastBatchResponse> MakeBroadcastBatch(
    const AdminParts& parts) {
  AdminOp<v1::BroadcastBatchRequest, v1::BroadcastBatchResponse> op;
  op.path = "/spillway.v1.AdminService/BroadcastBatch";
  op.check = [&parts](const v1::BroadcastBatchRequest& request) {
    return CheckBroadcastBatch(request, parts.clock.WallNow());
  };
  op.local = [&parts](const v1::BroadcastBatchRequest& request, auto done) {
    const auto batch = std::make_shared<Batch>();
    for (const v1::BroadcastRequest& one : request.broadcasts()) {
      batch->broadcasts.push_back(*BroadcastOf(one, parts.clock.WallNow()));
    }
    batch->dry_run = request.dry_run();
    Send(parts, batch, {}, [done](const Delivered& delivered, bool complete) {
      v1::BroadcastBatchResponse response;
      for (uint64_t one : delivered) response.add_delivered(one);
      done(complete ? grpc::Status::OK : Stopping(), std::move(response));
    });
  };
  op.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  return op;
}

bool SubscribeHere(const v1::SubscribeRequest& request, bool subscribe, SessionRegistry& sessions,
                   const HubShard& hub, uint64_t* changed) {
  std::vector<Session*> targets;
  if (request.has_connection_id()) {
    Session* session = sessions.Find(request.connection_id());
    if (session == nullptr) return false;
    targets.push_back(session);
  } else {
    targets = sessions.OfUser(request.user_id());
  }
  for (Session* session : targets) {
    for (const std::string& channel : request.channels()) {
      if (request.dry_run()) {
        *changed += hub.IsSubscribed(session, channel) != subscribe ? 1 : 0;
      } else {
        *changed += (subscribe ? session->SubscribeByOperator(channel)
                               : session->UnsubscribeByOperator(channel))
                        ? 1
                        : 0;
      }
    }
  }
  return true;
}

AdminOp<v1::SubscribeRequest, v1::SubscribeResponse> MakeSubscribe(const AdminParts& parts,
                                                                   bool subscribe) {
  using Part = std::optional<uint64_t>;
  auto op = WorkersOp<Part, v1::SubscribeRequest, v1::SubscribeResponse>(
      parts,
      subscribe ? "/spillway.v1.AdminService/Subscribe" : "/spillway.v1.AdminService/Unsubscribe",
      CheckSubscribe,
      [subscribe](const auto& request, SessionRegistry& sessions, HubShard& hub) -> Part {
        uint64_t changed = 0;
        if (!SubscribeHere(request, subscribe, sessions, hub, &changed)) return std::nullopt;
        return changed;
      },
      [](const auto& request, const std::vector<Part>& all, auto* response) {
        bool found = false;
        for (const Part& part : all) {
          found = found || part.has_value();
          response->set_changed(response->changed() + part.value_or(0));
        }
        return found ? grpc::Status::OK : NoConnection(request.connection_id());
      });
  op.count = [](const auto& response) { return response.changed(); };
  return op;
}

}  // namespace spillway::edge
