#pragma once

#include <string>

#include "services/edge/control/admin_call.h"
#include "services/edge/control/admin_service.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// The calls that look at connections and channels, or act on them. Owned by the service; what it is
// given outlives it.
struct AdminOps {
  AdminOps(const AdminParts& parts, const std::string& version);

  AdminOp<v1::DisconnectRequest, v1::DisconnectResponse> disconnect;
  AdminOp<v1::BroadcastRequest, v1::BroadcastResponse> broadcast;
  AdminOp<v1::BroadcastBatchRequest, v1::BroadcastBatchResponse> broadcast_batch;
  AdminOp<v1::SubscribeRequest, v1::SubscribeResponse> subscribe;
  AdminOp<v1::SubscribeRequest, v1::SubscribeResponse> unsubscribe;
  AdminOp<v1::GetChannelRequest, v1::GetChannelResponse> get_channel;
  AdminOp<v1::PresenceRequest, v1::PresenceResponse> presence;
  AdminOp<v1::PresenceStatsRequest, v1::PresenceStatsResponse> presence_stats;
  AdminOp<v1::SetLogLevelRequest, v1::SetLogLevelResponse> set_log_level;
  AdminOp<v1::ListConnectionsRequest, v1::ListConnectionsResponse> list_connections;
  AdminOp<v1::GetConnectionRequest, v1::GetConnectionResponse> get_connection;
  AdminOp<v1::TopLaggardsRequest, v1::TopLaggardsResponse> top_laggards;
  AdminOp<v1::ListChannelsRequest, v1::ListChannelsResponse> list_channels;
  AdminOp<v1::GetStatsRequest, v1::GetStatsResponse> get_stats;
};

}  // namespace spillway::edge
