#pragma once

#include "common/metrics/families.h"
#include "common/metrics/metrics.h"

namespace spillway::edge {

// All that the edge exports (docs/metrics.md is made of it): a metric cannot be registered without
// a line here. Immutable; outlives the registry that is made of it.
struct EdgeFamilies {
  metrics::Families all;
  const metrics::ProcessFamilies process{all};

  // Sockets.
  const metrics::Family& sockets_accepted =
      all.Counter("spillway_edge_sockets_accepted_total", "TCP connections accepted.");
  const metrics::Family& accept_pauses = all.Counter(
      "spillway_edge_accept_pauses_total", "Times that accepting paused for lack of descriptors.");
  const metrics::Family& http_requests = all.Counter("spillway_edge_http_requests_total",
                                                     "HTTP requests answered without an upgrade.");
  const metrics::Family& handshake_timeouts = all.Counter(
      "spillway_edge_handshake_timeouts_total", "Connections that sent no request in time.");
  const metrics::Family& handshakes = all.Gauge(
      "spillway_edge_handshakes",
      "Sockets that are no connection yet: no request has come, or it is being answered.");
  const metrics::Family& handshakes_dropped =
      all.Counter("spillway_edge_handshakes_dropped_total",
                  "Of them, those that were closed because there were too many, the oldest first.");
  const metrics::Family& bad_proxy_headers = all.Counter(
      "spillway_edge_bad_proxy_headers_total",
      "Sockets of trusted proxies closed because they did not begin with a header of the "
      "PROXY protocol.");
  const metrics::Family& tls_handshakes =
      all.Counter("spillway_edge_tls_handshakes_total", "TLS handshakes that were done.");
  const metrics::Family& tls_resumptions = all.Counter(
      "spillway_edge_tls_resumptions_total", "Of them, those that went on with an older session.");
  const metrics::Family& tls_failures = all.Counter(
      "spillway_edge_tls_failures_total",
      "TLS handshakes that failed: not TLS, no common version, a certificate that is refused.");
  const metrics::Family& tls_certificate_expiry =
      all.Gauge("spillway_edge_tls_certificate_expiry_seconds",
                "When the public listener's certificate ends, seconds since the epoch.");
  const metrics::Family& tls_reload_failures = all.Counter(
      "spillway_edge_tls_reload_failures_total", "Times that changed TLS files could not be used.");
  const metrics::Family& upgrades_refused =
      all.Counter("spillway_edge_upgrades_refused_total", "WebSocket upgrades refused.");
  const metrics::Family& bytes_received =
      all.Counter("spillway_edge_bytes_received_total", "Bytes from clients.");
  const metrics::Family& frames_sent =
      all.Counter("spillway_edge_frames_sent_total", "WebSocket frames taken by the kernel.");
  const metrics::Family& bytes_sent =
      all.Counter("spillway_edge_bytes_sent_total", "Bytes taken by the kernel.");
  const metrics::Family& writes =
      all.Counter("spillway_edge_writes_total", "System calls that wrote to clients.");
  const metrics::Family& write_stalls = all.Counter(
      "spillway_edge_write_stalls_total", "Writes that the kernel took in part or not at all.");
  const metrics::Family& slow_consumer_closes =
      all.Counter("spillway_edge_slow_consumer_closes_total",
                  "Connections closed because they did not read fast enough.");
  const metrics::Family& protocol_errors = all.Counter(
      "spillway_edge_protocol_errors_total", "Connections closed because of malformed frames.");
  const metrics::Family& messages_too_big =
      all.Counter("spillway_edge_messages_too_big_total",
                  "Of protocol_errors: messages above limits.max_message_bytes.");
  const metrics::Family& write_timeouts =
      all.Counter("spillway_edge_write_timeouts_total",
                  "Of slow_consumer_closes: nothing was taken for too long.");
  const metrics::Family& frames_queued =
      all.Counter("spillway_edge_frames_queued_total",
                  "WebSocket frames that the kernel did not take at once.");
  const metrics::Family& outbox_bytes =
      all.Gauge("spillway_edge_outbox_bytes", "Bytes that wait for slow clients.");
  const metrics::Family& outbox_messages =
      all.Gauge("spillway_edge_outbox_messages", "Messages that wait for slow clients.");
  const metrics::Family& slow_events = all.Counter(
      "spillway_edge_slow_events_total", "Events that slow clients were not sent.", {"outcome"});
  const metrics::Family& slow_gaps =
      all.Counter("spillway_edge_slow_gaps_total", "Gaps told to clients that were too slow.");
  const metrics::Family& connections_max =
      all.Gauge("spillway_edge_connections_max", "Connections that this node takes.");

  // Sessions.
  const metrics::Family& connections = all.Gauge("spillway_edge_connections", "Live connections.");
  const metrics::Family& connections_opened =
      all.Counter("spillway_edge_connections_opened_total", "Connections opened.");
  const metrics::Family& connections_closed =
      all.Counter("spillway_edge_connections_closed_total", "Connections closed.");
  const metrics::Family& messages_sent =
      all.Counter("spillway_edge_messages_sent_total", "Messages queued for clients.");
  const metrics::Family& messages_sent_compressed =
      all.Counter("spillway_edge_messages_sent_compressed_total",
                  "Of them, those in compressed frames; a frame is compressed once and shared.");
  const metrics::Family& messages_received =
      all.Counter("spillway_edge_messages_received_total", "Messages from clients.");
  const metrics::Family& pings_sent =
      all.Counter("spillway_edge_pings_sent_total", "Heartbeat pings.");
  const metrics::Family& heartbeat_failures =
      all.Counter("spillway_edge_heartbeat_failures_total",
                  "Connections closed because the client was silent.");
  const metrics::Family& subscribed =
      all.Counter("spillway_edge_subscribed_total", "Subscriptions made.");
  const metrics::Family& unsubscribed =
      all.Counter("spillway_edge_unsubscribed_total", "Subscriptions ended by command.");
  const metrics::Family& publishes =
      all.Counter("spillway_edge_publishes_total", "What clients wanted to publish.", {"outcome"});
  const metrics::Family& publish_duplicates =
      all.Counter("spillway_edge_publish_duplicates_total",
                  "Of those published: those that had been before, by their idempotency key.");
  const metrics::Family& publish_seconds = all.Histogram(
      "spillway_edge_publish_seconds", "From a client's command to the ingest's answer.", {"kind"});
  const metrics::Family& publishes_in_flight = all.Gauge(
      "spillway_edge_publishes_in_flight", "What clients published and is not answered yet.");
  const metrics::Family& publish_bytes =
      all.Gauge("spillway_edge_publish_bytes", "Bytes of publishes_in_flight.");
  const metrics::Family& subscriptions_refused =
      all.Counter("spillway_edge_subscriptions_refused_total",
                  "Subscriptions above those of one connection (limits.max_subscriptions).");
  const metrics::Family& errors_sent =
      all.Counter("spillway_edge_errors_sent_total", "Error messages to clients.");
  const metrics::Family& bad_messages =
      all.Counter("spillway_edge_bad_messages_total", "Client messages that were refused.");
  const metrics::Family& misuse_closes = all.Counter(
      "spillway_edge_misuse_closes_total", "Connections closed after too many bad messages.");
  const metrics::Family& rate_limited =
      all.Counter("spillway_edge_rate_limited_total", "Client messages above the rate limit.");
  const metrics::Family& user_rate_limited =
      all.Counter("spillway_edge_user_rate_limited_total",
                  "Of rate_limited: those above the rate of their user.");
  const metrics::Family& affinity_redirects =
      all.Counter("spillway_edge_affinity_redirects_total",
                  "Clients that were sent to the node which owns their key.");
  const metrics::Family& affinity_mismatches =
      all.Counter("spillway_edge_affinity_mismatches_total",
                  "Clients that were sent here and taken, though another node owns their key as "
                  "seen from here.");
  const metrics::Family& node_rate_limited =
      all.Counter("spillway_edge_node_rate_limited_total",
                  "Client messages above the rate of the node (limits.node_messages).");
  const metrics::Family& subscribes_limited = all.Counter(
      "spillway_edge_subscribes_limited_total",
      "Channels whose subscription was refused for the rate of the user, of the channel's rule.",
      {"limit"});
  const metrics::Family& admissions_refused = all.Counter(
      "spillway_edge_admissions_refused_total", "Upgrades refused by the endpoints.", {"reason"});
  const metrics::Family& ip_blocks =
      all.Counter("spillway_edge_ip_blocks_total",
                  "Addresses blocked because too many of their attempts were refused.");
  const metrics::Family& ips_blocked =
      all.Gauge("spillway_edge_ips_blocked", "Addresses that are blocked.");
  const metrics::Family& ips_failed =
      all.Gauge("spillway_edge_ips_failed",
                "Addresses whose attempts were refused, and that are not blocked.");
  const metrics::Family& ip_forgotten =
      all.Counter("spillway_edge_ip_forgotten_total",
                  "Addresses of either kind that were forgotten because there were too many.");
  const metrics::Family& users_limited =
      all.Gauge("spillway_edge_users_limited", "Users whose limits are kept count of.");
  const metrics::Family& tokens = all.Counter(
      "spillway_edge_tokens_total",
      "Tokens that were looked at, by what became of them: `accepted`, or the code of the refusal.",
      {"outcome"});
  const metrics::Family& unauthenticated = all.Gauge(
      "spillway_edge_unauthenticated", "Connections whose client has yet to send its token.");
  const metrics::Family& connect_timeouts =
      all.Counter("spillway_edge_connect_timeouts_total",
                  "Connections closed because their client sent no token in time.");
  const metrics::Family& token_refreshes =
      all.Counter("spillway_edge_token_refreshes_total",
                  "Tokens that took another's place on a live connection.");
  const metrics::Family& block_closes = all.Counter(
      "spillway_edge_block_closes_total", "Connections closed because of a block or a revocation.");
  const metrics::Family& control_entries =
      all.Gauge("spillway_edge_control_entries", "Blocks and revocations in force.");
  const metrics::Family& control_dropped =
      all.Counter("spillway_edge_control_dropped_total",
                  "Blocks and revocations that are not in force: there are too many.");
  const metrics::Family& control_known = all.Gauge(
      "spillway_edge_control_known", "1 once an ingest has told all of the control topic.");
  const metrics::Family& cluster_peers =
      all.Gauge("spillway_edge_cluster_peers", "Other edges that calls for the cluster ask.");
  const metrics::Family& drain_stage =
      all.Gauge("spillway_edge_drain_stage",
                "How far an operator's Drain of this node is: 0 it takes clients, 1 it is not "
                "ready, 2 clients "
                "go one after the other, 3 all have been told to.");
  const metrics::Family& event_watchers =
      all.Gauge("spillway_edge_event_watchers", "Calls of WatchEvents.");
  const metrics::Family& events_dropped = all.Counter("spillway_edge_watched_events_dropped_total",
                                                      "Events that they were too slow for.");
  const metrics::Family& audit_lines = all.Counter(
      "spillway_edge_audit_lines_total",
      "Lines of the audit log: written; lost for lack of room, for the number that clients caused, "
      "or since the node ended.",
      {"output", "outcome"});
  const metrics::Family& audit_waiting = all.Gauge("spillway_edge_audit_lines_waiting",
                                                   "Lines of the audit log that wait.", {"output"});
  const metrics::Family& calls_refused =
      all.Counter("spillway_edge_calls_refused_total",
                  "Calls of the admin API that were refused for who made them.", {"reason"});
  const metrics::Family& token_file_failures =
      all.Counter("spillway_edge_token_file_failures_total",
                  "Times that a file with callers' tokens could not be used as it was.");
  const metrics::Family& admin_tls_reload_failures =
      all.Counter("spillway_edge_admin_tls_reload_failures_total",
                  "Times that changed TLS files of the admin server could not be used.");
  const metrics::Family& cluster_left_out =
      all.Gauge("spillway_edge_cluster_left_out", "Nodes that are not: there are too many.");
  const metrics::Family& token_expiries = all.Counter(
      "spillway_edge_token_expiries_total", "Connections closed because their token had expired.");
  const metrics::Family& token_keys =
      all.Gauge("spillway_edge_token_keys", "Keys of tokens that came from files and addresses.");
  const metrics::Family& token_key_loads =
      all.Counter("spillway_edge_token_key_loads_total",
                  "Times that such keys were loaded, and that they could not be.", {"outcome"});
  const metrics::Family& token_key_age =
      all.Gauge("spillway_edge_token_key_age_seconds",
                "How long ago keys were loaded well, of the source where that is longest ago.");
  const metrics::Family& auth_checks = all.Counter(
      "spillway_edge_auth_checks_total",
      "Questions about clients for the authentication service, by what became of them: allowed, "
      "refused, failed; cached, joined (one like it was under way); left_alone (it had failed), "
      "busy (too many waited), late (waited too long), abandoned (the client had gone).",
      {"outcome"});
  const metrics::Family& auth_check_seconds = all.Histogram(
      "spillway_edge_auth_check_seconds", "How long calls of the authentication service took.");
  const metrics::Family& auth_breaker = all.Gauge(
      "spillway_edge_auth_breaker",
      "The authentication service: 0 it is asked, 1 it is left alone since it failed, 2 one "
      "question decides.");
  const metrics::Family& auth_breaker_openings =
      all.Counter("spillway_edge_auth_breaker_openings_total",
                  "Times that the authentication service was left alone, since it failed.");
  const metrics::Family& auth_calls =
      all.Gauge("spillway_edge_auth_calls", "Calls of the authentication service under way.");
  const metrics::Family& auth_waiting =
      all.Gauge("spillway_edge_auth_waiting",
                "Clients that wait for an answer of the authentication service.");
  const metrics::Family& auth_cache_entries = all.Gauge(
      "spillway_edge_auth_cache_entries", "Answers of the authentication service that are kept.");
  const metrics::Family& auth_cache_bytes =
      all.Gauge("spillway_edge_auth_cache_bytes", "Bytes of the answers that are kept, about.");
  const metrics::Family& auth_cache_evictions = all.Counter(
      "spillway_edge_auth_cache_evictions_total",
      "Answers of the authentication service that went before their time because there were "
      "too many.");
  const metrics::Family& connection_duration =
      all.Histogram("spillway_edge_connection_duration_seconds", "How long connections lived.");

  // Compression of what is sent.
  const metrics::Family& connections_compressed =
      all.Gauge("spillway_edge_connections_compressed",
                "Live connections that negotiated permessage-deflate.");
  const metrics::Family& compression_frames =
      all.Counter("spillway_edge_compression_frames_total",
                  "Frames that were to be compressed: compressed; sent as they are, since they are "
                  "short or would not become smaller; compressed twice, by two threads at once.",
                  {"outcome"});
  const metrics::Family& compression_bytes =
      all.Counter("spillway_edge_compression_bytes_total",
                  "Payload bytes of the compressed frames before and after.", {"side"});
  const metrics::Family& compression_seconds =
      all.Counter("spillway_edge_compression_seconds_total",
                  "Time spent compressing, in the thread that did it.");

  // Hubs.
  const metrics::Family& subscriptions = all.Gauge("spillway_edge_subscriptions", "Subscriptions.");
  const metrics::Family& channels =
      all.Gauge("spillway_edge_channels",
                "Channels with subscribers; one with subscribers on two workers counts twice.");
  const metrics::Family& patterns = all.Gauge(
      "spillway_edge_patterns", "Different channel patterns that clients are subscribed to.");
  const metrics::Family& patterns_refused =
      all.Counter("spillway_edge_patterns_refused_total",
                  "Subscriptions to patterns that were refused for the number of them, of the "
                  "connection or of the node.",
                  {"limit"});
  const metrics::Family& ring_bytes =
      all.Gauge("spillway_edge_ring_bytes", "Bytes of recent events kept for joiners.");
  const metrics::Family& deliveries =
      all.Counter("spillway_edge_deliveries_total", "Events handed to subscribers.");
  const metrics::Family& gap_messages =
      all.Counter("spillway_edge_gap_messages_total", "Gaps told to subscribers.");
  const metrics::Family& ephemeral_gap_messages =
      all.Counter("spillway_edge_ephemeral_gap_messages_total",
                  "Times that a subscriber was told that ephemeral events may have been lost.");
  const metrics::Family& checkpoints =
      all.Counter("spillway_edge_checkpoints_total", "Checkpoints sent.");
  const metrics::Family& ring_evictions =
      all.Counter("spillway_edge_ring_evictions_total", "Recent events evicted.");
  const metrics::Family& positions = all.Counter(
      "spillway_edge_positions_total",
      "Positions that clients came back with, one for each partition: proven by their fingerprint; "
      "foreign, told as a gap `reset`; unproven, taken as they are; unjudged in time, told as a "
      "gap "
      "`limit`.",
      {"verdict"});
  const metrics::Family& reads =
      all.Counter("spillway_edge_reads_total", "Snapshot and history reads asked for.");

  // Lanes: subscribers below frequency high.
  const metrics::Family& lane_conflated =
      all.Counter("spillway_edge_lane_conflated_total",
                  "Events that a newer one of their key replaced in a lane before they were sent.",
                  {"frequency"});
  const metrics::Family& lane_flushes = all.Counter(
      "spillway_edge_lane_flushes_total", "Times that a lane sent what it held.", {"frequency"});
  const metrics::Family& lane_early_flushes = all.Counter(
      "spillway_edge_lane_early_flushes_total",
      "Times that a lane sent what it held before its turn, because a bound was reached.");
  const metrics::Family& lane_events =
      all.Gauge("spillway_edge_lane_events", "Events that wait in lanes.");
  const metrics::Family& lane_bytes =
      all.Gauge("spillway_edge_lane_bytes", "Bytes of the events that wait in lanes.");

  // Upstream.
  const metrics::Family& events_received =
      all.Counter("spillway_edge_events_received_total", "Events taken in from ingest.");
  const metrics::Family& ephemeral_events = all.Counter("spillway_edge_ephemeral_events_total",
                                                        "Of them, those that never were in Kafka.");
  const metrics::Family& ephemeral_gaps =
      all.Counter("spillway_edge_ephemeral_gaps_total", "Ephemeral events lost on the way, times.");
  const metrics::Family& batches = all.Counter("spillway_edge_batches_total", "Batches taken in.");
  const metrics::Family& batch_bytes =
      all.Counter("spillway_edge_batch_bytes_total", "Bytes of batches.");
  const metrics::Family& void_events = all.Counter("spillway_edge_void_events_total",
                                                   "Events of attachments that were not current.");
  const metrics::Family& records_behind =
      all.Counter("spillway_edge_records_behind_total", "Events that had been taken in already.");
  const metrics::Family& attaches =
      all.Counter("spillway_edge_attaches_total", "Attachments asked for.");
  const metrics::Family& failovers =
      all.Counter("spillway_edge_failovers_total", "Partitions taken elsewhere after a failure.");
  const metrics::Family& topic_resets = all.Counter(
      "spillway_edge_topic_resets_total", "Partitions whose topic was found to be made anew.");
  const metrics::Family& moves =
      all.Counter("spillway_edge_moves_total", "Partitions moved to a better placed ingest.");
  const metrics::Family& gaps =
      all.Counter("spillway_edge_gaps_total", "Ranges that nobody will get.");
  const metrics::Family& link_malformed =
      all.Counter("spillway_edge_link_malformed_total", "Malformed messages from ingests.");
  const metrics::Family& reads_shared =
      all.Counter("spillway_edge_reads_shared_total",
                  "Reads that were answered by another one's call, made for the same channel.");
  const metrics::Family& reads_under_way =
      all.Gauge("spillway_edge_reads_under_way", "Calls to ingests for snapshots and history.");
  const metrics::Family& reads_waiting = all.Gauge(
      "spillway_edge_reads_waiting", "Reads that wait for a call to end, or for a partition.");
  const metrics::Family& interests =
      all.Gauge("spillway_edge_interests", "Channels asked of ingest.");
  const metrics::Family& patterns_forgotten =
      all.Counter("spillway_edge_patterns_forgotten_total",
                  "Times that it was forgotten which channels match the clients' patterns, because "
                  "there were too many channels: it is worked out anew.");
  const metrics::Family& kafka_up =
      all.Gauge("spillway_edge_kafka_up", "Whether a linked ingest reaches Kafka.");
  const metrics::Family& links =
      all.Gauge("spillway_edge_links", "Ingests by state of the link.", {"state"});
  const metrics::Family& links_denied =
      all.Counter("spillway_edge_links_denied_total",
                  "Links that an ingest refused for who this edge is: its token, its certificate.");
  const metrics::Family& attachments =
      all.Gauge("spillway_edge_attachments", "Partitions by state of the attachment.", {"state"});
  const metrics::Family& consumer_lag =
      all.Gauge("spillway_edge_consumer_lag", "Records that readers are behind.", {"topic"});
};

}  // namespace spillway::edge
