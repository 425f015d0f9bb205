#include "services/edge/control/admin_drain.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "services/edge/control/admin_workers_op.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kMostMs = 24LL * 3600 * 1000;

absl::Status CheckNode(const std::string& node_id, v1::Scope scope) {
  if (scope == v1::SCOPE_CLUSTER) {
    return absl::InvalidArgumentError(
        "scope is the cluster: one node after the other is drained, each by its own call");
  }
  if (!node_id.empty() || scope == v1::SCOPE_NODE) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "node_id is empty: name the node, as ListNodes does, or set scope to SCOPE_NODE for the one "
      "that is called");
}

// Why a node that was asked does not do it.
grpc::Status FromNode(const grpc::Status& status, const std::string& node_id) {
  if (status.ok()) return status;
  return {status.error_code(), absl::StrCat(node_id, ": ", status.error_message())};
}

}  // namespace

absl::Status CheckDrain(const v1::DrainRequest& request) {
  if (absl::Status status = CheckNode(request.node_id(), request.scope()); !status.ok()) {
    return status;
  }
  if (request.duration_ms() < 0 || request.duration_ms() > kMostMs) {
    return absl::InvalidArgumentError(
        absl::StrCat("duration_ms is ", request.duration_ms(), ": at most a day, ", kMostMs));
  }
  if (!request.has_lead_ms()) return absl::OkStatus();
  if (request.lead_ms() < 0 || request.lead_ms() > kMostMs ||
      (request.duration_ms() != 0 && request.lead_ms() > request.duration_ms())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "lead_ms is ", request.lead_ms(), ": it is a part of duration_ms, and at most a day"));
  }
  return absl::OkStatus();
}

NodeDrain::Times DrainTimes(const v1::DrainRequest& request, const NodeDrain::Times& configured) {
  const milliseconds whole(request.duration_ms());
  NodeDrain::Times times = configured;
  if (request.has_lead_ms()) {
    times.lead = milliseconds(request.lead_ms());
  } else if (whole.count() > 0) {
    times.lead = std::min(times.lead, whole / 2);
  }
  if (whole.count() > 0) times.spread = whole - times.lead;
  return times;
}

bool AdminDrain::DrainHere(const v1::DrainRequest& request) const {
  return parts_.drain.Drain(DrainTimes(request, parts_.drain_times));
}

bool AdminDrain::UndrainHere(const v1::UndrainRequest&) const { return parts_.drain.Undrain(); }

void AdminDrain::Describe(v1::DrainResponse* response, Done done) const {
  const NodeDrain::Status status = parts_.drain.status();
  response->set_node_id(parts_.cluster.node_id);
  response->set_stage(status.stage);
  response->set_left_ms(status.left.count());
  response->set_others(parts_.cluster.members->PublicAddresses().size());
  Gather<uint64_t>::Run(
      parts_.workers,
      [](SessionRegistry& sessions, HubShard&) -> uint64_t { return sessions.size(); },
      [response, done = std::move(done)](const std::vector<uint64_t>& counts, bool complete) {
        for (uint64_t count : counts) response->set_connections(response->connections() + count);
        done(complete ? grpc::Status::OK : Stopping());
      });
}

template <typename Request>
void AdminDrain::Run(const Request& request, const char* method, v1::DrainResponse* response,
                     bool (AdminDrain::*here)(const Request&) const, const Done& done) const {
  const Cluster& cluster = parts_.cluster;
  const std::string& node_id = request.node_id();
  if (node_id.empty() || node_id == cluster.node_id) {
    if (!request.dry_run() && !(this->*here)(request)) return done(Stopping());
    return Describe(response, done);
  }
  if (request.scope() == v1::SCOPE_NODE) {
    return done({grpc::StatusCode::FAILED_PRECONDITION,
                 absl::StrCat("this node is ", cluster.node_id, ", not ", node_id)});
  }
  const std::vector<v1::Node> peers = cluster.members->Peers();
  const auto peer = std::find_if(peers.begin(), peers.end(),
                                 [&](const v1::Node& node) { return node.node_id() == node_id; });
  if (peer == peers.end()) {
    return done({grpc::StatusCode::NOT_FOUND,
                 absl::StrCat("there is no edge ", node_id, ": ListNodes shows those there are")});
  }
  if (peer->addresses().grpc_address().empty()) {
    return done({grpc::StatusCode::UNIMPLEMENTED,
                 absl::StrCat(node_id, ": it has no admin server (admin.listen)")});
  }
  Request alone = request;
  alone.set_scope(v1::SCOPE_NODE);
  cluster.calls->Call(
      peer->addresses().grpc_address(), method, alone, response, cluster.timeout,
      [done, node_id](const grpc::Status& status) { done(FromNode(status, node_id)); });
}

void AdminDrain::Drain(const v1::DrainRequest& request, v1::DrainResponse* response,
                       Done done) const {
  if (absl::Status status = CheckDrain(request); !status.ok()) {
    return done(rpc::ToGrpcStatus(status));
  }
  Run(request, "/spillway.v1.AdminService/Drain", response, &AdminDrain::DrainHere, done);
}

void AdminDrain::Undrain(const v1::UndrainRequest& request, v1::DrainResponse* response,
                         Done done) const {
  if (absl::Status status = CheckNode(request.node_id(), request.scope()); !status.ok()) {
    return done(rpc::ToGrpcStatus(status));
  }
  Run(request, "/spillway.v1.AdminService/Undrain", response, &AdminDrain::UndrainHere, done);
}

}  // namespace spillway::edge
