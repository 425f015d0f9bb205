#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/edge/control/admin_call.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/admin_service.h"

namespace spillway::edge {

// The calls that act on connections. What they are made of outlives them.
AdminOp<v1::DisconnectRequest, v1::DisconnectResponse> MakeDisconnect(const AdminParts& parts);
AdminOp<v1::BroadcastRequest, v1::BroadcastResponse> MakeBroadcast(const AdminParts& parts);
AdminOp<v1::BroadcastBatchRequest, v1::BroadcastBatchResponse> MakeBroadcastBatch(
    const AdminParts& parts);
AdminOp<v1::SubscribeRequest, v1::SubscribeResponse> MakeSubscribe(const AdminParts& parts,
                                                                   bool subscribe);

// What they do on one worker, on its thread. Requests were checked.

// Ended in one turn of a worker, whose other clients have theirs between.
inline constexpr size_t kClosesATurn = 256;
// Those that are meant and are not ending already.
std::vector<Session*> TargetsOf(const v1::DisconnectRequest& request,
                                const SessionRegistry& sessions, const HubShard& hub);
// Deliveries. `kept` holds what has to live to the end of the turn.
uint64_t BroadcastTo(const Broadcast& broadcast, bool dry_run, const VariantTable& variants,
                     SessionRegistry& sessions, HubShard& hub, std::vector<Ref<EdgeEvent>>* kept);
// Subscriptions that changed. False: the connection that is named is not here.
bool SubscribeHere(const v1::SubscribeRequest& request, bool subscribe, SessionRegistry& sessions,
                   const HubShard& hub, uint64_t* changed);

}  // namespace spillway::edge
