#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/edge/net/http_routes.h"
#include "services/edge/net/mailbox.h"
#include "services/edge/net/worker_options.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/connection_set.h"
#include "services/edge/ws/counters.h"
#include "services/edge/ws/event_loop.h"

namespace spillway::edge::net {

class HttpSocket;

// One thread with its own event loop, listening sockets and share of connections, which never leave
// it.
//
// Asio runs HTTP, the wake-ups and the clock tick. Upgraded connections are in an epoll set of our
// own, watched by Asio as one descriptor: many of their events are taken by one call and cost no
// handler each.
//
// Owned by its IoPool. Start() and Stop() are called by the owner; Post(), index() and counters()
// by any thread; everything else on this worker's thread only, that is from posted tasks, timers
// and handlers.
class Worker final : private ws::EventLoop {
 public:
  Worker(size_t index, const WorkerOptions& options, Clock& clock);
  ~Worker() override;

  // Before Start(): accepts on address:port (0: any free one) together with the other workers that
  // listen there. Returns the port. `routes` and `acceptor` outlive the worker.
  absl::StatusOr<uint16_t> Listen(const std::string& address, uint16_t port,
                                  const HttpRoutes& routes, Acceptor& acceptor);
  void Start();
  // Ends all connections (their handlers hear 1001), then the thread. Tasks not run yet are
  // dropped.
  void Stop();

  // Runs `task` on this worker, in the order posted; a burst is one turn. What it sends leaves at
  // its end.
  void Post(Mailbox::Task task);

  size_t index() const { return index_; }
  const ws::WorkerCounters& counters() const { return counters_; }

  ws::ConnectionSet& connections() { return connections_; }
  TimingWheel& wheel() { return wheel_; }
  // Closes the listening sockets.
  void StopAccepting();

  // For this folder: runs `fn` as a turn, or as part of the one that is running.
  template <typename Fn>
  void RunTurn(Fn&& fn) {
    if (connections_.in_turn()) return std::forward<Fn>(fn)();
    connections_.BeginTurn();
    std::forward<Fn>(fn)();
    EndTurn();
  }
  ws::WorkerCounters& mutable_counters() { return counters_; }
  void AddHttpSocket(HttpSocket* socket) { http_sockets_.insert(socket); }
  void RemoveHttpSocket(HttpSocket* socket) { http_sockets_.erase(socket); }
  const WorkerOptions& options() const { return options_; }

 private:
  struct Io;  // what is made of Asio

  // ws::EventLoop.
  bool Watch(int fd, ws::Connection* connection) override;
  void WatchWrites(int fd, ws::Connection* connection, bool on) override;
  void Unwatch(int fd) override;
  void RequestTurn() override;

  void EndTurn();
  void AwaitEvents();
  void HandleEvents();
  void AwaitTick();
  void RunMailbox();

  const size_t index_;
  const WorkerOptions options_;
  ws::WorkerCounters counters_;
  TimingWheel wheel_;
  ws::ConnectionSet connections_;
  Mailbox mailbox_;
  std::vector<Mailbox::Task> tasks_;
  absl::flat_hash_set<HttpSocket*> http_sockets_;
  std::unique_ptr<char[]> receive_buffer_;
  bool turn_requested_ = false;
  bool ticking_ = false;
  std::unique_ptr<Io> io_;  // after what its pending handlers refer to
  std::thread thread_;
};

}  // namespace spillway::edge::net
