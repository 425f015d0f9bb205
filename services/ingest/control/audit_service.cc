#include "services/ingest/control/audit_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/ingest/control/topic_refusal.h"

namespace spillway::ingest {
namespace {

constexpr TopicRefusal kRefusal{.topic = "audit", .bad = "audit_rejected", .full = "audit_busy"};

}  // namespace

absl::Status CheckAuditLines(const v1::WriteAuditRequest& request) {
  if (request.node_id().empty()) return absl::InvalidArgumentError("node_id is missing");
  if (request.lines().empty() || request.lines_size() > AuditService::kMaxLines) {
    return absl::InvalidArgumentError(
        absl::StrCat("a call has 1 to ", AuditService::kMaxLines, " lines"));
  }
  for (const std::string& line : request.lines()) {
    if (line.size() > AuditService::kMaxLineBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("a line has at most ", AuditService::kMaxLineBytes, " bytes"));
    }
    // What reads the topic line by line must not see two in place of one.
    const bool whole = line.size() >= 2 && line.front() == '{' && line.back() == '}' &&
                       std::none_of(line.begin(), line.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (!whole) return absl::InvalidArgumentError("a line is one JSON object");
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AuditService::Write(grpc::CallbackServerContext* context,
                                              const v1::WriteAuditRequest* request,
                                              v1::WriteAuditResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (writer_ == nullptr) {
    reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION,
                     "audit_no_topic: this ingest has no audit topic (ingest.audit.topic)"});
    return reactor;
  }
  if (const absl::Status status = CheckAuditLines(*request); !status.ok()) {
    reactor->Finish(kRefusal.Of(status));
    return reactor;
  }
  const std::vector<std::string> lines(request->lines().begin(), request->lines().end());
  writer_->Write(request->node_id(), lines, [this, response, reactor](const absl::Status& status) {
    if (!status.ok()) return reactor->Finish(kRefusal.Of(status));
    response->set_topic(writer_->topic());
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace spillway::ingest
