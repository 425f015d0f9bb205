#include "services/edge/control/admin_ops.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/log/log.h"
#include "services/edge/control/admin_merge.h"
#include "services/edge/control/admin_queries.h"
#include "services/edge/control/admin_requests.h"

namespace spillway::edge {
namespace {

// The answer of a node that stopped its workers before they answered.
grpc::Status Stopping() {
  return {grpc::StatusCode::UNAVAILABLE, "this node is shutting down: ask another"};
}

grpc::Status NoConnection(const std::string& id) {
  return {grpc::StatusCode::NOT_FOUND, "there is no connection " + id + ": it may be gone"};
}

struct WorkerStats {
  uint64_t connections = 0;
  uint64_t subscriptions = 0;
  std::vector<std::string> channels;
};

v1::GetStatsResponse StatsOf(const AdminParts& parts, const std::string& version, MonoTime started,
                             std::vector<WorkerStats> workers) {
  v1::GetStatsResponse response;
  absl::flat_hash_set<std::string> channels;  // of all workers, each once
  for (WorkerStats& worker : workers) {
    response.set_connections(response.connections() + worker.connections);
    response.set_subscriptions(response.subscriptions() + worker.subscriptions);
    for (std::string& channel : worker.channels) channels.insert(std::move(channel));
  }
  const AdminTotals totals = parts.totals();
  response.set_version(version);
  response.set_uptime_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(parts.clock.Now() - started).count());
  response.set_channels(channels.size());
  response.set_messages_sent(totals.messages_sent);
  response.set_messages_received(totals.messages_received);
  const std::shared_ptr<const UpstreamStatus> upstream = parts.upstream();
  response.set_events_received(upstream->counters.events + upstream->counters.ephemeral);
  for (const UpstreamStatus::Slot& slot : upstream->slots) {
    v1::AttachmentStats* attachment = response.add_attachments();
    attachment->set_topic(slot.topic);
    attachment->set_partition(slot.partition);
    attachment->set_ingest(slot.ingest);
    attachment->set_upto(slot.taken);
    attachment->set_lag(slot.lag);
  }
  return response;
}

// An operation that asks every worker for a Part and makes one answer of them.
template <typename Part, typename Request, typename Response>
AdminOp<Request, Response> WorkersOp(
    const AdminParts& parts, const char* path, absl::Status (*check)(const Request&),
    std::function<Part(const Request&, SessionRegistry&, HubShard&)> ask,
    std::function<grpc::Status(const Request&, std::vector<Part>, Response*)> answer) {
  AdminOp<Request, Response> op;
  op.path = path;
  op.check = check;
  op.local = [&parts, ask = std::move(ask), answer = std::move(answer)](
                 const Request& request, typename AdminOp<Request, Response>::Done done) {
    // Request and operation live until the answer.
    Gather<Part>::Run(
        parts.workers,
        [&request, &ask](SessionRegistry& sessions, HubShard& hub) {
          return ask(request, sessions, hub);
        },
        [&request, &answer, done = std::move(done)](std::vector<Part> all, bool complete) {
          Response response;
          grpc::Status status = complete ? answer(request, std::move(all), &response) : Stopping();
          done(std::move(status), std::move(response));
        });
  };
  op.merge = [](const Request& request, std::vector<Response> answers, Response* response) {
    MergeNodes(request, std::move(answers), response);
  };
  return op;
}

absl::Status CheckGetStats(const v1::GetStatsRequest&) { return absl::OkStatus(); }

}  // namespace

AdminOps::AdminOps(const AdminParts& parts, const std::string& version) {
  disconnect = WorkersOp<uint64_t, v1::DisconnectRequest, v1::DisconnectResponse>(
      parts, "/spillway.v1.AdminService/Disconnect", CheckDisconnect,
      [](const auto& request, SessionRegistry& sessions, HubShard&) {
        return DisconnectOf(request, sessions);
      },
      [](const auto& request, const std::vector<uint64_t>& all, auto* response) {
        uint64_t count = 0;
        for (uint64_t part : all) count += part;
        if (count == 0 && request.has_connection_id()) return NoConnection(request.connection_id());
        log::Info("admin: connections told to end",
                  {{"connections", count}, {"code", DisconnectCode(request)}});
        response->set_disconnected(count);
        return grpc::Status::OK;
      });
  disconnect.count = [](const auto& response) { return response.disconnected(); };

  broadcast.path = "/spillway.v1.AdminService/Broadcast";
  broadcast.check = [&parts](const v1::BroadcastRequest& request) {
    return BroadcastEvent(request, parts.clock.WallNow()).status();
  };
  broadcast.local = [&parts](const v1::BroadcastRequest& request, auto done) {
    const auto event = BroadcastEvent(request, parts.clock.WallNow());
    Gather<uint64_t>::Run(
        parts.workers,
        // Keeps the event, and so its frames, to the end of each worker's turn.
        [&parts, &request, event = *event](SessionRegistry& sessions, HubShard& hub) {
          return BroadcastTo(request, *event, parts.variants, sessions, hub);
        },
        [done](const std::vector<uint64_t>& all, bool complete) {
          v1::BroadcastResponse response;
          for (uint64_t part : all) response.set_delivered(response.delivered() + part);
          done(complete ? grpc::Status::OK : Stopping(), std::move(response));
        });
  };
  broadcast.merge = [](const auto& request, auto answers, auto* response) {
    MergeNodes(request, std::move(answers), response);
  };
  broadcast.count = [](const auto& response) { return response.delivered(); };

  list_connections =
      WorkersOp<ConnectionPage, v1::ListConnectionsRequest, v1::ListConnectionsResponse>(
          parts, "/spillway.v1.AdminService/ListConnections", CheckListConnections, ConnectionsOf,
          [](const auto& request, std::vector<ConnectionPage> all, auto* response) {
            *response = MergeConnections(request, std::move(all));
            return grpc::Status::OK;
          });
  get_connection = WorkersOp<std::optional<v1::GetConnectionResponse>, v1::GetConnectionRequest,
                             v1::GetConnectionResponse>(
      parts, "/spillway.v1.AdminService/GetConnection", CheckGetConnection,
      [](const auto& request, SessionRegistry& sessions, HubShard&) {
        return ConnectionOf(request, sessions);
      },
      [](const auto& request, auto all, auto* response) {
        for (auto& part : all) {
          if (!part.has_value()) continue;
          *response = *std::move(part);
          return grpc::Status::OK;
        }
        return NoConnection(request.connection_id());
      });
  top_laggards =
      WorkersOp<std::vector<v1::Connection>, v1::TopLaggardsRequest, v1::TopLaggardsResponse>(
          parts, "/spillway.v1.AdminService/TopLaggards", CheckTopLaggards,
          [](const auto& request, SessionRegistry& sessions, HubShard&) {
            return LaggardsOf(request, sessions);
          },
          [](const auto& request, auto all, auto* response) {
            *response = MergeLaggards(request, std::move(all));
            return grpc::Status::OK;
          });
  list_channels = WorkersOp<ChannelPage, v1::ListChannelsRequest, v1::ListChannelsResponse>(
      parts, "/spillway.v1.AdminService/ListChannels", CheckListChannels,
      [](const auto& request, SessionRegistry&, HubShard& hub) { return ChannelsOf(request, hub); },
      [](const auto& request, const auto& all, auto* response) {
        *response = MergeChannels(request, all);
        return grpc::Status::OK;
      });
  get_stats = WorkersOp<WorkerStats, v1::GetStatsRequest, v1::GetStatsResponse>(
      parts, "/spillway.v1.AdminService/GetStats", CheckGetStats,
      [](const auto&, SessionRegistry& sessions, HubShard& hub) {
        WorkerStats stats;
        stats.connections = sessions.size();
        stats.subscriptions = hub.subscription_count();
        hub.ForEachChannel(
            [&](std::string_view name, size_t) { stats.channels.emplace_back(name); });
        return stats;
      },
      [&parts, version, started = parts.clock.Now()](const auto&, std::vector<WorkerStats> all,
                                                     auto* response) {
        *response = StatsOf(parts, version, started, std::move(all));
        return grpc::Status::OK;
      });
}

}  // namespace spillway::edge
