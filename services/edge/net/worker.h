#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/edge/net/http_routes.h"
#include "services/edge/net/mailbox.h"
#include "services/edge/net/poller.h"
#include "services/edge/net/worker_options.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/connection_set.h"
#include "services/edge/ws/counters.h"
#include "services/edge/ws/event_loop.h"
#include "services/edge/ws/tls_server.h"

namespace spillway::edge::net {

class HttpSession;
class Listener;

// One thread with its own event loop, listening sockets and share of connections, which never leave
// it.
//
// All that is ready when the loop wakes up is one turn: sockets, posted tasks, timers; and what all
// of it sends leaves at the turn's end.
//
// Owned by its IoPool. Start() and Stop() are called by the owner; Post(), index() and counters()
// by any thread; everything else on this worker's thread only, that is from posted tasks, timers
// and handlers.
class Worker final : private ws::EventLoop {
 public:
  Worker(size_t index, const WorkerOptions& options, Clock& clock);
  ~Worker() override;

  // Before Start(): accepts on address:port (0: any free one) together with the other workers that
  // listen there. `tls` null: without TLS. Returns the port. The others outlive the worker.
  absl::StatusOr<uint16_t> Listen(const std::string& address, uint16_t port,
                                  const HttpRoutes& routes, Acceptor& acceptor, ws::TlsServer* tls);
  void Start();
  // Ends all connections (their handlers hear 1001), then the thread. Tasks not run yet are
  // dropped.
  void Stop();

  // Runs `task` on this worker, in the order posted; a burst is one turn. What it sends leaves at
  // its end, and what it holds lives until then.
  void Post(Mailbox::Task task);

  size_t index() const { return index_; }
  const ws::WorkerCounters& counters() const { return counters_; }

  ws::ConnectionSet& connections() { return connections_; }
  TimingWheel& wheel() { return wheel_; }
  // Closes the listening sockets.
  void StopAccepting();

  // For this folder.
  const WorkerOptions& options() const { return options_; }
  ws::WorkerCounters& mutable_counters() { return counters_; }
  Poller& poller() { return poller_; }
  // For one read at a time.
  std::span<char> receive_buffer() {
    return {receive_buffer_.get(), options_.receive_buffer_bytes};
  }
  // Makes a connection of what an HTTP session served so far; `watched`: its descriptor is in the
  // poller already. See ConnectionSet::Add().
  void Upgrade(std::unique_ptr<ws::ByteStream> stream, std::unique_ptr<TransportHandler> handler,
               const std::optional<ws::DeflateAgreement>& deflate, std::string_view answer,
               char* leftover, size_t leftover_size, bool watched);
  // Destroys the session when the turn ends.
  void EndHttp(HttpSession& session);
  // Keeps it apart while its upgrade is being decided about.
  void SetDeciding(HttpSession& session, bool deciding);

 private:
  // ws::EventLoop.
  bool Watch(int fd, ws::Connection* connection) override;
  void WatchWrites(int fd, ws::Connection* connection, bool on) override;
  void Unwatch(int fd) override;
  void RequestTurn() override { turn_requested_ = true; }

  void Run();
  void Turn(int events);
  void HandleEvent(ws::Connection& connection, uint32_t events);
  void RunMailbox();
  void AdvanceTimers();
  int WaitMilliseconds();
  void StartHttp(std::unique_ptr<ws::ByteStream> stream, std::string remote_ip,
                 const HttpRoutes& routes, Acceptor& acceptor);
  void CountHandshakes();
  void ShutDown();

  const size_t index_;
  const WorkerOptions options_;
  Clock& clock_;
  ws::WorkerCounters counters_;
  Poller poller_;
  TimingWheel wheel_;
  MonoTime next_tick_;
  ws::ConnectionSet connections_;
  Mailbox mailbox_;
  std::vector<Mailbox::Task> tasks_;
  std::unique_ptr<char[]> receive_buffer_;
  std::list<std::unique_ptr<HttpSession>> http_sessions_;  // the oldest first
  // Whose upgrade is being decided about: their requests are here, so they make room for nobody.
  std::list<std::unique_ptr<HttpSession>> deciding_;
  std::vector<std::unique_ptr<HttpSession>> ended_http_sessions_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool turn_requested_ = false;
  bool upgrading_watched_ = false;  // the connection being added has its descriptor watched
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace spillway::edge::net
