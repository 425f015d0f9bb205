#include "services/edge/control/admin_service.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/log/log.h"
#include "common/rpc/status.h"
#include "services/edge/control/admin_queries.h"
#include "services/edge/control/admin_requests.h"
#include "spillway/v1/admin.grpc.pb.h"

namespace spillway::edge {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

ServerUnaryReactor* Refuse(CallbackServerContext* context, const absl::Status& status) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpcStatus(status));
  return reactor;
}

// The answer of a node that stopped its workers before they answered.
grpc::Status Stopping() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "this node is shutting down: ask another");
}

struct WorkerStats {
  uint64_t connections = 0;
  uint64_t subscriptions = 0;
  std::vector<std::string> channels;
};

}  // namespace

class AdminService::Impl final : public v1::AdminService::CallbackService {
 public:
  Impl(Options options, AdminWorkers& workers, const VariantTable& variants,
       UpstreamStatusOf upstream, TotalsOf totals, const Clock& clock)
      : options_(std::move(options)),
        workers_(workers),
        variants_(variants),
        upstream_(std::move(upstream)),
        totals_(std::move(totals)),
        clock_(clock),
        started_(clock.Now()) {}

  ServerUnaryReactor* Disconnect(CallbackServerContext* context,
                                 const v1::DisconnectRequest* request,
                                 v1::DisconnectResponse* response) override {
    if (absl::Status status = CheckDisconnect(*request); !status.ok()) {
      return Refuse(context, status);
    }
    ServerUnaryReactor* reactor = context->DefaultReactor();
    // Request and response live until Finish.
    Gather<uint64_t>::Run(
        workers_,
        [request](SessionRegistry& sessions, HubShard&) {
          return DisconnectOf(*request, sessions);
        },
        [this, request, response, reactor](const std::vector<uint64_t>& parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          uint64_t count = 0;
          for (uint64_t part : parts) count += part;
          if (count == 0 && request->has_connection_id()) {
            return reactor->Finish(NoConnection(request->connection_id()));
          }
          log::Info("admin: connections told to end",
                    {{"connections", count}, {"code", DisconnectCode(*request)}});
          response->set_disconnected(count);
          response->set_node_id(options_.node_id);
          reactor->Finish(grpc::Status::OK);
        });
    return reactor;
  }

  ServerUnaryReactor* Broadcast(CallbackServerContext* context, const v1::BroadcastRequest* request,
                                v1::BroadcastResponse* response) override {
    auto event = BroadcastEvent(*request, clock_.WallNow());
    if (!event.ok()) return Refuse(context, event.status());
    ServerUnaryReactor* reactor = context->DefaultReactor();
    Gather<uint64_t>::Run(
        workers_,
        // Keeps the event, and so its frames, to the end of each worker's turn.
        [this, request, event = *event](SessionRegistry& sessions, HubShard& hub) {
          return BroadcastTo(*request, *event, variants_, sessions, hub);
        },
        [this, response, reactor](const std::vector<uint64_t>& parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          for (uint64_t part : parts) response->set_delivered(response->delivered() + part);
          response->set_node_id(options_.node_id);
          reactor->Finish(grpc::Status::OK);
        });
    return reactor;
  }

  ServerUnaryReactor* ListConnections(CallbackServerContext* context,
                                      const v1::ListConnectionsRequest* request,
                                      v1::ListConnectionsResponse* response) override {
    if (absl::Status status = CheckListConnections(*request); !status.ok()) {
      return Refuse(context, status);
    }
    ServerUnaryReactor* reactor = context->DefaultReactor();
    Gather<ConnectionPage>::Run(
        workers_,
        [request](SessionRegistry& sessions, HubShard& hub) {
          return ConnectionsOf(*request, sessions, hub);
        },
        [this, request, response, reactor](std::vector<ConnectionPage> parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          *response = MergeConnections(*request, std::move(parts));
          response->set_node_id(options_.node_id);
          reactor->Finish(grpc::Status::OK);
        });
    return reactor;
  }

  ServerUnaryReactor* GetConnection(CallbackServerContext* context,
                                    const v1::GetConnectionRequest* request,
                                    v1::GetConnectionResponse* response) override {
    if (absl::Status status = CheckGetConnection(*request); !status.ok()) {
      return Refuse(context, status);
    }
    ServerUnaryReactor* reactor = context->DefaultReactor();
    using Part = std::optional<v1::GetConnectionResponse>;
    Gather<Part>::Run(
        workers_,
        [request](SessionRegistry& sessions, HubShard&) {
          return ConnectionOf(*request, sessions);
        },
        [this, request, response, reactor](std::vector<Part> parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          for (Part& part : parts) {
            if (!part.has_value()) continue;
            *response = *std::move(part);
            response->set_node_id(options_.node_id);
            return reactor->Finish(grpc::Status::OK);
          }
          reactor->Finish(NoConnection(request->connection_id()));
        });
    return reactor;
  }

  ServerUnaryReactor* TopLaggards(CallbackServerContext* context,
                                  const v1::TopLaggardsRequest* request,
                                  v1::TopLaggardsResponse* response) override {
    if (absl::Status status = CheckTopLaggards(*request); !status.ok()) {
      return Refuse(context, status);
    }
    ServerUnaryReactor* reactor = context->DefaultReactor();
    using Part = std::vector<v1::Connection>;
    Gather<Part>::Run(
        workers_,
        [request](SessionRegistry& sessions, HubShard&) { return LaggardsOf(*request, sessions); },
        [this, request, response, reactor](std::vector<Part> parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          *response = MergeLaggards(*request, std::move(parts));
          response->set_node_id(options_.node_id);
          reactor->Finish(grpc::Status::OK);
        });
    return reactor;
  }

  ServerUnaryReactor* ListChannels(CallbackServerContext* context,
                                   const v1::ListChannelsRequest* request,
                                   v1::ListChannelsResponse* response) override {
    if (absl::Status status = CheckListChannels(*request); !status.ok()) {
      return Refuse(context, status);
    }
    ServerUnaryReactor* reactor = context->DefaultReactor();
    Gather<ChannelPage>::Run(
        workers_, [request](SessionRegistry&, HubShard& hub) { return ChannelsOf(*request, hub); },
        [this, request, response, reactor](const std::vector<ChannelPage>& parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          *response = MergeChannels(*request, parts);
          response->set_node_id(options_.node_id);
          reactor->Finish(grpc::Status::OK);
        });
    return reactor;
  }

  ServerUnaryReactor* GetStats(CallbackServerContext* context, const v1::GetStatsRequest*,
                               v1::GetStatsResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    Gather<WorkerStats>::Run(
        workers_,
        [](SessionRegistry& sessions, HubShard& hub) {
          WorkerStats stats;
          stats.connections = sessions.size();
          stats.subscriptions = hub.subscription_count();
          hub.ForEachChannel(
              [&](std::string_view name, size_t) { stats.channels.emplace_back(name); });
          return stats;
        },
        [this, response, reactor](std::vector<WorkerStats> parts, bool complete) {
          if (!complete) return reactor->Finish(Stopping());
          FillStats(std::move(parts), response);
          reactor->Finish(grpc::Status::OK);
        });
    return reactor;
  }

 private:
  static grpc::Status NoConnection(const std::string& id) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND,
                        "this node has no connection " + id + ": it may be on another, or gone");
  }

  void FillStats(std::vector<WorkerStats> parts, v1::GetStatsResponse* response) const;

  const Options options_;
  AdminWorkers& workers_;
  const VariantTable& variants_;
  const UpstreamStatusOf upstream_;
  const TotalsOf totals_;
  const Clock& clock_;
  const MonoTime started_;
};

void AdminService::Impl::FillStats(std::vector<WorkerStats> parts,
                                   v1::GetStatsResponse* response) const {
  absl::flat_hash_set<std::string> channels;  // of all workers, each once
  for (WorkerStats& part : parts) {
    response->set_connections(response->connections() + part.connections);
    response->set_subscriptions(response->subscriptions() + part.subscriptions);
    for (std::string& channel : part.channels) channels.insert(std::move(channel));
  }
  const AdminTotals totals = totals_();
  response->set_node_id(options_.node_id);
  response->set_version(options_.version);
  response->set_uptime_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(clock_.Now() - started_).count());
  response->set_channels(channels.size());
  response->set_messages_sent(totals.messages_sent);
  response->set_messages_received(totals.messages_received);
  const std::shared_ptr<const UpstreamStatus> upstream = upstream_();
  response->set_events_received(upstream->counters.events + upstream->counters.ephemeral);
  for (const UpstreamStatus::Slot& slot : upstream->slots) {
    v1::AttachmentStats* attachment = response->add_attachments();
    attachment->set_topic(slot.topic);
    attachment->set_partition(slot.partition);
    attachment->set_ingest(slot.ingest);
    attachment->set_upto(slot.taken);
    attachment->set_lag(slot.lag);
  }
}

AdminService::AdminService(Options options, AdminWorkers& workers, const VariantTable& variants,
                           UpstreamStatusOf upstream, TotalsOf totals, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), workers, variants, std::move(upstream),
                                   std::move(totals), clock)) {}

AdminService::~AdminService() = default;

grpc::Service* AdminService::service() { return impl_.get(); }

}  // namespace spillway::edge
