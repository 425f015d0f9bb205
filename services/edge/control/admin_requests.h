#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/edge/dialect/edge_event.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// Checks of admin requests: InvalidArgument says what to send instead. Pure functions; any thread.

inline constexpr size_t kDefaultPageSize = 100;
inline constexpr size_t kMaxPageSize = 1'000;
// Under which an event that goes to every connection, to those of some users, to those with a label
// reaches clients.
inline constexpr char kEverybody[] = "$all";
inline constexpr char kUsers[] = "$user";
inline constexpr char kLabelled[] = "$label";

absl::Status CheckDisconnect(const v1::DisconnectRequest& request);
// The close code to use.
uint16_t DisconnectCode(const v1::DisconnectRequest& request);

// What to deliver to whom. Of a pattern, the event names no channel that counts.
struct Broadcast {
  const v1::BroadcastRequest* request;  // outlives it
  Ref<EdgeEvent> event;
};
absl::StatusOr<Broadcast> BroadcastOf(const v1::BroadcastRequest& request, WallTime now);
absl::Status CheckBroadcastBatch(const v1::BroadcastBatchRequest& request, WallTime now);

absl::Status CheckSubscribe(const v1::SubscribeRequest& request);
absl::Status CheckGetChannel(const v1::GetChannelRequest& request);
absl::Status CheckPresence(const v1::PresenceRequest& request);
absl::Status CheckPresenceStats(const v1::PresenceStatsRequest& request);
absl::Status CheckSetLogLevel(const v1::SetLogLevelRequest& request);

absl::Status CheckListConnections(const v1::ListConnectionsRequest& request);
absl::Status CheckGetConnection(const v1::GetConnectionRequest& request);
absl::Status CheckTopLaggards(const v1::TopLaggardsRequest& request);
inline constexpr size_t kDefaultLaggards = 10;
inline size_t LaggardCount(uint32_t asked) { return asked == 0 ? kDefaultLaggards : asked; }
absl::Status CheckListChannels(const v1::ListChannelsRequest& request);
absl::Status CheckWatchEvents(const v1::WatchEventsRequest& request);
absl::Status CheckListBlocks(const v1::ListBlocksRequest& request);
inline size_t PageSize(uint32_t asked) { return asked == 0 ? kDefaultPageSize : asked; }

}  // namespace spillway::edge
