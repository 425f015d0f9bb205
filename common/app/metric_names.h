#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/config/errors.h"
#include "common/metrics/families.h"
#include "common/metrics/metrics.h"
#include "spillway/v1/config_common.pb.h"

namespace spillway::app {

// Whether every metric that `metrics.names` names once more is one of `families`, and every further
// name is well formed, given once, and no metric's own. InvalidArgument otherwise, with everything
// that is wrong, one line each: "file:line: key: what". `path`: of the mapping, such as
// "edge.metrics.names".
absl::Status CheckMetricNames(const v1::MetricsConfig& config, const metrics::Families& families,
                              std::string_view path, const config::Locations& locations);

// The further names as a registry takes them.
std::map<std::string, std::vector<metrics::Alias>> MetricAliases(const v1::MetricsConfig& config);

}  // namespace spillway::app
