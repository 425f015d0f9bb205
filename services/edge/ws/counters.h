#pragma once

#include "common/metrics/metrics.h"

namespace spillway::edge::ws {

// What a worker's backlogs did. Written by the worker's thread, read by any.
struct BacklogCounters {
  metrics::Counter queued;            // frames that the kernel did not take at once
  metrics::Counter conflated;         // events replaced by a newer one of their key
  metrics::Counter dropped_oldest;    // given up for a newer one of their channel
  metrics::Counter dropped_newest;    // refused
  metrics::Counter dropped_yielding;  // given up for another channel's, of no lower priority
  metrics::Counter gaps;              // gap messages made
  metrics::Gauge bytes;               // that wait now, as BacklogLimits counts
  metrics::Gauge messages;
};

// What one worker counts about its connections. Written by that worker's thread, read by any.
// Owned by the worker.
struct WorkerCounters {
  metrics::Counter accepted;       // sockets accepted
  metrics::Counter accept_pauses;  // times accepting stopped for lack of descriptors
  metrics::Counter http_requests;  // answered without an upgrade
  metrics::Counter handshake_timeouts;
  metrics::Counter handshakes_dropped;  // closed because there were too many
  metrics::Gauge handshakes;            // clients without a connection yet
  metrics::Counter bad_proxy_headers;   // sockets of trusted proxies that began otherwise
  metrics::Counter tls_handshakes;      // done
  metrics::Counter tls_resumptions;     // of them, by a ticket
  metrics::Counter tls_failures;        // not done: not TLS, no common version, a wrong certificate
  metrics::Counter upgrades_refused;    // malformed, or by the acceptor
  metrics::Counter opened;              // connections upgraded
  metrics::Counter ended;               // and gone again: opened - ended are there
  metrics::Counter messages_in;
  metrics::Counter bytes_in;
  metrics::Counter frames_out;  // taken by the kernel whole
  metrics::Counter bytes_out;
  metrics::Counter writes;        // system calls that wrote something
  metrics::Counter write_stalls;  // writes that the kernel took in part or not at all
  BacklogCounters backlog;
  metrics::Counter slow_closes;      // closed because they did not read fast enough
  metrics::Counter write_timeouts;   // of these: the kernel took nothing for too long
  metrics::Counter protocol_errors;  // closed because of what the peer sent
  metrics::Counter too_big;          // of these: a message was too big
};

}  // namespace spillway::edge::ws
