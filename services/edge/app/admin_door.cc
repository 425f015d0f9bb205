#include "services/edge/app/admin_door.h"

#include "common/app/callers.h"
#include "services/edge/control/cluster_call.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {
namespace {

v1::Role RoleOf(const v1::AdminCallerConfig& caller) {
  switch (caller.role()) {
    case v1::ADMIN_ROLE_VIEWER:
      return v1::ROLE_VIEWER;
    case v1::ADMIN_ROLE_OPERATOR:
      return v1::ROLE_OPERATOR;
    case v1::ADMIN_ROLE_ADMIN:
      return v1::ROLE_ADMIN;
    default:
      return v1::ROLE_UNSPECIFIED;
  }
}

}  // namespace

rpc::Access::Door AdminDoorOf(const v1::AdminConfig& config) {
  // Naming a message links the description of the service in, which is asked what its methods need.
  (void)v1::GetStatsRequest::descriptor();
  return {.key = "edge.admin",
          .services = {kAdminService},
          .callers = app::CallersOf("edge.admin", config, v1::ROLE_ADMIN, RoleOf),
          .open_role = v1::ROLE_ADMIN};
}

}  // namespace spillway::edge
