#include "services/edge/net/io_pool.h"

#include <thread>
#include <utility>

namespace spillway::edge::net {

IoPool::IoPool(size_t count, const WorkerOptions& options, Clock& clock) {
  for (size_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, options, clock));
  }
}

IoPool::~IoPool() { Stop(std::chrono::milliseconds(0)); }

absl::StatusOr<uint16_t> IoPool::Listen(const std::string& address, uint16_t port,
                                        HttpRoutes routes, Acceptor& acceptor, ws::TlsServer* tls) {
  routes_.push_back(std::make_unique<HttpRoutes>(std::move(routes)));
  for (const auto& worker : workers_) {
    absl::StatusOr<uint16_t> bound = worker->Listen(address, port, *routes_.back(), acceptor, tls);
    if (!bound.ok()) return bound.status();
    port = *bound;
  }
  return port;
}

void IoPool::Start() {
  running_ = true;
  for (const auto& worker : workers_) worker->Start();
}

uint64_t IoPool::connections() const {
  uint64_t count = 0;
  for (const auto& worker : workers_) {
    const uint64_t ended =
        worker->counters().ended.Value();  // first: the difference is never negative
    count += worker->counters().opened.Value() - ended;
  }
  return count;
}

void IoPool::StopAccepting() {
  for (const auto& worker : workers_) {
    worker->Post([&worker = *worker] { worker.StopAccepting(); });
  }
}

void IoPool::Stop(std::chrono::milliseconds grace, std::string_view reason) {
  if (!running_) return;
  running_ = false;
  for (const auto& worker : workers_) {
    worker->Post([&worker = *worker, reason = std::string(reason)] {
      worker.StopAccepting();
      worker.connections().ShutDown(kCloseGoingAway, reason);
    });
  }
  constexpr std::chrono::milliseconds kStep{5};
  const auto deadline = std::chrono::steady_clock::now() + grace;
  while (connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kStep);
  }
  for (const auto& worker : workers_) worker->Stop();
}

}  // namespace spillway::edge::net
