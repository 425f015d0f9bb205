#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "common/rpc/access.h"
#include "common/rpc/reloaded_tls.h"

namespace spillway::rpc {

// Server credentials, plain text or TLS; `access` (null: everybody may call) is asked before a call
// reaches its handler. `tls` (null: plain text) outlives the server. grpc++'s own insecure
// credentials take no AuthMetadataProcessor, although the core below does; and a server interceptor
// cannot keep a callback handler from running. So this sets the core's processor itself.
std::shared_ptr<grpc::ServerCredentials> PortCredentials(ReloadedTls* tls,
                                                         std::shared_ptr<const Access> access);

}  // namespace spillway::rpc
