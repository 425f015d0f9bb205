#pragma once

#include <vector>

#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// How the answers of several nodes become one. Each answer names its node. Pages are in one order
// on all nodes, and each node's holds the first that it has behind the token: so the first of all
// are among them, and the page is what one node with all of them would give.

void MergeNodes(const v1::ListConnectionsRequest& request,
                std::vector<v1::ListConnectionsResponse> answers,
                v1::ListConnectionsResponse* response);
void MergeNodes(const v1::GetConnectionRequest& request,
                std::vector<v1::GetConnectionResponse> answers,
                v1::GetConnectionResponse* response);
void MergeNodes(const v1::TopLaggardsRequest& request, std::vector<v1::TopLaggardsResponse> answers,
                v1::TopLaggardsResponse* response);
void MergeNodes(const v1::ListChannelsRequest& request,
                std::vector<v1::ListChannelsResponse> answers, v1::ListChannelsResponse* response);
void MergeNodes(const v1::GetStatsRequest& request, std::vector<v1::GetStatsResponse> answers,
                v1::GetStatsResponse* response);
void MergeNodes(const v1::DisconnectRequest& request, std::vector<v1::DisconnectResponse> answers,
                v1::DisconnectResponse* response);
void MergeNodes(const v1::BroadcastRequest& request, std::vector<v1::BroadcastResponse> answers,
                v1::BroadcastResponse* response);
void MergeNodes(const v1::BroadcastBatchRequest& request,
                std::vector<v1::BroadcastBatchResponse> answers,
                v1::BroadcastBatchResponse* response);
void MergeNodes(const v1::SubscribeRequest& request, std::vector<v1::SubscribeResponse> answers,
                v1::SubscribeResponse* response);
void MergeNodes(const v1::GetChannelRequest& request, std::vector<v1::GetChannelResponse> answers,
                v1::GetChannelResponse* response);
void MergeNodes(const v1::PresenceRequest& request, std::vector<v1::PresenceResponse> answers,
                v1::PresenceResponse* response);
void MergeNodes(const v1::PresenceStatsRequest& request,
                std::vector<v1::PresenceStatsResponse> answers,
                v1::PresenceStatsResponse* response);
void MergeNodes(const v1::ListBlocksRequest& request, std::vector<v1::ListBlocksResponse> answers,
                v1::ListBlocksResponse* response);

}  // namespace spillway::edge
