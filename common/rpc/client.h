#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/limits.h"
#include "common/rpc/tls.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace spillway::rpc {

struct ChannelOptions {
  TlsFiles tls;
  std::string tls_server_name;  // checked in place of the address's host when set
  int max_message_bytes = kMaxMessageBytes;
  // Between attempts to connect: grows from the first to the second.
  std::chrono::milliseconds initial_backoff{100};
  std::chrono::milliseconds max_backoff{2'000};
  // For one attempt (gRPC calls the setting "minimum reconnect backoff").
  std::chrono::milliseconds connect_timeout{1'000};
};

// A channel to one address (host:port) with a connection of its own: gRPC would else share one
// between channels of equal settings. Connects on first use. InvalidArgument for bad TLS files.
// Never destroy the last reference in a gRPC callback.
absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(const std::string& address,
                                                             const ChannelOptions& options = {});

// Adds "authorization: Bearer <token>" to a call; nothing when the token is empty.
void AddBearer(const std::string& token, grpc::ClientContext* context);

}  // namespace spillway::rpc
