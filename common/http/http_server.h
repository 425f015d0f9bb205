#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/http/routes.h"

namespace spillway::http {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an IP address
  uint16_t port = 0;               // 0 picks a free one
  size_t max_connections = 128;    // further ones are closed at once
  size_t max_header_bytes = 16 * 1024;
  size_t max_body_bytes = 1024 * 1024;
  // For a request to arrive whole, and for its answer to leave; also how long a connection may
  // idle.
  std::chrono::milliseconds timeout{15'000};
};

// HTTP/1.1 for the operations port: health, readiness, metrics, admin. Not for client traffic.
// Has one thread of its own, which runs all handlers. Start, Stop and the destructor are for the
// owner (the composition root).
class HttpServer {
 public:
  // Binds and serves. InvalidArgument for a host that is no address, Unavailable when it cannot be
  // bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                           Routes routes);
  ~HttpServer();  // Stop(0)
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  // Connections turned away at the limit. Any thread.
  uint64_t rejected() const;

  // Accepts no more, closes what idles, lets answers under way leave for up to `grace`, then cuts.
  // Idempotent.
  void Stop(std::chrono::milliseconds grace);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::http
