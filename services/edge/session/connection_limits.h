#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "services/edge/session/blocks.h"
#include "services/edge/session/connection_gate.h"
#include "services/edge/session/ip_limits.h"
#include "services/edge/session/rate.h"
#include "services/edge/session/user_limits.h"

namespace spillway::edge {

// What bounds who comes in on this node, beside the number of connections (ConnectionGate).
// Thread-safe. Owned by the composition root; outlives all connections.
class ConnectionLimits {
 public:
  struct Options {
    Rate handshakes = {};  // upgrades, of the node
    UserLimits::Options users = {};
    IpLimits::Options ips = {};
    int64_t unauthenticated = INT64_MAX;  // connections whose client has yet to send its token
    Blocks::Options blocks = {};
  };

  // `clock` outlives it.
  ConnectionLimits(const Options& options, const Clock& clock)
      : users(options.users, clock),
        ips(options.ips, clock),
        blocks(options.blocks, clock),
        unauthenticated(options.unauthenticated),
        rate_(options.handshakes) {}

  // False: one too many.
  bool TakeHandshake(MonoTime now) { return handshakes_.Take(now, rate_); }

  UserLimits users;
  IpLimits ips;
  Blocks blocks;
  ConnectionGate unauthenticated;

 private:
  const Rate rate_;
  SharedBucket handshakes_;
};

// What a connection holds of the node's bounds until its end.
struct ConnectionPlace {
  ConnectionGate::Slot node;
  IpLimits::Place ip;
  UserLimits::Place user;
};

}  // namespace spillway::edge
