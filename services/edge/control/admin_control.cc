#include "services/edge/control/admin_control.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/control/control_entry.h"
#include "common/log/log.h"
#include "common/rpc/status.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/admin_workers_op.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

constexpr char kApplyControl[] = "/spillway.v1.AdminService/ApplyControl";
constexpr char kListBlocks[] = "/spillway.v1.AdminService/ListBlocks";

v1::ListBlocksResponse BlocksOf(const Blocks& blocks, const v1::ListBlocksRequest& request) {
  v1::ListBlocksResponse response;
  std::optional<v1::ControlKind> kind;
  if (request.kind() != v1::CONTROL_KIND_UNSPECIFIED) kind = request.kind();
  const size_t size = PageSize(request.page_size());
  std::vector<v1::ControlEntry> entries = blocks.List(kind, request.page_token(), size + 1);
  const bool more = entries.size() > size;
  if (more) entries.pop_back();
  if (more) response.set_next_page_token(control::KeyOf(entries.back()));
  for (v1::ControlEntry& entry : entries) *response.add_entries() = std::move(entry);
  return response;
}

}  // namespace

AdminControl::AdminControl(const AdminParts& parts, std::chrono::milliseconds revocation_ttl)
    : list_blocks{
          .path = kListBlocks,
          .check = CheckListBlocks,
          .local = [&parts](const v1::ListBlocksRequest& request,
                            auto done) { done(grpc::Status::OK, BlocksOf(parts.blocks, request)); },
          .merge = [](const auto& request, auto answers,
                      auto* response) { MergeNodes(request, std::move(answers), response); }},
      parts_(parts),
      entries_({.node_id = parts.cluster.node_id, .revocation_ttl = revocation_ttl}, parts.blocks,
               parts.clock) {}

void AdminControl::Apply(const v1::ControlEntry& entry, bool dry_run, v1::ControlResponse* response,
                         Done done) {
  response->set_node_id(parts_.cluster.node_id);
  *response->mutable_entry() = entry;
  if (!dry_run && parts_.control.Merge(entry) == Blocks::Merged::kFull) {
    return done({grpc::StatusCode::RESOURCE_EXHAUSTED,
                 absl::StrCat("control_full: ", parts_.blocks.max_entries(),
                              " blocks and revocations are in force, and no more may be "
                              "(edge.control.max_entries): lift some")});
  }
  if (entry.removed()) return done(grpc::Status::OK);
  // Looked at as if nobody else were kept out.
  const auto alone = std::make_shared<Blocks>(Blocks::Options{.max_entries = 1}, parts_.clock);
  alone->Merge(entry);
  Gather<uint64_t>::Run(
      parts_.workers,
      [alone](SessionRegistry& sessions, HubShard&) {
        uint64_t count = 0;
        for (const Session* session : sessions.All()) count += session->IsBlocked(*alone) ? 1 : 0;
        return count;
      },
      [response, done = std::move(done)](const std::vector<uint64_t>& parts, bool complete) {
        if (!complete) return done(Stopping());
        for (uint64_t part : parts) response->set_connections(response->connections() + part);
        done(grpc::Status::OK);
      });
  // Behind the counting, on each worker.
  if (!dry_run) parts_.control.Enforce();
}

void AdminControl::ApplyHere(const v1::ControlEntry& entry, bool dry_run,
                             v1::ControlResponse* response, Done done) {
  if (const absl::Status status = control::Check(entry); !status.ok()) {
    return done(rpc::ToGrpcStatus(status));
  }
  Apply(entry, dry_run, response, std::move(done));
}

// What is under way for one change. The last part to end answers.
struct AdminControl::Changing {
  std::atomic<int> left{3};
  v1::ControlEntry entry;
  NodeAnswer<v1::ControlResponse> own;
  std::vector<NodeAnswer<v1::ControlResponse>> others;
  ControlWriter::Result written;
  v1::ControlResponse* response;
  Done done;

  void Part() {
    if (left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::vector<const grpc::Status*> statuses = {&own.status};
    for (const auto& other : others) statuses.push_back(&other.status);
    const grpc::Status outcome = OutcomeOf(statuses);
    // What has come into force on some node, or was written, is not hidden by a failure of this
    // one. Where there is no room (control_full) it is dropped when it comes back by Kafka, too.
    const bool no_room = outcome.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
    if (!outcome.ok() && (no_room || !written.durable)) return done(outcome);
    if (own.status.ok()) *response = std::move(own.response);
    response->set_node_id(own.node_id);
    *response->mutable_entry() = entry;
    response->set_durable(written.durable);
    response->set_durable_error_code(written.error_code);
    response->set_durable_message(written.message);
    *response->add_nodes() = NodeResultOf(own.node_id, own.status, response->connections());
    for (const auto& other : others) {
      *response->add_nodes() =
          NodeResultOf(other.node_id, other.status, other.response.connections());
      if (other.status.ok()) {
        response->set_connections(response->connections() + other.response.connections());
      }
    }
    done(grpc::Status::OK);
  }
};

void AdminControl::Change(const absl::StatusOr<v1::ControlEntry>& entry, v1::Scope scope,
                          bool dry_run, const rpc::Caller& caller, v1::ControlResponse* response,
                          Done done) {
  if (!entry.ok()) return done(rpc::ToGrpcStatus(entry.status()));
  const auto changing = std::make_shared<Changing>();
  changing->entry = *entry;
  changing->own.node_id = parts_.cluster.node_id;
  changing->response = response;
  changing->done = std::move(done);
  if (!dry_run) {
    log::Info(entry->removed() ? "admin: a block is lifted" : "admin: a block is set",
              {{"kind", control::KindName(entry->kind())},
               {"subject", entry->subject()},
               {"reason", entry->reason()},
               {"actor", caller.name()},
               {"correlation_id", caller.correlation_id}});
  }
  // The others and Kafka first: they take longer.
  if (scope == v1::SCOPE_NODE) {
    changing->written = {.durable = false,
                         .error_code = "control_one_node",
                         .message = "it acts on this node alone, until its end or the node's"};
    changing->Part();
    changing->Part();
  } else {
    v1::ApplyControlRequest request;
    *request.mutable_entry() = *entry;
    request.set_dry_run(dry_run);
    AskPeers<v1::ApplyControlRequest, v1::ControlResponse>(parts_.cluster, kApplyControl, request,
                                                           caller, [changing](auto answers) {
                                                             changing->others = std::move(answers);
                                                             changing->Part();
                                                           });
    if (dry_run) {
      changing->Part();
    } else {
      parts_.writer.Write(*entry, [changing](ControlWriter::Result result) {
        changing->written = std::move(result);
        changing->Part();
      });
    }
  }
  Apply(*entry, dry_run, &changing->own.response, [changing](const grpc::Status& status) {
    changing->own.status = status;
    changing->Part();
  });
}

void FillNodes(Members& members, v1::Node self, v1::ListNodesResponse* response) {
  response->set_node_id(self.node_id());
  std::vector<v1::Node> nodes = members.Others();
  nodes.push_back(std::move(self));
  std::sort(nodes.begin(), nodes.end(), [](const v1::Node& a, const v1::Node& b) {
    return std::forward_as_tuple(a.kind(), a.node_id()) <
           std::forward_as_tuple(b.kind(), b.node_id());
  });
  for (v1::Node& node : nodes) *response->add_nodes() = std::move(node);
}

}  // namespace spillway::edge
