#include "services/ingest/control/control_service.h"

#include <grpcpp/grpcpp.h>

#include "services/ingest/control/topic_refusal.h"

namespace spillway::ingest {
namespace {

constexpr TopicRefusal kRefusal{
    .topic = "control", .bad = "control_bad_entry", .full = "control_full"};

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
    if (!superseded.ok()) return reactor->Finish(kRefusal.Of(superseded.status()));
    response->set_topic(store_->topic());
    response->set_superseded(*superseded);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

}  // namespace spillway::ingest
