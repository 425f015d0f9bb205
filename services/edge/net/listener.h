#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/edge/net/asio_types.h"
#include "services/edge/ws/counters.h"

namespace spillway::edge::net {

// A listening socket of one worker. Others listen at the same address (SO_REUSEPORT) and the kernel
// spreads clients over them. Out of descriptors or memory it rests, longer each time, instead of
// spinning. Belongs to its worker, which owns it, and to that worker's thread.
class Listener {
 public:
  using OnSocket = std::function<void(TcpSocket)>;

  // Bound and listening, not accepting yet. InvalidArgument: not an IP address; Unavailable: cannot
  // be bound.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(IoContext& io, const std::string& address,
                                                        uint16_t port, ws::WorkerCounters& counters,
                                                        OnSocket on_socket);

  uint16_t port() const { return port_; }
  void Accept();
  void Close();

 private:
  Listener(IoContext& io, ws::WorkerCounters& counters, OnSocket on_socket);
  absl::Status Bind(const std::string& address, uint16_t port);
  void OnAccept(const boost::system::error_code& error, TcpSocket socket);
  void Rest(const boost::system::error_code& error);

  IoContext& io_;
  ws::WorkerCounters& counters_;
  OnSocket on_socket_;
  TcpAcceptor acceptor_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>,
                                    IoContext::executor_type>
      rest_timer_;
  std::chrono::milliseconds rest_;
  uint16_t port_ = 0;
};

}  // namespace spillway::edge::net
