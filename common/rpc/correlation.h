#pragma once

#include <memory>
#include <string>

namespace grpc {
class ClientContext;
class ServerContextBase;
namespace experimental {
class ServerInterceptorFactoryInterface;
}
}  // namespace grpc

namespace spillway::rpc {

// Correlation ids of calls (common/base/correlation_id.h).

// Of a call that is being served: the one that the caller gave, or that was made for it; "" of a
// call that streams requests, or reads, and gave none. Any thread, while the call lives.
std::string CorrelationIdOf(const grpc::ServerContextBase& context);

// Adds it to a call; nothing when it is empty.
void AddCorrelationId(const std::string& id, grpc::ClientContext* context);

// Hexadecimal, random. Any thread.
std::string NewCorrelationId();

// For a server: gives every call that does not stream requests, nor is one of reads, an id, and
// gives that back in its initial and its trailing metadata.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewCorrelationInterceptors();

}  // namespace spillway::rpc
