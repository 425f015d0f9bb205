#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/audit/audit_log.h"
#include "common/base/clock.h"
#include "common/lifecycle/readiness.h"
#include "common/metrics/metrics.h"
#include "common/rpc/access.h"
#include "services/ingest/app/metric_families.h"
#include "services/ingest/control/audit_service.h"
#include "services/ingest/control/audit_writer.h"
#include "services/ingest/control/publish_service.h"
#include "services/ingest/kafka/producer.h"
#include "services/ingest/kafka/written_topic.h"
#include "spillway/v1/config_ingest.pb.h"

namespace spillway::ingest {

// This ingest's audit log, and the audit topic with all that goes with it, as far as one is
// configured: without, edges are told that there is none. For main's thread, but for On...(), which
// are for any. Owned by the app: Stop() comes after the server's end and before the producer's, the
// destructor after both.
class IngestAudit {
 public:
  explicit IngestAudit(const v1::IngestAuditConfig& config) : config_(config) {}

  // Whether there is a topic.
  bool enabled() const { return !config_.topic().empty(); }
  // `producer` may be null only if there is no topic. All outlive this.
  absl::Status Create(const KafkaSettings& kafka, const std::string& node_id, const Clock& clock,
                      Producer* producer, lifecycle::Readiness& readiness);
  void Start();
  // What waits is written for at most so long.
  void Stop(std::chrono::milliseconds grace);

  // A call that was refused for want of credentials or a role.
  void OnCallRefused(const rpc::Access::Refusal& refusal);
  void OnPublishRefused(const PublishService::Publisher& publisher,
                        const v1::Publication& publication, const v1::PublishResult& refusal);

  // For the server; from Create() on.
  AuditService* service() { return service_.get(); }
  void AddMetrics(metrics::Registry& registry, const IngestFamilies& families,
                  std::vector<metrics::Handle>* handles);

 private:
  const v1::IngestAuditConfig config_;
  std::unique_ptr<AuditWriter> writer_;
  std::unique_ptr<AuditService> service_;
  std::unique_ptr<WrittenTopic> topic_;
  std::unique_ptr<audit::AuditLog> log_;  // writes by the writer
};

}  // namespace spillway::ingest
