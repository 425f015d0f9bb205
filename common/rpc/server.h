#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/access.h"
#include "common/rpc/limits.h"
#include "common/rpc/tls.h"

namespace grpc {
class Channel;
class Server;
class Service;
}  // namespace grpc

namespace spillway::rpc {

class ReloadedTls;

struct ServerOptions {
  std::string address =
      "127.0.0.1:0";  // host:port, [v6]:port or unix:path; port 0 picks a free one
  std::vector<grpc::Service*> services;  // not owned; must outlive the server
  std::shared_ptr<const Access> access;  // null: every call may pass
  TlsFiles tls;  // may be replaced while it runs: looked at every kTlsLookInterval
  const Clock* clock = &Clock::Real();  // outlives the server
  int max_message_bytes = kMaxMessageBytes;
};

// A running gRPC server with reflection and grpc.health.v1, so that grpcurl works bare. Its calls
// have correlation ids (common/rpc/correlation.h).
// Start, SetServing, Shutdown and the destructor are for one thread, the owner's (the composition
// root); services' methods run on gRPC's own threads.
class Server {
 public:
  // Binds and serves. InvalidArgument for bad TLS files, Unavailable when the address cannot be
  // bound.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  // Shuts down at once if that was not done before.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }  // 0 for unix sockets
  // Times that changed TLS files could not be used: what was there before stays. Any thread.
  uint64_t tls_reload_failures() const;

  // To this very server, without a port: who may call is not asked. Before Shutdown().
  std::shared_ptr<grpc::Channel> InProcess();

  // What grpc.health.v1 answers for the server as a whole and each service. Serving from the start.
  void SetServing(bool serving);

  // Accepts no more calls, lets the running ones end for `grace`, then cancels the rest and returns
  // when every handler is done: a stream's reactor must Finish when it is cancelled. Idempotent.
  void Shutdown(std::chrono::milliseconds grace);

 private:
  Server() = default;

  std::shared_ptr<ReloadedTls> tls_;  // asked by the server to its end; null: plain text
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  bool stopped_ = false;
};

}  // namespace spillway::rpc
