#pragma once

#include <map>
#include <string>

#include "common/base/clock.h"
#include "common/http/routes.h"

namespace spillway::lifecycle {
class Readiness;
}
namespace spillway::metrics {
class Registry;
}

// What every service answers on its operations port. The handlers are cheap enough for any serving
// thread, and what they refer to must outlive them.
namespace spillway::http {

// {"status":"ok",...info,"timestamp":"..."}: the process lives. Says nothing about its
// dependencies.
Handler HealthHandler(const Clock& clock, std::map<std::string, std::string> info = {});
// lifecycle::Readiness as JSON; 503 while not ready.
Handler ReadyHandler(const lifecycle::Readiness& readiness);
// Prometheus text.
Handler MetricsHandler(const metrics::Registry& registry);

// All three under /health, /ready and /metrics.
void AddOpsRoutes(Routes* routes, const Clock& clock, const lifecycle::Readiness& readiness,
                  const metrics::Registry& registry, std::map<std::string, std::string> info = {});

}  // namespace spillway::http
