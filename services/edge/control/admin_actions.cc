#include "services/edge/control/admin_actions.h"

#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "common/log/log.h"
#include "common/net/ip_address.h"
#include "services/edge/control/admin_queries.h"
#include "services/edge/control/admin_workers_op.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

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

uint64_t Sum(const std::vector<uint64_t>& parts) {
  uint64_t sum = 0;
  for (uint64_t part : parts) sum += part;
  return sum;
}

}  // namespace

void CloseInTurns(AdminWorkers& workers, size_t worker, const v1::DisconnectRequest& request,
                  const std::vector<Session*>& targets, SessionRegistry& sessions) {
  const auto closing = std::make_shared<Closing>();
  closing->code = DisconnectCode(request);
  closing->reason = request.reason();
  if (request.has_reconnect()) closing->advice = request.reconnect();
  for (const Session* target : targets) closing->ids.emplace_back(target->id());
  CloseTurn(workers, worker, closing, sessions);
}

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
    case v1::DisconnectRequest::kIp:
      found = SessionsFrom(*IpNetwork::Parse(request.ip()), sessions);
      break;
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
      found = SessionsWithLabel(request.label(), sessions);
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
          if (!request.dry_run()) CloseInTurns(parts.workers, worker, request, targets, sessions);
          return targets.size();
        },
        [&request, done](const std::vector<uint64_t>& all, bool complete) {
          v1::DisconnectResponse response;
          response.set_disconnected(Sum(all));
          if (!complete) return done(Stopping(), std::move(response));
          if (response.disconnected() == 0 && request.has_connection_id()) {
            return done(NoConnection(request.connection_id()), std::move(response));
          }
          if (!request.dry_run()) {
            log::Info("admin: connections told to end", {{"connections", response.disconnected()},
                                                         {"code", DisconnectCode(request)}});
          }
          done(grpc::Status::OK, std::move(response));
        });
  };
  op.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  op.count = [](const auto& response) { return response.disconnected(); };
  return op;
}

std::optional<Subscribed> SubscribeHere(const v1::SubscribeRequest& request, bool subscribe,
                                        SessionRegistry& sessions) {
  std::vector<Session*> targets;
  if (request.has_connection_id()) {
    Session* session = sessions.Find(request.connection_id());
    if (session == nullptr) return std::nullopt;
    targets.push_back(session);
  } else {
    targets = sessions.OfUser(request.user_id());
  }
  std::vector<std::string_view> channels;  // in their order, each once
  absl::flat_hash_set<std::string_view> seen;
  for (const std::string& channel : request.channels()) {
    if (seen.insert(channel).second) channels.push_back(channel);
  }
  Subscribed all;
  for (Session* session : targets) {
    size_t changed = 0;
    for (const std::string_view channel : channels) {
      Session::ByOperator done;
      if (request.dry_run()) {
        done =
            subscribe ? session->CanSubscribe(channel, changed) : session->CanUnsubscribe(channel);
      } else {
        done = subscribe ? session->SubscribeByOperator(channel)
                         : session->UnsubscribeByOperator(channel);
      }
      changed += done == Session::ByOperator::kDone ? 1 : 0;
      all.refused += done == Session::ByOperator::kTooMany ? 1 : 0;
    }
    all.changed += changed;
  }
  return all;
}

AdminOp<v1::SubscribeRequest, v1::SubscribeResponse> MakeSubscribe(const AdminParts& parts,
                                                                   bool subscribe) {
  using Part = std::optional<Subscribed>;
  auto op = WorkersOp<Part, v1::SubscribeRequest, v1::SubscribeResponse>(
      parts,
      subscribe ? "/spillway.v1.AdminService/Subscribe" : "/spillway.v1.AdminService/Unsubscribe",
      CheckSubscribe,
      [subscribe](const auto& request, SessionRegistry& sessions, HubShard&) {
        return SubscribeHere(request, subscribe, sessions);
      },
      [](const auto& request, const std::vector<Part>& all, auto* response) {
        bool found = false;
        for (const Part& part : all) {
          found = found || part.has_value();
          const Subscribed here = part.value_or(Subscribed());
          response->set_changed(response->changed() + here.changed);
          response->set_refused(response->refused() + here.refused);
        }
        return found ? grpc::Status::OK : NoConnection(request.connection_id());
      });
  op.count = [](const auto& response) { return response.changed(); };
  return op;
}

}  // namespace spillway::edge
