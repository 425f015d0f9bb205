#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/audit/audit_log.h"
#include "common/base/clock.h"
#include "common/metrics/metrics.h"
#include "services/edge/app/metric_families.h"
#include "spillway/v1/config_edge.pb.h"

namespace spillway::edge {

// The audit log as configured, with its files open; not started. Without an output it wants
// nothing. InvalidArgument names the key that is wrong. `clock` outlives it.
absl::StatusOr<std::unique_ptr<audit::AuditLog>> MakeAuditLog(const v1::EdgeAuditConfig& config,
                                                              const std::string& node_id,
                                                              const Clock& clock);

// `log` and `families` outlive the handles.
void AddAuditMetrics(const audit::AuditLog& log, const EdgeFamilies& families,
                     metrics::Registry& registry, std::vector<metrics::Handle>* handles);

}  // namespace spillway::edge
