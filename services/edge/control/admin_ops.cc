#include "services/edge/control/admin_ops.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/edge/control/admin_actions.h"
#include "services/edge/control/admin_presence.h"
#include "services/edge/control/admin_queries.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/admin_workers_op.h"
#include "services/edge/control/event_stream.h"

namespace spillway::edge {
namespace {

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

// Tells those who watch of calls that change something.
template <typename Request, typename Response>
void AuditCalls(EventBus& events, AdminOp<Request, Response>* op) {
  op->audit = [&events, method = std::string(op->path)](
                  const Request& request, const grpc::Status& outcome, const rpc::Caller& caller) {
    if (!events.wanted(v1::EVENT_CATEGORY_ADMIN)) return;
    Audit(events, method.substr(method.rfind('/') + 1), request, outcome, caller);
  };
}

absl::Status CheckGetStats(const v1::GetStatsRequest&) { return absl::OkStatus(); }

}  // namespace

AdminOps::AdminOps(const AdminParts& parts, const std::string& version) {
  disconnect = MakeDisconnect(parts);
  broadcast = MakeBroadcast(parts);
  broadcast_batch = MakeBroadcastBatch(parts);
  subscribe = MakeSubscribe(parts, /*subscribe=*/true);
  unsubscribe = MakeSubscribe(parts, /*subscribe=*/false);
  get_channel = MakeGetChannel(parts);
  presence = MakePresence(parts);
  presence_stats = MakePresenceStats(parts);
  set_log_level = MakeSetLogLevel();
  for (auto* op : {&subscribe, &unsubscribe}) AuditCalls(parts.events, op);
  AuditCalls(parts.events, &disconnect);
  AuditCalls(parts.events, &broadcast);
  AuditCalls(parts.events, &broadcast_batch);
  AuditCalls(parts.events, &set_log_level);

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
