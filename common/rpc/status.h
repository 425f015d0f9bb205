#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace spillway::rpc {

// The two libraries number their codes alike (google.rpc.Code). Any thread.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace spillway::rpc
