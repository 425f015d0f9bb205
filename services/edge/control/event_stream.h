#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "services/edge/control/event_bus.h"
#include "spillway/v1/admin.grpc.pb.h"

namespace spillway::edge {

// One call of WatchEvents: writes events as the watcher's queue has them, until it is cancelled.
// Ends by itself. `events` outlives the call.
grpc::ServerWriteReactor<v1::NodeEvent>* NewEventStream(EventBus& events,
                                                        const v1::WatchEventsRequest& request);

// Publishes a call of the admin API. `peer`: as gRPC names the caller.
void Audit(EventBus& events, const std::string& action, std::string target,
           const grpc::Status& outcome, const std::string& peer);

}  // namespace spillway::edge
