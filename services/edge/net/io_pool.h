#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/edge/net/http_routes.h"
#include "services/edge/net/worker.h"
#include "services/edge/session/acceptor.h"

namespace spillway::edge::net {

// The workers of a process. Owned by the application, which calls it from one thread; stopped
// before what its handlers use is destroyed.
class IoPool {
 public:
  // `count` workers, one a core. They exist from here on, so that others can be wired to them.
  IoPool(size_t count, const WorkerOptions& options, Clock& clock);
  ~IoPool();

  // Before Start(), any number of times: all workers accept on address:port. Port 0: any free one,
  // the same for all. Returns the port. `acceptor` and `tls` (null: without TLS) outlive the pool;
  // `routes` is copied.
  absl::StatusOr<uint16_t> Listen(const std::string& address, uint16_t port, HttpRoutes routes,
                                  Acceptor& acceptor, ws::TlsServer* tls = nullptr);
  void Start();

  size_t size() const { return workers_.size(); }
  Worker& worker(size_t index) { return *workers_[index]; }

  // Connections open now.
  uint64_t connections() const;
  // Stops accepting; connections stay.
  void StopAccepting();
  // Stops accepting, closes every connection with 1001 and `reason`, waits until they are gone or
  // `grace` is over, ends what is left, and joins the threads. Blocks.
  void Stop(std::chrono::milliseconds grace, std::string_view reason = "server is shutting down");

 private:
  std::vector<std::unique_ptr<HttpRoutes>> routes_;  // outlive the workers
  std::vector<std::unique_ptr<Worker>> workers_;
  bool running_ = false;
};

}  // namespace spillway::edge::net
