#pragma once

#include "services/ingest/control/audit_writer.h"
#include "spillway/v1/audit.grpc.pb.h"

namespace spillway::ingest {

// How edges have lines of their audit logs written to Kafka. Every refusal has a stable code
// (docs/errors.md) at the head of the status message. Thread-safe. The app owns it and ends the
// server before it.
class AuditService final : public v1::AuditService::CallbackService {
 public:
  static constexpr int kMaxLines = 1'000;
  static constexpr size_t kMaxLineBytes = 256 * 1024;

  // `writer` is null when there is no audit topic.
  explicit AuditService(AuditWriter* writer) : writer_(writer) {}

  grpc::ServerUnaryReactor* Write(grpc::CallbackServerContext* context,
                                  const v1::WriteAuditRequest* request,
                                  v1::WriteAuditResponse* response) override;

 private:
  AuditWriter* const writer_;
};

// Why lines cannot be taken as they are; ok: they can.
absl::Status CheckAuditLines(const v1::WriteAuditRequest& request);

}  // namespace spillway::ingest
