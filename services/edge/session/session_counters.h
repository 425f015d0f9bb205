#pragma once

#include <vector>

#include "common/metrics/metrics.h"

namespace spillway::edge {

// What one worker counts about its sessions. Written by that worker's thread, read by any. Owned by
// the composition root; outlives the sessions.
struct SessionCounters {
  metrics::Gauge connections;
  metrics::Counter opened;
  metrics::Counter closed;
  metrics::Counter messages_sent;        // queued for clients
  metrics::Counter messages_compressed;  // of these, in compressed frames
  metrics::Counter messages_received;
  metrics::Counter pings_sent;
  metrics::Counter heartbeat_failures;  // closed because the client was silent
  metrics::Counter subscribed;          // commands and endpoints' own
  metrics::Counter unsubscribed;
  metrics::Counter errors_sent;
  metrics::Counter bad_messages;
  metrics::Counter misuse_closes;  // closed after too many bad messages
  metrics::Counter rate_limited;
  // Upgrades refused, by reason.
  metrics::Counter refused_path;      // 404
  metrics::Counter refused_token;     // 401
  metrics::Counter refused_param;     // 400, 403
  metrics::Counter refused_capacity;  // 503
  metrics::Histogram duration_seconds{
      {1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21'600, 86'400}};
};

}  // namespace spillway::edge
