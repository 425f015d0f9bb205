#pragma once

#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/access.h"
#include "services/edge/control/members.h"
#include "services/edge/control/node_calls.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// What one node answered.
template <typename Response>
struct NodeAnswer {
  std::string node_id;
  grpc::Status status;
  Response response;
};

// Why a node did not answer: a stable code (docs/errors.md).
std::string_view NodeErrorCode(const grpc::Status& status);
// `count` is only looked at if it answered.
v1::NodeResult NodeResultOf(const std::string& node_id, const grpc::Status& status, uint64_t count);
// What the whole call comes to: it is good if one node's is; else what was wrong, and a node
// without what was asked for only counts if that goes for all.
grpc::Status OutcomeOf(const std::vector<const grpc::Status*>& statuses);

inline constexpr char kAdminService[] = "spillway.v1.AdminService";

// How this node asks the others, and who may ask it. Immutable; what it refers to outlives it.
struct Cluster {
  std::string node_id;  // this node
  std::chrono::milliseconds timeout{2'000};
  Members* members = nullptr;
  NodeCalls* calls = nullptr;
  const rpc::Access* access = nullptr;  // null: anybody may
};

// Asks all other edges at once, each for itself alone (so that none asks further), and `done` gets
// every answer, by node id, once: on a thread of gRPC, or at once. `caller`: for whom.
template <typename Request, typename Response>
void AskPeers(const Cluster& cluster, const char* method, const Request& request,
              const rpc::Caller& caller,
              std::function<void(std::vector<NodeAnswer<Response>>)> done) {
  struct State {
    std::vector<NodeAnswer<Response>> answers;
    std::atomic<size_t> left{0};
    std::function<void(std::vector<NodeAnswer<Response>>)> done;
  };
  const std::vector<v1::Node> peers = cluster.members->Peers();
  if (peers.empty()) return done({});
  const auto state = std::make_shared<State>();
  state->answers.resize(peers.size());
  state->left = peers.size();
  state->done = std::move(done);
  Request alone = request;
  alone.set_scope(v1::SCOPE_NODE);
  for (size_t i = 0; i < peers.size(); ++i) {
    NodeAnswer<Response>& answer = state->answers[i];
    answer.node_id = peers[i].node_id();
    const auto finish = [state, i](const grpc::Status& status) {
      NodeAnswer<Response>& told = state->answers[i];
      told.status = status;
      if (status.ok() && told.response.node_id() != told.node_id) {
        told.status = {grpc::StatusCode::FAILED_PRECONDITION,
                       "another node answers at its address: " + told.response.node_id()};
      }
      if (state->left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        state->done(std::move(state->answers));
      }
    };
    const std::string& address = peers[i].addresses().grpc_address();
    if (address.empty()) {
      finish({grpc::StatusCode::UNIMPLEMENTED, "it has no admin server (admin.listen)"});
      continue;
    }
    cluster.calls->Call(address, method, alone, &answer.response, cluster.timeout, finish,
                        caller.name(), caller.correlation_id);
  }
}

}  // namespace spillway::edge
