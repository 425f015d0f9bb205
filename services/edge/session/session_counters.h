#pragma once

#include <array>
#include <vector>

#include "common/auth/jwt.h"
#include "common/metrics/metrics.h"
#include "services/edge/session/publisher.h"

namespace spillway::edge {

inline const std::vector<double> kPublishSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                    0.1,    0.25,  0.5,    1,     2.5,  5,     10};

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
  metrics::Counter subscriptions_refused;  // too many of the connection
  metrics::Counter errors_sent;
  metrics::Counter bad_messages;
  metrics::Counter misuse_closes;  // closed after too many bad messages
  metrics::Counter rate_limited;
  metrics::Counter user_rate_limited;           // of these, by the rate of their user
  metrics::Counter node_rate_limited;           // messages refused by the rate of the node
  metrics::Counter subscribes_limited_user;     // channels refused by the rate of the user,
  metrics::Counter subscribes_limited_channel;  // by that of the channel's rule
  metrics::Counter patterns_refused;            // subscriptions to patterns, as too many
  std::array<metrics::Counter, auth::kJwtErrors> tokens;  // looked at, by outcome
  metrics::Counter connect_timeouts;                      // closed without a connect message
  metrics::Counter tokens_refreshed;                      // on live connections
  metrics::Counter token_expiries;                        // connections closed since theirs expired
  metrics::Counter block_closes;                          // ... for a block or a revocation
  metrics::Counter affinity_redirects;                    // clients sent to the node they belong on
  metrics::Counter affinity_mismatches;  // sent here, and taken though another owns their key
  // Upgrades refused, by reason.
  metrics::Counter refused_path;             // 404
  metrics::Counter refused_token;            // 401, and 503 for want of keys
  metrics::Counter refused_param;            // 400, 403
  metrics::Counter refused_capacity;         // 503
  metrics::Counter refused_shut;             // 503: the node is going away
  metrics::Counter refused_rate;             // 503, too many handshakes
  metrics::Counter refused_origin;           // 403, another web page's
  metrics::Counter refused_user;             // 429, connections of the user
  metrics::Counter refused_ip;               // 429, connections of the address
  metrics::Counter refused_unauthenticated;  // 503, too many have sent no token yet
  metrics::Counter refused_blocked;          // 403, the address is blocked
  metrics::Counter refused_user_blocked;     // 403, the user is
  metrics::Counter refused_revoked;          // 401, the token is revoked
  metrics::Counter refused_pending;          // 503, the control state is not known yet
  metrics::Counter refused_by_service;       // 401, 403, the authentication service's word
  metrics::Counter refused_unchecked;        // 503, it could not be asked
  // What clients published, by outcome.
  std::array<metrics::Counter, kPublishOutcomes> publishes;
  metrics::Counter publish_duplicates;  // of those published: they were before
  // From the command to the ingest's answer.
  metrics::Histogram publish_seconds_durable{kPublishSeconds};
  metrics::Histogram publish_seconds_ephemeral{kPublishSeconds};
  metrics::Histogram duration_seconds{
      {1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21'600, 86'400}};
};

}  // namespace spillway::edge
