#include "common/rpc/roles.h"

#include <google/protobuf/descriptor.h>

namespace spillway::rpc {
namespace {

// Viewers, operators and admins may each do what those before may.
bool IsOperators(v1::Role role) {
  return role == v1::ROLE_VIEWER || role == v1::ROLE_OPERATOR || role == v1::ROLE_ADMIN;
}

}  // namespace

std::string_view RoleName(v1::Role role) {
  switch (role) {
    case v1::ROLE_VIEWER:
      return "viewer";
    case v1::ROLE_OPERATOR:
      return "operator";
    case v1::ROLE_ADMIN:
      return "admin";
    case v1::ROLE_PUBLISHER:
      return "publisher";
    case v1::ROLE_EDGE:
      return "edge";
    default:
      return "none";
  }
}

bool RoleAllows(v1::Role has, v1::Role needs) {
  if (needs == v1::ROLE_UNSPECIFIED || has == v1::ROLE_UNSPECIFIED) return false;
  if (IsOperators(needs)) return IsOperators(has) && has >= needs;
  return has == needs;
}

v1::Role RequiredRole(const google::protobuf::MethodDescriptor& method) {
  return method.options().GetExtension(v1::required_role);
}

}  // namespace spillway::rpc
