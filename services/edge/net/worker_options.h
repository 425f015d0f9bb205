#pragma once

#include <chrono>
#include <cstddef>

#include "services/edge/net/trusted_proxies.h"
#include "services/edge/ws/connection.h"

namespace spillway::edge::net {

// What all workers of a pool have in common.
struct WorkerOptions {
  ws::ConnectionOptions connection;
  bool deflate = false;  // offer permessage-deflate to clients that ask for it
  std::chrono::milliseconds handshake_timeout{
      10000};  // from accept (or the last response) to a whole request
  TrustedProxies trusted_proxies;
  // Sockets of trusted proxies begin with a header of the PROXY protocol, before TLS.
  bool proxy_protocol = false;
  size_t max_handshakes = 5'000;        // clients without a connection yet; above, the oldest goes
  size_t max_header_bytes = 16 * 1024;  // above: 431
  size_t max_body_bytes = 64 * 1024;    // above: 413
  size_t receive_buffer_bytes = 64 * 1024;  // one for each worker
  // TCP_NOTSENT_LOWAT: how much unsent data the kernel takes per socket, so that a backlog stays in
  // our queue. 0: the kernel's default.
  int notsent_lowat_bytes = 128 * 1024;
  std::chrono::milliseconds tick{100};  // resolution of timers
};

}  // namespace spillway::edge::net
