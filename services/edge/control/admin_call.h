#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/correlation.h"
#include "common/rpc/status.h"
#include "services/edge/control/cluster_call.h"

namespace spillway::edge {

// What a call of the admin API is made of. Owned by the service; outlives its calls.
template <typename Request, typename Response>
struct AdminOp {
  using Done = std::function<void(grpc::Status status, Response response)>;

  const char* path;  // "/spillway.v1.AdminService/GetStats"
  std::function<absl::Status(const Request&)> check;
  // What it does on this node. The request lives until `done`, which is called once, on any thread.
  std::function<void(const Request&, Done done)> local;
  // One answer of those of nodes, of which there is at least one. Each names its node.
  std::function<void(const Request&, std::vector<Response>, Response*)> merge;
  // What NodeResult.count says; null: nothing.
  std::function<uint64_t(const Response&)> count = nullptr;
  // Told of every call that was carried out or refused, and by whom; null: nobody is.
  std::function<void(const Request&, const grpc::Status& outcome, const rpc::Caller&)> audit =
      nullptr;
};

template <typename Response>
void MergeAnswers(std::vector<NodeAnswer<Response>>* answers,
                  const std::function<uint64_t(const Response&)>& count,
                  std::vector<Response>* good, std::vector<v1::NodeResult>* nodes,
                  grpc::Status* outcome) {
  std::vector<const grpc::Status*> statuses;
  for (NodeAnswer<Response>& answer : *answers) {
    statuses.push_back(&answer.status);
    nodes->push_back(NodeResultOf(answer.node_id, answer.status,
                                  count && answer.status.ok() ? count(answer.response) : 0));
    if (answer.status.ok()) good->push_back(std::move(answer.response));
  }
  *outcome = OutcomeOf(statuses);
}

// Carries a call out here and, if it is of the whole cluster, on the other edges at the same time.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* RunAdminOp(const Cluster& cluster, const AdminOp<Request, Response>& op,
                                     grpc::CallbackServerContext* context, const Request* request,
                                     Response* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  rpc::Caller caller =
      op.audit ? rpc::CallerOf(cluster.access, *context, kAdminService) : rpc::Caller();
  caller.correlation_id = rpc::CorrelationIdOf(*context);
  if (absl::Status status = op.check(*request); !status.ok()) {
    const grpc::Status refusal = rpc::ToGrpcStatus(status);
    if (op.audit) op.audit(*request, refusal, caller);
    reactor->Finish(refusal);
    return reactor;
  }
  struct State {
    std::vector<NodeAnswer<Response>> answers;  // this node's first
    std::vector<NodeAnswer<Response>> others;
    std::atomic<int> left{2};
  };
  const auto state = std::make_shared<State>();
  state->answers.resize(1);
  state->answers[0].node_id = cluster.node_id;
  // Request and response live until Finish.
  const auto one_done = [state, &cluster, &op, caller, request, response, reactor] {
    if (state->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    for (auto& other : state->others) state->answers.push_back(std::move(other));
    std::vector<Response> good;
    std::vector<v1::NodeResult> nodes;
    grpc::Status outcome;
    MergeAnswers(&state->answers, op.count, &good, &nodes, &outcome);
    if (outcome.ok()) {
      op.merge(*request, std::move(good), response);
      response->set_node_id(cluster.node_id);
      for (v1::NodeResult& node : nodes) *response->add_nodes() = std::move(node);
    }
    if (op.audit) op.audit(*request, outcome, caller);
    reactor->Finish(outcome);
  };
  op.local(*request, [state, one_done, &cluster](grpc::Status status, Response own) {
    own.clear_nodes();
    own.set_node_id(cluster.node_id);
    state->answers[0].status = std::move(status);
    state->answers[0].response = std::move(own);
    one_done();
  });
  if (request->scope() == v1::SCOPE_NODE) {
    one_done();
  } else {
    AskPeers<Request, Response>(cluster, op.path, *request, caller,
                                [state, one_done](auto answers) {
                                  for (auto& answer : answers) answer.response.clear_nodes();
                                  state->others = std::move(answers);
                                  one_done();
                                });
  }
  return reactor;
}

}  // namespace spillway::edge
