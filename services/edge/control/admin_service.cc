#include "services/edge/control/admin_service.h"

#include <grpcpp/grpcpp.h>

#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/status.h"
#include "services/edge/control/admin_call.h"
#include "services/edge/control/admin_control.h"
#include "services/edge/control/admin_drain.h"
#include "services/edge/control/admin_history.h"
#include "services/edge/control/admin_ops.h"
#include "services/edge/control/event_stream.h"
#include "spillway/v1/admin.grpc.pb.h"

namespace spillway::edge {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

namespace {

// The method that a request is of, by its name: "BlockUser" of BlockUserRequest.
std::string ActionOf(const google::protobuf::Message& request) {
  std::string name = request.GetDescriptor()->name();
  const std::string_view tail = "Request";
  if (std::string_view(name).ends_with(tail)) name.resize(name.size() - tail.size());
  return name;
}

}  // namespace

class AdminService::Impl final : public v1::AdminService::CallbackService {
 public:
  Impl(Options options, AdminParts parts)
      : parts_(std::move(parts)),
        ops_(parts_, options.version),
        control_(parts_, options.revocation_ttl),
        drain_(parts_),
        options_(std::move(options)) {}

  ServerUnaryReactor* Disconnect(CallbackServerContext* context,
                                 const v1::DisconnectRequest* request,
                                 v1::DisconnectResponse* response) override {
    return Run(ops_.disconnect, context, request, response);
  }
  ServerUnaryReactor* Broadcast(CallbackServerContext* context, const v1::BroadcastRequest* request,
                                v1::BroadcastResponse* response) override {
    return Run(ops_.broadcast, context, request, response);
  }
  ServerUnaryReactor* ListConnections(CallbackServerContext* context,
                                      const v1::ListConnectionsRequest* request,
                                      v1::ListConnectionsResponse* response) override {
    return Run(ops_.list_connections, context, request, response);
  }
  ServerUnaryReactor* GetConnection(CallbackServerContext* context,
                                    const v1::GetConnectionRequest* request,
                                    v1::GetConnectionResponse* response) override {
    return Run(ops_.get_connection, context, request, response);
  }
  ServerUnaryReactor* TopLaggards(CallbackServerContext* context,
                                  const v1::TopLaggardsRequest* request,
                                  v1::TopLaggardsResponse* response) override {
    return Run(ops_.top_laggards, context, request, response);
  }
  ServerUnaryReactor* ListChannels(CallbackServerContext* context,
                                   const v1::ListChannelsRequest* request,
                                   v1::ListChannelsResponse* response) override {
    return Run(ops_.list_channels, context, request, response);
  }
  ServerUnaryReactor* GetStats(CallbackServerContext* context, const v1::GetStatsRequest* request,
                               v1::GetStatsResponse* response) override {
    return Run(ops_.get_stats, context, request, response);
  }
  ServerUnaryReactor* ListBlocks(CallbackServerContext* context,
                                 const v1::ListBlocksRequest* request,
                                 v1::ListBlocksResponse* response) override {
    return Run(control_.list_blocks, context, request, response);
  }

  ServerUnaryReactor* BroadcastBatch(CallbackServerContext* context,
                                     const v1::BroadcastBatchRequest* request,
                                     v1::BroadcastBatchResponse* response) override {
    return Run(ops_.broadcast_batch, context, request, response);
  }
  ServerUnaryReactor* Subscribe(CallbackServerContext* context, const v1::SubscribeRequest* request,
                                v1::SubscribeResponse* response) override {
    return Run(ops_.subscribe, context, request, response);
  }
  ServerUnaryReactor* Unsubscribe(CallbackServerContext* context,
                                  const v1::SubscribeRequest* request,
                                  v1::SubscribeResponse* response) override {
    return Run(ops_.unsubscribe, context, request, response);
  }
  ServerUnaryReactor* GetChannel(CallbackServerContext* context,
                                 const v1::GetChannelRequest* request,
                                 v1::GetChannelResponse* response) override {
    return Run(ops_.get_channel, context, request, response);
  }
  ServerUnaryReactor* Presence(CallbackServerContext* context, const v1::PresenceRequest* request,
                               v1::PresenceResponse* response) override {
    return Run(ops_.presence, context, request, response);
  }
  ServerUnaryReactor* PresenceStats(CallbackServerContext* context,
                                    const v1::PresenceStatsRequest* request,
                                    v1::PresenceStatsResponse* response) override {
    return Run(ops_.presence_stats, context, request, response);
  }
  ServerUnaryReactor* SetLogLevel(CallbackServerContext* context,
                                  const v1::SetLogLevelRequest* request,
                                  v1::SetLogLevelResponse* response) override {
    return Run(ops_.set_log_level, context, request, response);
  }
  ServerUnaryReactor* History(CallbackServerContext* context,
                              const v1::ChannelHistoryRequest* request,
                              v1::ChannelHistoryResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    auto ask = HistoryAskOf(*request);
    if (!ask.ok()) {
      reactor->Finish(rpc::ToGrpcStatus(ask.status()));
      return reactor;
    }
    response->set_node_id(parts_.cluster.node_id);
    parts_.history(*std::move(ask), [request, response, reactor](const HistoryAnswer& answer) {
      reactor->Finish(HistoryPage(*request, answer, response));
    });
    return reactor;
  }
  grpc::ServerWriteReactor<v1::NodeEvent>* WatchEvents(
      CallbackServerContext*, const v1::WatchEventsRequest* request) override {
    return NewEventStream(parts_.events, parts_.watches, *request);
  }

  ServerUnaryReactor* BlockIp(CallbackServerContext* context, const v1::BlockIpRequest* request,
                              v1::ControlResponse* response) override {
    return Change(context, request, response);
  }
  ServerUnaryReactor* BlockUser(CallbackServerContext* context, const v1::BlockUserRequest* request,
                                v1::ControlResponse* response) override {
    return Change(context, request, response);
  }
  ServerUnaryReactor* Unblock(CallbackServerContext* context, const v1::UnblockRequest* request,
                              v1::ControlResponse* response) override {
    return Change(context, request, response);
  }
  ServerUnaryReactor* RevokeToken(CallbackServerContext* context,
                                  const v1::RevokeTokenRequest* request,
                                  v1::ControlResponse* response) override {
    return Change(context, request, response);
  }
  ServerUnaryReactor* RevokeUserTokens(CallbackServerContext* context,
                                       const v1::RevokeUserTokensRequest* request,
                                       v1::ControlResponse* response) override {
    return Change(context, request, response);
  }
  ServerUnaryReactor* Drain(CallbackServerContext* context, const v1::DrainRequest* request,
                            v1::DrainResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    drain_.Drain(*request, response, Finish("Drain", context, request, reactor));
    return reactor;
  }
  ServerUnaryReactor* Undrain(CallbackServerContext* context, const v1::UndrainRequest* request,
                              v1::DrainResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    drain_.Undrain(*request, response, Finish("Undrain", context, request, reactor));
    return reactor;
  }

  ServerUnaryReactor* ApplyControl(CallbackServerContext* context,
                                   const v1::ApplyControlRequest* request,
                                   v1::ControlResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    control_.ApplyHere(
        request->entry(), request->dry_run(), response,
        [this, caller = CallerOf(context), request, reactor](const grpc::Status& status) {
          Audit(parts_.events, "ApplyControl", *request, status, caller);
          reactor->Finish(status);
        });
    return reactor;
  }

  void SetAddresses(const v1::NodeAddresses& addresses) {
    MutexLock lock(mutex_);
    addresses_ = addresses;
  }

  ServerUnaryReactor* ListNodes(CallbackServerContext* context, const v1::ListNodesRequest*,
                                v1::ListNodesResponse* response) override {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    v1::Node self;
    self.set_draining(parts_.drain.status().stage != v1::DRAIN_STAGE_SERVING);
    self.set_node_id(parts_.cluster.node_id);
    self.set_kind(v1::NODE_KIND_EDGE);
    {
      MutexLock lock(mutex_);
      *self.mutable_addresses() = addresses_;
    }
    self.set_version(options_.version);
    FillNodes(*parts_.cluster.members, std::move(self), response);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  rpc::Caller CallerOf(const CallbackServerContext* context) const {
    return rpc::CallerOf(parts_.cluster.access, *context, kAdminService);
  }

  template <typename Request, typename Response>
  ServerUnaryReactor* Run(const AdminOp<Request, Response>& op, CallbackServerContext* context,
                          const Request* request, Response* response) {
    return RunAdminOp(parts_.cluster, op, context, request, response);
  }

  // What ends a call that changes something, and tells of it.
  AdminDrain::Done Finish(const char* method, CallbackServerContext* context,
                          const google::protobuf::Message* request, ServerUnaryReactor* reactor) {
    return
        [this, method, caller = CallerOf(context), request, reactor](const grpc::Status& status) {
          Audit(parts_.events, method, *request, status, caller);
          reactor->Finish(status);
        };
  }

  template <typename Request>
  ServerUnaryReactor* Change(CallbackServerContext* context, const Request* request,
                             v1::ControlResponse* response) {
    ServerUnaryReactor* reactor = context->DefaultReactor();
    const rpc::Caller caller = CallerOf(context);
    control_.Change(control_.entries().Of(*request), request->scope(), request->dry_run(), caller,
                    response, [this, caller, request, reactor](const grpc::Status& status) {
                      Audit(parts_.events, ActionOf(*request), *request, status, caller);
                      reactor->Finish(status);
                    });
    return reactor;
  }

  const AdminParts parts_;
  const AdminOps ops_;
  AdminControl control_;
  const AdminDrain drain_;
  const Options options_;
  Mutex mutex_;
  v1::NodeAddresses addresses_ SPILLWAY_GUARDED_BY(mutex_);
};

AdminService::AdminService(Options options, AdminParts parts)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(parts))) {}

AdminService::~AdminService() = default;

void AdminService::SetAddresses(const v1::NodeAddresses& addresses) {
  impl_->SetAddresses(addresses);
}

grpc::Service* AdminService::service() { return impl_.get(); }

}  // namespace spillway::edge
