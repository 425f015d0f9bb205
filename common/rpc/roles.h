#pragma once

#include <string_view>

#include "spillway/v1/access.pb.h"

namespace google::protobuf {
class MethodDescriptor;
}

namespace spillway::rpc {

// Pure functions; any thread.

// "operator"; "none" of ROLE_UNSPECIFIED.
std::string_view RoleName(v1::Role role);

// Whether somebody with the role `has` may do what `needs` says. Nobody may do what says nothing.
bool RoleAllows(v1::Role has, v1::Role needs);

// What the method's definition says (option required_role).
v1::Role RequiredRole(const google::protobuf::MethodDescriptor& method);

}  // namespace spillway::rpc
