#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "common/rpc/access.h"
#include "services/edge/control/cluster_watch.h"
#include "services/edge/control/event_bus.h"
#include "spillway/v1/admin.grpc.pb.h"

namespace spillway::edge {

// One call of WatchEvents: writes events as the queues of this node's watcher and of the others'
// feed have them, until it is cancelled. Ends by itself. What it is given outlives the call.
grpc::ServerWriteReactor<v1::NodeEvent>* NewEventStream(EventBus& events, ClusterWatches& cluster,
                                                        const v1::WatchEventsRequest& request);

// Publishes a call of the admin API, with what it asked for but for payloads and secrets.
void Audit(EventBus& events, const std::string& action, const google::protobuf::Message& request,
           const grpc::Status& outcome, const rpc::Caller& caller);

}  // namespace spillway::edge
