#pragma once

#include <grpcpp/support/status.h>

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/edge/upstream/channel_history.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// History: a channel's events as ingests have them, read like what a client missed. Pure functions;
// any thread.

// What to read for a request. InvalidArgument says what to send instead.
absl::StatusOr<HistoryAsk> HistoryAskOf(const v1::ChannelHistoryRequest& request);

// The page that an answer makes. It ends at the page's size, or at 1 MiB of payloads.
grpc::Status HistoryPage(const v1::ChannelHistoryRequest& request, const HistoryAnswer& answer,
                         v1::ChannelHistoryResponse* response);

}  // namespace spillway::edge
