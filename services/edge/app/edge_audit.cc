#include "services/edge/app/edge_audit.h"

#include "common/app/audit_outputs.h"

namespace spillway::edge {

absl::StatusOr<std::unique_ptr<audit::AuditLog>> MakeAuditLog(const v1::EdgeAuditConfig& config,
                                                              const std::string& node_id,
                                                              const Clock& clock) {
  using audit::Category;
  audit::AuditLog::Options options;
  options.service = "spillway-edge";
  options.node_id = node_id;
  options.categories[static_cast<size_t>(Category::kAdmin)] = config.admin();
  options.categories[static_cast<size_t>(Category::kSecurity)] = config.security();
  options.categories[static_cast<size_t>(Category::kConnection)] = config.connections();
  options.client_lines = static_cast<uint32_t>(config.client_lines());
  auto log = std::make_unique<audit::AuditLog>(std::move(options), clock);
  if (absl::Status status =
          app::AddAuditOutputs("edge.audit.file", config.file(), config.console(), log.get());
      !status.ok()) {
    return status;
  }
  return log;
}

void AddAuditMetrics(const audit::AuditLog& log, const EdgeFamilies& families,
                     metrics::Registry& registry, std::vector<metrics::Handle>* handles) {
  handles->push_back(registry.AddCollector([&log, &families](metrics::Sink& sink) {
    for (const audit::AuditLog::Status& output : log.status()) {
      const auto lines = [&](const char* outcome, uint64_t count) {
        sink.Add(families.audit_lines, {{"output", output.output}, {"outcome", outcome}},
                 static_cast<double>(count));
      };
      lines("written", output.written);
      lines("lost", output.left_out);
      sink.Add(families.audit_waiting, {{"output", output.output}},
               static_cast<double>(output.waiting));
    }
  }));
}

}  // namespace spillway::edge
