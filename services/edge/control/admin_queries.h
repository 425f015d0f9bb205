#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/session/session_registry.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// What admin calls do on one worker, and how the workers' answers are put together. The former run
// on the worker's thread, the latter on any. Requests were checked before.

// By where they come from, by a label (which was checked).
std::vector<Session*> SessionsFrom(const IpNetwork& network, const SessionRegistry& sessions);
std::vector<Session*> SessionsWithLabel(const std::string& label, const SessionRegistry& sessions);

// A worker's part of a page: up to one more than fits, so that it shows whether there are more.
struct ConnectionPage {
  std::vector<v1::Connection> connections;  // by id
};
ConnectionPage ConnectionsOf(const v1::ListConnectionsRequest& request,
                             const SessionRegistry& sessions, const HubShard& hub);
v1::ListConnectionsResponse MergeConnections(const v1::ListConnectionsRequest& request,
                                             std::vector<ConnectionPage> parts);

// A page of its channels. Nothing if the worker has no such connection.
std::optional<v1::GetConnectionResponse> ConnectionOf(const v1::GetConnectionRequest& request,
                                                      const SessionRegistry& sessions);

// A worker's part of the laggards, the worst first; and of all workers.
std::vector<v1::Connection> LaggardsOf(const v1::TopLaggardsRequest& request,
                                       const SessionRegistry& sessions);
v1::TopLaggardsResponse MergeLaggards(const v1::TopLaggardsRequest& request,
                                      std::vector<std::vector<v1::Connection>> parts);

// A worker's channels after the page token, by name: as many as could be on the page, and one more.
struct ChannelPage {
  std::vector<v1::Channel> channels;
};
ChannelPage ChannelsOf(const v1::ListChannelsRequest& request, const HubShard& hub);
v1::ListChannelsResponse MergeChannels(const v1::ListChannelsRequest& request,
                                       const std::vector<ChannelPage>& parts);

}  // namespace spillway::edge
