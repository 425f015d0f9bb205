#include "services/edge/control/cluster_call.h"

namespace spillway::edge {

std::string_view NodeErrorCode(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return "";
    case grpc::StatusCode::UNAVAILABLE:
      return "node_unreachable";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "node_timeout";
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return "node_denied";
    case grpc::StatusCode::NOT_FOUND:
      return "not_found";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "node_without_call";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "node_busy";
    case grpc::StatusCode::FAILED_PRECONDITION:
      return "node_mistaken";
    default:
      return "node_failed";
  }
}

v1::NodeResult NodeResultOf(const std::string& node_id, const grpc::Status& status,
                            uint64_t count) {
  v1::NodeResult result;
  result.set_node_id(node_id);
  if (status.ok()) {
    result.set_count(count);
    return result;
  }
  result.set_error_code(std::string(NodeErrorCode(status)));
  result.set_message(status.error_message());
  return result;
}

grpc::Status OutcomeOf(const std::vector<const grpc::Status*>& statuses) {
  const grpc::Status* worst = nullptr;
  for (const grpc::Status* status : statuses) {
    if (status->ok()) return grpc::Status::OK;
    if (worst == nullptr || worst->error_code() == grpc::StatusCode::NOT_FOUND) worst = status;
  }
  return worst == nullptr ? grpc::Status::OK : *worst;
}

}  // namespace spillway::edge
