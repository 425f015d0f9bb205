#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/edge/net/poller.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/counters.h"

namespace spillway::edge::net {

// A listening socket of one worker. Others listen at the same address (SO_REUSEPORT) and the kernel
// spreads clients over them. Takes several clients a wake-up. Out of descriptors or memory it
// rests, longer each time, instead of spinning. Belongs to its worker, which owns it, and to that
// worker's thread.
class Listener final : public PollTarget {
 public:
  // Takes a connected, non-blocking socket over, and its peer's address.
  using OnSocket = std::function<void(int fd, const sockaddr_storage& peer)>;

  struct Options {
    std::string address;  // an IP address
    uint16_t port = 0;    // 0: any free one
    // TCP_NOTSENT_LOWAT of its clients, see WorkerOptions; 0: the kernel's default.
    int notsent_lowat_bytes = 0;
  };

  // Bound and listening, not accepting yet. All references outlive the listener. InvalidArgument:
  // not an IP address; Unavailable: cannot be bound.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const Options& options, Poller& poller,
                                                        TimingWheel& wheel,
                                                        ws::WorkerCounters& counters,
                                                        OnSocket on_socket);
  ~Listener() override;

  uint16_t port() const { return port_; }
  void Accept();
  void Close();

  void OnReady(uint32_t events) override;

 private:
  Listener(Poller& poller, TimingWheel& wheel, ws::WorkerCounters& counters, OnSocket on_socket);
  absl::Status Bind(const Options& options);
  void Rest(int error);

  Poller& poller_;
  TimingWheel& wheel_;
  ws::WorkerCounters& counters_;
  OnSocket on_socket_;
  int fd_ = -1;
  uint16_t port_ = 0;
  Timer rest_timer_ = Timer::Of<&Listener::Accept>(this);
  std::chrono::milliseconds rest_;
};

// The IP address in `peer`, as text. A client that came over IPv4 to a socket of IPv6 has its own
// address, not that mapped into IPv6: one client has one text.
std::string IpText(const sockaddr_storage& peer);

}  // namespace spillway::edge::net
