#pragma once

#include <vector>

#include "common/rpc/access.h"
#include "spillway/v1/config_ingest.pb.h"

namespace spillway::ingest {

// Who may publish, be an edge, and write blocks and audit lines. Reads no files.
std::vector<rpc::Access::Door> DoorsOf(const v1::IngestConfig& config);

}  // namespace spillway::ingest
