#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>

#include "absl/status/statusor.h"
#include "services/edge/control/admin_call.h"
#include "services/edge/control/admin_service.h"
#include "services/edge/control/control_entries.h"

namespace spillway::edge {

// The calls for blocks and revocations: an entry acts here and on all other edges at once, and is
// written to Kafka meanwhile. Thread-safe. Owned by the service; what it is given outlives it.
class AdminControl {
 public:
  using Done = std::function<void(const grpc::Status& status)>;

  AdminControl(const AdminParts& parts, std::chrono::milliseconds revocation_ttl);

  const ControlEntries& entries() const { return entries_; }
  const AdminOp<v1::ListBlocksRequest, v1::ListBlocksResponse> list_blocks;

  // `response` lives until `done`, which is called once. `caller`: who asks for it.
  void Change(const absl::StatusOr<v1::ControlEntry>& entry, v1::Scope scope, bool dry_run,
              const rpc::Caller& caller, v1::ControlResponse* response, Done done);
  // On this node alone.
  void ApplyHere(const v1::ControlEntry& entry, bool dry_run, v1::ControlResponse* response,
                 Done done);

 private:
  struct Changing;

  // An entry that can be taken: counts the connections that it means, and brings it into force.
  void Apply(const v1::ControlEntry& entry, bool dry_run, v1::ControlResponse* response, Done done);

  const AdminParts& parts_;
  const ControlEntries entries_;
};

// The nodes of a cluster, in order.
void FillNodes(Members& members, v1::Node self, v1::ListNodesResponse* response);

}  // namespace spillway::edge
