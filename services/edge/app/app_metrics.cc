#include "services/edge/app/app_metrics.h"

#include <map>
#include <string>
#include <utility>

#include "services/edge/session/session_counters.h"
#include "services/edge/ws/counters.h"

namespace spillway::edge {

EdgeMetrics::EdgeMetrics(metrics::Registry& registry, net::IoPool& pool, const EdgeWorkers& workers,
                         const ConnectionGate& gate, const LinkRuntime& runtime)
    : registry_(registry), workers_(pool.size()) {
  AddSockets(pool, gate);
  AddSessions(workers);
  AddHubs(workers);
  AddUpstream(runtime);
  handles_.push_back(metrics::AddProcessMetrics(registry));
}

// The sum of a member of what `of` gives for each worker.
template <typename Counters, typename Of, typename T>
void EdgeMetrics::Add(bool counter, const char* name, const char* help, Of of, T Counters::*member,
                      metrics::Labels labels) {
  auto value = [count = workers_, of, member] {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += static_cast<double>((of(i).*member).Value());
    return sum;
  };
  handles_.push_back(counter ? registry_.AddCounter(name, help, std::move(labels), std::move(value))
                             : registry_.AddGauge(name, help, std::move(labels), std::move(value)));
}

void EdgeMetrics::AddSockets(net::IoPool& pool, const ConnectionGate& gate) {
  using C = ws::WorkerCounters;
  const auto of = [&pool](size_t i) -> const C& { return pool.worker(i).counters(); };
  Add(true, "spillway_edge_sockets_accepted_total", "TCP connections accepted.", of, &C::accepted);
  Add(true, "spillway_edge_accept_pauses_total",
      "Times that accepting paused for lack of descriptors.", of, &C::accept_pauses);
  Add(true, "spillway_edge_http_requests_total", "HTTP requests answered without an upgrade.", of,
      &C::http_requests);
  Add(true, "spillway_edge_handshake_timeouts_total", "Connections that sent no request in time.",
      of, &C::handshake_timeouts);
  Add(true, "spillway_edge_upgrades_refused_total", "WebSocket upgrades refused.", of,
      &C::upgrades_refused);
  Add(true, "spillway_edge_bytes_received_total", "Bytes from clients.", of, &C::bytes_in);
  Add(true, "spillway_edge_frames_sent_total", "WebSocket frames taken by the kernel.", of,
      &C::frames_out);
  Add(true, "spillway_edge_bytes_sent_total", "Bytes taken by the kernel.", of, &C::bytes_out);
  Add(true, "spillway_edge_writes_total", "System calls that wrote to clients.", of, &C::writes);
  Add(true, "spillway_edge_write_stalls_total",
      "Writes that the kernel took in part or not at all.", of, &C::write_stalls);
  Add(true, "spillway_edge_slow_consumer_closes_total",
      "Connections closed because their backlog passed its bound.", of, &C::slow_closes);
  Add(true, "spillway_edge_protocol_errors_total",
      "Connections closed because of malformed frames.", of, &C::protocol_errors);
  handles_.push_back(registry_.AddGauge(
      "spillway_edge_outbox_bytes", "Bytes that wait for slow clients.", {},
      [count = workers_, of] {
        double sum = 0;
        for (size_t i = 0; i < count; ++i) {
          const uint64_t out =
              of(i).bytes_unqueued.Value();  // first: the difference is never negative
          sum += static_cast<double>(of(i).bytes_queued.Value() - out);
        }
        return sum;
      }));
  handles_.push_back(registry_.AddGauge("spillway_edge_connections_max",
                                        "Connections that this node takes.", {},
                                        [&gate] { return static_cast<double>(gate.max()); }));
}

void EdgeMetrics::AddSessions(const EdgeWorkers& workers) {
  using C = SessionCounters;
  const auto of = [&workers](size_t i) -> const C& { return workers.session_counters(i); };
  Add(false, "spillway_edge_connections", "Live connections.", of, &C::connections);
  Add(true, "spillway_edge_connections_opened_total", "Connections opened.", of, &C::opened);
  Add(true, "spillway_edge_connections_closed_total", "Connections closed.", of, &C::closed);
  Add(true, "spillway_edge_messages_sent_total", "Messages queued for clients.", of,
      &C::messages_sent);
  Add(true, "spillway_edge_messages_received_total", "Messages from clients.", of,
      &C::messages_received);
  Add(true, "spillway_edge_pings_sent_total", "Heartbeat pings.", of, &C::pings_sent);
  Add(true, "spillway_edge_heartbeat_failures_total",
      "Connections closed because the client was silent.", of, &C::heartbeat_failures);
  Add(true, "spillway_edge_subscribed_total", "Subscriptions made.", of, &C::subscribed);
  Add(true, "spillway_edge_unsubscribed_total", "Subscriptions ended by command.", of,
      &C::unsubscribed);
  Add(true, "spillway_edge_errors_sent_total", "Error messages to clients.", of, &C::errors_sent);
  Add(true, "spillway_edge_bad_messages_total", "Client messages that were refused.", of,
      &C::bad_messages);
  Add(true, "spillway_edge_misuse_closes_total", "Connections closed after too many bad messages.",
      of, &C::misuse_closes);
  Add(true, "spillway_edge_rate_limited_total", "Client messages above the rate limit.", of,
      &C::rate_limited);
  const char* name = "spillway_edge_admissions_refused_total";
  const char* help = "Upgrades refused by the endpoints, by reason.";
  Add(true, name, help, of, &C::refused_path, {{"reason", "path"}});
  Add(true, name, help, of, &C::refused_token, {{"reason", "token"}});
  Add(true, name, help, of, &C::refused_param, {{"reason", "param"}});
  Add(true, name, help, of, &C::refused_capacity, {{"reason", "capacity"}});
  std::vector<const metrics::Histogram*> durations;
  for (size_t i = 0; i < workers_; ++i) durations.push_back(&of(i).duration_seconds);
  handles_.push_back(registry_.AddHistogram("spillway_edge_connection_duration_seconds",
                                            "How long connections lived.", {}, durations));
}

void EdgeMetrics::AddHubs(const EdgeWorkers& workers) {
  using C = HubGauges;
  const auto of = [&workers](size_t i) -> const C& { return workers.hub_gauges(i); };
  Add(false, "spillway_edge_subscriptions", "Subscriptions.", of, &C::subscriptions);
  Add(false, "spillway_edge_channels",
      "Channels with subscribers; one with subscribers on two workers counts twice.", of,
      &C::channels);
  Add(false, "spillway_edge_ring_bytes", "Bytes of recent events kept for joiners.", of,
      &C::ring_bytes);
  Add(true, "spillway_edge_deliveries_total", "Events handed to subscribers.", of, &C::deliveries);
  Add(true, "spillway_edge_gap_messages_total", "Gaps told to subscribers.", of, &C::gaps);
  Add(true, "spillway_edge_checkpoints_total", "Checkpoints sent.", of, &C::checkpoints);
  Add(true, "spillway_edge_ring_evictions_total", "Recent events evicted.", of, &C::ring_evictions);
  Add(true, "spillway_edge_reads_total", "Snapshot and history reads asked for.", of, &C::reads);
}

void EdgeMetrics::AddUpstream(const LinkRuntime& runtime) {
  handles_.push_back(registry_.AddCollector([&runtime](metrics::Sink& sink) {
    const LinkRuntimeStatus status = runtime.status();
    const UpstreamStatus& upstream = *status.upstream;
    const LinkCounters& counted = upstream.counters;
    const auto count = [&sink](const char* name, const char* help, uint64_t value) {
      sink.Counter(name, help, {}, static_cast<double>(value));
    };
    count("spillway_edge_events_received_total", "Events taken in from ingest.",
          counted.events + counted.ephemeral);
    count("spillway_edge_ephemeral_events_total", "Of them, those that never were in Kafka.",
          counted.ephemeral);
    count("spillway_edge_ephemeral_gaps_total", "Ephemeral events lost on the way, times.",
          counted.ephemeral_gaps);
    count("spillway_edge_batches_total", "Batches taken in.", counted.batches);
    count("spillway_edge_batch_bytes_total", "Bytes of batches.", counted.batch_bytes);
    count("spillway_edge_void_events_total", "Events of attachments that were not current.",
          counted.void_events);
    count("spillway_edge_records_behind_total", "Events that had been taken in already.",
          counted.records_behind);
    count("spillway_edge_attaches_total", "Attachments asked for.", counted.attaches);
    count("spillway_edge_failovers_total", "Partitions taken elsewhere after a failure.",
          counted.failovers);
    count("spillway_edge_moves_total", "Partitions moved to a better placed ingest.",
          counted.moves);
    count("spillway_edge_gaps_total", "Ranges that nobody will get.", counted.gaps);
    count("spillway_edge_link_malformed_total", "Malformed messages from ingests.",
          counted.malformed);
    sink.Gauge("spillway_edge_interests", "Channels asked of ingest.", {},
               static_cast<double>(upstream.interests));
    sink.Gauge("spillway_edge_kafka_up", "Whether a linked ingest reaches Kafka.", {},
               upstream.kafka_up ? 1 : 0);

    double up = 0;
    double down = 0;
    for (const IngestTargetStatus& ingest : status.ingests) {
      if (!ingest.duplicate) (ingest.up ? up : down) += 1;
    }
    sink.Gauge("spillway_edge_links", "Ingests by state of the link.", {{"state", "up"}}, up);
    sink.Gauge("spillway_edge_links", "Ingests by state of the link.", {{"state", "down"}}, down);

    double attached = 0;
    double stalled = 0;
    double unattached = 0;
    std::map<std::string, double> lags;
    for (const UpstreamStatus::Slot& slot : upstream.slots) {
      (slot.attached ? (slot.stalled ? stalled : attached) : unattached) += 1;
      if (slot.lag >= 0) lags[slot.topic] += static_cast<double>(slot.lag);
    }
    const char* help = "Partitions by state of the attachment.";
    sink.Gauge("spillway_edge_attachments", help, {{"state", "attached"}}, attached);
    sink.Gauge("spillway_edge_attachments", help, {{"state", "stalled"}}, stalled);
    sink.Gauge("spillway_edge_attachments", help, {{"state", "unattached"}}, unattached);
    for (const auto& [topic, lag] : lags) {
      sink.Gauge("spillway_edge_consumer_lag", "Records that readers are behind, by topic.",
                 {{"topic", topic}}, lag);
    }
  }));
}

}  // namespace spillway::edge
