#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>

#include "common/rpc/authorizer.h"
#include "common/rpc/tls.h"

namespace spillway::rpc {

// Server credentials, plain text or TLS, whose authorizer is asked before a call reaches its
// handler. grpc++'s own insecure credentials take no AuthMetadataProcessor, although the core below
// does; and a server interceptor cannot keep a callback handler from running. So this sets the
// core's processor itself.
std::shared_ptr<grpc::ServerCredentials> PortCredentials(std::optional<TlsMaterial> tls,
                                                         Authorizer authorize);

}  // namespace spillway::rpc
