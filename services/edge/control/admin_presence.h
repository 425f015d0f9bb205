#pragma once

#include "services/edge/control/admin_call.h"
#include "services/edge/control/admin_service.h"

namespace spillway::edge {

// The calls that say who is on a channel, and how a node logs. What they are made of outlives them.
AdminOp<v1::GetChannelRequest, v1::GetChannelResponse> MakeGetChannel(const AdminParts& parts);
AdminOp<v1::PresenceRequest, v1::PresenceResponse> MakePresence(const AdminParts& parts);
AdminOp<v1::PresenceStatsRequest, v1::PresenceStatsResponse> MakePresenceStats(
    const AdminParts& parts);
AdminOp<v1::SetLogLevelRequest, v1::SetLogLevelResponse> MakeSetLogLevel();

}  // namespace spillway::edge
