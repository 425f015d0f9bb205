#pragma once

#include "common/rpc/access.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

// Who may call the admin API. Reads no files.
rpc::Access::Door AdminDoorOf(const v1::AdminConfig& config);

}  // namespace spillway::edge
