#include "common/http/ops_routes.h"

#include <utility>

#include "common/base/iso_time.h"
#include "common/base/json_text.h"
#include "common/http/json_error.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"

namespace spillway::http {

Handler HealthHandler(const Clock& clock, std::map<std::string, std::string> info) {
  return [&clock, info = std::move(info)](const Request&) {
    std::string body = "{\"status\":\"ok\"";
    for (const auto& [key, value] : info) {
      body += ",";
      AppendJsonString(&body, key);
      body += ":";
      AppendJsonString(&body, value);
    }
    body += ",\"timestamp\":\"" + IsoTime(clock.WallNow()) + "\"}";
    return Json(200, std::move(body));
  };
}

Handler ReadyHandler(const lifecycle::Readiness& readiness) {
  return [&readiness](const Request&) {
    auto document = readiness.Render();
    return Json(document.ready ? 200 : 503, std::move(document.json));
  };
}

Handler MetricsHandler(const metrics::Registry& registry) {
  return [&registry](const Request&) {
    Response response;
    response.content_type = metrics::Registry::kContentType;
    response.body = registry.Scrape();
    return response;
  };
}

void AddOpsRoutes(Routes* routes, const Clock& clock, const lifecycle::Readiness& readiness,
                  const metrics::Registry& registry, std::map<std::string, std::string> info) {
  routes->Add("/health", HealthHandler(clock, std::move(info)));
  routes->Add("/ready", ReadyHandler(readiness));
  routes->Add("/metrics", MetricsHandler(registry));
}

}  // namespace spillway::http
