#include "services/edge/control/audit_sink.h"

#include <utility>
#include <vector>

namespace spillway::edge {
namespace {

constexpr std::pair<v1::EventCategory, audit::Category> kCategories[] = {
    {v1::EVENT_CATEGORY_ADMIN, audit::Category::kAdmin},
    {v1::EVENT_CATEGORY_SECURITY, audit::Category::kSecurity},
    {v1::EVENT_CATEGORY_CONNECTION, audit::Category::kConnection}};

}  // namespace

audit::Record RecordOf(const v1::NodeEvent& event) {
  audit::Record record;
  for (const auto& [of_event, category] : kCategories) {
    if (event.category() == of_event) record.category = category;
  }
  const bool admin = event.category() == v1::EVENT_CATEGORY_ADMIN;
  record.time_ms = event.time_ms();
  record.action = admin ? event.action() : event.kind();
  record.actor = admin ? event.actor() : event.user_id();
  record.source = event.ip();
  record.correlation_id = event.correlation_id();
  record.target = event.target();
  record.outcome = event.outcome().empty() ? "ok" : std::string_view(event.outcome());
  record.reason = event.detail();
  record.connection = event.connection_id();
  record.close_code = event.close_code();
  return record;
}

void AddAuditSink(EventBus& events, audit::AuditLog& log) {
  std::vector<v1::EventCategory> wanted;
  for (const auto& [of_event, category] : kCategories) {
    if (log.wants(category)) wanted.push_back(of_event);
  }
  if (wanted.empty()) return;
  events.AddSink(wanted, [&log](const v1::NodeEvent& event) { log.Write(RecordOf(event)); });
}

}  // namespace spillway::edge
