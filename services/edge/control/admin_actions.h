#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
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
// Has them end, turn by turn of the worker, the first in this one.
void CloseInTurns(AdminWorkers& workers, size_t worker, const v1::DisconnectRequest& request,
                  const std::vector<Session*>& targets, SessionRegistry& sessions);

// Channels that one turn of a worker sends to of those that match a pattern.
inline constexpr size_t kPatternChannelsATurn = 1'000;
// How far a worker is with a broadcast.
struct BroadcastTurns {
  std::vector<Ref<EdgeEvent>> kept = {};  // have to live to the end of the turn
  // Of one to a pattern: the channels that the worker had at its first turn.
  std::vector<std::string> channels = {};
  bool begun = false;
  size_t next = 0;  // of `channels`
  HubShard::ToldPatterns told = {};

  bool more() const { return next < channels.size(); }
};
// Deliveries of one turn: the only one, unless `turns` has more.
uint64_t BroadcastTo(const Broadcast& broadcast, bool dry_run, const VariantTable& variants,
                     SessionRegistry& sessions, HubShard& hub, BroadcastTurns* turns);

// Subscriptions that changed, and those that were not made since there are too many.
struct Subscribed {
  uint64_t changed = 0;
  uint64_t refused = 0;
};
// Nothing: the connection that is named is not here.
std::optional<Subscribed> SubscribeHere(const v1::SubscribeRequest& request, bool subscribe,
                                        SessionRegistry& sessions);

}  // namespace spillway::edge
