#include "services/ingest/app/ingest_audit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/app/audit_outputs.h"
#include "common/log/log.h"

namespace spillway::ingest {

absl::Status IngestAudit::Create(const KafkaSettings& kafka, const std::string& node_id,
                                 const Clock& clock, Producer* producer,
                                 lifecycle::Readiness& readiness) {
  audit::AuditLog::Options logging;
  logging.service = "spillway-ingest";
  logging.node_id = node_id;
  logging.client_lines = static_cast<uint32_t>(config_.client_lines());
  log_ = std::make_unique<audit::AuditLog>(std::move(logging), clock);
  if (absl::Status status =
          app::AddAuditOutputs("ingest.audit.file", config_.file(), config_.console(), log_.get());
      !status.ok()) {
    return status;
  }
  if (enabled()) {
    WrittenTopic::Options options;
    options.topic = config_.topic();
    options.create = config_.create();
    options.replication = config_.replication();
    options.setting = "audit.create";
    // Not ready would take an ingest away from its edges whose records flow: degraded is enough.
    auto topic = WrittenTopic::Create(kafka, options, [&readiness](const std::string& problem) {
      readiness.Set("audit", problem.empty() ? "written" : "unwritable",
                    problem.empty() ? lifecycle::Readiness::Level::kOk
                                    : lifecycle::Readiness::Level::kDegraded,
                    problem);
    });
    if (!topic.ok()) return topic.status();
    topic_ = *std::move(topic);
    writer_ = std::make_unique<AuditWriter>(
        config_.topic(),
        [producer](const ProduceRequest& request, Producer::Callback done) {
          return producer->Produce(request, std::move(done));
        },
        [topic = topic_.get()] { topic->Look(); });
    log_->AddOutput("kafka", std::make_unique<AuditTopicOutput>(*writer_, node_id));
  }
  service_ = std::make_unique<AuditService>(writer_.get());
  return absl::OkStatus();
}

void IngestAudit::Start() {
  if (topic_ != nullptr) topic_->Start();
  log_->Start();
}

void IngestAudit::Stop(std::chrono::milliseconds grace) {
  if (log_ != nullptr) log_->Stop(grace);
  if (topic_ != nullptr) topic_->Stop();
}

void IngestAudit::OnCallRefused(const rpc::Access::Refusal& refusal) {
  log_->Write({.category = audit::Category::kSecurity,
               .action = "call_refused",
               .actor = refusal.caller,
               .source = refusal.address,
               .correlation_id = {},
               .target = refusal.method,
               .outcome = rpc::Access::Name(refusal.reason)});
}

void IngestAudit::OnPublishRefused(const PublishService::Publisher& publisher,
                                   const v1::Publication& publication,
                                   const v1::PublishResult& refusal) {
  if (!log_->wants(audit::Category::kSecurity)) return;
  std::string target = publication.durable().topic();
  for (const std::string& channel : publication.ephemeral().channels()) {
    if (target.size() > audit::kMaxValueBytes) break;
    absl::StrAppend(&target, target.empty() ? "" : ",", channel);
  }
  log_->Write({.category = audit::Category::kSecurity,
               .action = "publish_refused",
               .actor = publisher.name,
               .source = publisher.address,
               .correlation_id = publisher.correlation_id,
               .target = target,
               .outcome = refusal.error_code()});
}

void IngestAudit::AddMetrics(metrics::Registry& registry, const IngestFamilies& families,
                             std::vector<metrics::Handle>* handles) {
  handles->push_back(registry.AddCollector([this, &families](metrics::Sink& sink) {
    static const AuditWriter::Counters kNone;
    const AuditWriter::Counters& counted = writer_ == nullptr ? kNone : writer_->counters();
    const auto lines = [&](const char* outcome, const metrics::AtomicCounter& value) {
      sink.Add(families.audit_lines, {{"outcome", outcome}}, static_cast<double>(value.Value()));
    };
    lines("written", counted.written);
    lines("failed", counted.failed);
    uint64_t written = 0;
    uint64_t lost = 0;
    size_t waiting = 0;
    for (const audit::AuditLog::Status& output : log_->status()) {
      written += output.written;
      lost += output.left_out;
      waiting += output.waiting;
    }
    const auto own = [&](const char* outcome, uint64_t count) {
      sink.Add(families.own_audit_lines, {{"outcome", outcome}}, static_cast<double>(count));
    };
    own("written", written);
    own("lost", lost);
    sink.Add(families.own_audit_waiting, {}, static_cast<double>(waiting));
  }));
}

}  // namespace spillway::ingest
