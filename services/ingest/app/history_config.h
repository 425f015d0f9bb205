#pragma once

#include "services/ingest/history/history_bounds.h"
#include "spillway/v1/config_ingest.pb.h"

namespace spillway::ingest {

// The bounds that a configuration asks for. Any thread.
HistoryBounds BoundsOf(const v1::HistoryConfig& config);

}  // namespace spillway::ingest
