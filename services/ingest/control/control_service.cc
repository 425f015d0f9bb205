#include "services/ingest/control/control_service.h"

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace spillway::ingest {
namespace {

grpc::Status Refusal(const absl::Status& status) {
  const auto coded = [&](grpc::StatusCode code, const char* name) {
    return grpc::Status(code, absl::StrCat(name, ": ", status.message()));
  };
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return coded(grpc::StatusCode::INVALID_ARGUMENT, "control_bad_entry");
    case absl::StatusCode::kResourceExhausted:
      return coded(grpc::StatusCode::RESOURCE_EXHAUSTED, "control_full");
    case absl::StatusCode::kDeadlineExceeded:
      return coded(grpc::StatusCode::DEADLINE_EXCEEDED, "control_timeout");
    case absl::StatusCode::kPermissionDenied:
      return coded(grpc::StatusCode::PERMISSION_DENIED, "control_denied");
    case absl::StatusCode::kNotFound:
      return coded(grpc::StatusCode::FAILED_PRECONDITION, "control_topic_missing");
    default:
      return coded(grpc::StatusCode::UNAVAILABLE, "control_unavailable");
  }
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::Write(grpc::CallbackServerContext* context,
                                                const v1::WriteControlRequest* request,
                                                v1::WriteControlResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (store_ == nullptr) {
    reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION,
                     "control_no_topic: this ingest has no control topic (ingest.control.topic)"});
    return reactor;
  }
  store_->Write(request->entry(), [this, response, reactor](absl::StatusOr<bool> superseded) {
    if (!superseded.ok()) return reactor->Finish(Refusal(superseded.status()));
    response->set_topic(store_->topic());
    response->set_superseded(*superseded);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace spillway::ingest
