#include "services/edge/control/admin_presence.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/admin_workers_op.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

// Who is on a channel, by name; the empty name: those without one.
using Present = std::map<std::string, uint64_t, std::less<>>;

Present PresentOn(const std::string& channel, const HubShard& hub) {
  Present present;
  // Every subscriber of a hub is a session.
  for (const Subscriber* subscriber : hub.SubscribersOf(channel)) {
    ++present[static_cast<const Session*>(subscriber)->user_id()];
  }
  return present;
}

Present Together(std::vector<Present> parts) {
  Present all;
  for (const Present& part : parts) {
    for (const auto& [user, connections] : part) all[user] += connections;
  }
  return all;
}

v1::PresenceResponse PageOf(const v1::PresenceRequest& request, const Present& present) {
  v1::PresenceResponse page;
  for (auto user = present.begin(); user != present.end(); ++user) {
    if (user->first.empty()) {
      page.set_anonymous(user->second);
    } else if (user->first > request.page_token()) {
      if (static_cast<size_t>(page.users_size()) == PageSize(request.page_size())) {
        page.set_next_page_token(page.users().rbegin()->user_id());
        break;
      }
      v1::PresentUser* one = page.add_users();
      one->set_user_id(user->first);
      one->set_connections(user->second);
    }
  }
  return page;
}

}  // namespace

AdminOp<v1::GetChannelRequest, v1::GetChannelResponse> MakeGetChannel(const AdminParts& parts) {
  auto op = WorkersOp<uint64_t, v1::GetChannelRequest, v1::GetChannelResponse>(
      parts, "/spillway.v1.AdminService/GetChannel", CheckGetChannel,
      [](const auto& request, SessionRegistry&, HubShard& hub) -> uint64_t {
        return hub.SubscribersOf(request.channel()).size();
      },
      [](const auto& request, const std::vector<uint64_t>& all, auto* response) {
        response->mutable_channel()->set_name(request.channel());
        uint64_t subscribers = 0;
        for (uint64_t part : all) subscribers += part;
        response->mutable_channel()->set_subscribers(subscribers);
        return grpc::Status::OK;
      });
  op.count = [](const auto& response) { return response.channel().subscribers(); };
  return op;
}

AdminOp<v1::PresenceRequest, v1::PresenceResponse> MakePresence(const AdminParts& parts) {
  return WorkersOp<Present, v1::PresenceRequest, v1::PresenceResponse>(
      parts, "/spillway.v1.AdminService/Presence", CheckPresence,
      [](const auto& request, SessionRegistry&, HubShard& hub) {
        return PresentOn(request.channel(), hub);
      },
      [](const auto& request, std::vector<Present> all, auto* response) {
        *response = PageOf(request, Together(std::move(all)));
        return grpc::Status::OK;
      });
}

AdminOp<v1::PresenceStatsRequest, v1::PresenceStatsResponse> MakePresenceStats(
    const AdminParts& parts) {
  return WorkersOp<Present, v1::PresenceStatsRequest, v1::PresenceStatsResponse>(
      parts, "/spillway.v1.AdminService/PresenceStats", CheckPresenceStats,
      [](const auto& request, SessionRegistry&, HubShard& hub) {
        return PresentOn(request.channel(), hub);
      },
      [](const auto&, std::vector<Present> all, auto* response) {
        for (const auto& [user, connections] : Together(std::move(all))) {
          response->set_connections(response->connections() + connections);
          if (user.empty()) response->set_anonymous(connections);
          if (!user.empty()) response->set_users(response->users() + 1);
        }
        return grpc::Status::OK;
      });
}

AdminOp<v1::SetLogLevelRequest, v1::SetLogLevelResponse> MakeSetLogLevel() {
  AdminOp<v1::SetLogLevelRequest, v1::SetLogLevelResponse> op;
  op.path = "/spillway.v1.AdminService/SetLogLevel";
  op.check = CheckSetLogLevel;
  op.local = [](const v1::SetLogLevelRequest& request, auto done) {
    v1::SetLogLevelResponse response;
    response.set_previous(std::string(log::LevelName(log::GetLevel())));
    if (!request.dry_run()) log::SetLevel(*log::ParseLevel(request.level()));
    done(grpc::Status::OK, std::move(response));
  };
  op.merge = [](const auto&, std::vector<v1::SetLogLevelResponse> answers, auto* response) {
    response->set_previous(answers.front().previous());
    for (const v1::SetLogLevelResponse& answer : answers) {
      (*response->mutable_previous_by_node())[answer.node_id()] = answer.previous();
    }
  };
  return op;
}

}  // namespace spillway::edge
