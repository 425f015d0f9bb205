#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/control/admin_call.h"
#include "services/edge/control/admin_merge.h"
#include "services/edge/control/admin_service.h"

namespace spillway::edge {

// The answer of a node that stopped its workers before they answered.
inline grpc::Status Stopping() {
  return {grpc::StatusCode::UNAVAILABLE, "this node is shutting down: ask another"};
}

inline grpc::Status NoConnection(const std::string& id) {
  return {grpc::StatusCode::NOT_FOUND, "there is no connection " + id + ": it may be gone"};
}

// An operation that asks every worker for a Part and makes one answer of them.
template <typename Part, typename Request, typename Response>
AdminOp<Request, Response> WorkersOp(
    const AdminParts& parts, const char* path, absl::Status (*check)(const Request&),
    std::function<Part(const Request&, SessionRegistry&, HubShard&)> ask,
    std::function<grpc::Status(const Request&, std::vector<Part>, Response*)> answer) {
  AdminOp<Request, Response> op;
  op.path = path;
  op.check = check;
  op.local = [&parts, ask = std::move(ask), answer = std::move(answer)](
                 const Request& request, typename AdminOp<Request, Response>::Done done) {
    // Request and operation live until the answer.
    Gather<Part>::Run(
        parts.workers,
        [&request, &ask](SessionRegistry& sessions, HubShard& hub) {
          return ask(request, sessions, hub);
        },
        [&request, &answer, done = std::move(done)](std::vector<Part> all, bool complete) {
          Response response;
          grpc::Status status = complete ? answer(request, std::move(all), &response) : Stopping();
          done(std::move(status), std::move(response));
        });
  };
  op.merge = [](const Request& request, std::vector<Response> answers, Response* response) {
    MergeNodes(request, std::move(answers), response);
  };
  return op;
}

}  // namespace spillway::edge
