#include "services/edge/app/app_metrics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "services/edge/session/session_counters.h"
#include "services/edge/ws/counters.h"

namespace spillway::edge {

EdgeMetrics::EdgeMetrics(metrics::Registry& registry, const EdgeFamilies& families,
                         net::IoPool& pool, const EdgeWorkers& workers, const ConnectionGate& gate,
                         const LinkRuntime& runtime, const VariantTable& variants)
    : registry_(registry), families_(families), workers_(pool.size()) {
  AddSockets(pool, gate);
  AddBacklogs(pool);
  AddSessions(workers);
  AddHubs(workers);
  AddLanes(workers);
  AddUpstream(runtime);
  AddCompression(variants);
  handles_.push_back(metrics::AddProcessMetrics(registry, families.process));
}

// The sum of a member of what `of` gives for each worker.
template <typename Counters, typename Of, typename T>
void EdgeMetrics::Add(const metrics::Family& family, Of of, T Counters::*member,
                      metrics::Labels labels) {
  auto value = [count = workers_, of, member] {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += static_cast<double>((of(i).*member).Value());
    return sum;
  };
  handles_.push_back(registry_.Add(family, std::move(labels), std::move(value)));
}

void EdgeMetrics::AddSockets(net::IoPool& pool, const ConnectionGate& gate) {
  using C = ws::WorkerCounters;
  const auto of = [&pool](size_t i) -> const C& { return pool.worker(i).counters(); };
  Add(families_.sockets_accepted, of, &C::accepted);
  Add(families_.accept_pauses, of, &C::accept_pauses);
  Add(families_.http_requests, of, &C::http_requests);
  Add(families_.handshake_timeouts, of, &C::handshake_timeouts);
  Add(families_.handshakes, of, &C::handshakes);
  Add(families_.handshakes_dropped, of, &C::handshakes_dropped);
  Add(families_.bad_proxy_headers, of, &C::bad_proxy_headers);
  Add(families_.tls_handshakes, of, &C::tls_handshakes);
  Add(families_.tls_resumptions, of, &C::tls_resumptions);
  Add(families_.tls_failures, of, &C::tls_failures);
  Add(families_.upgrades_refused, of, &C::upgrades_refused);
  Add(families_.bytes_received, of, &C::bytes_in);
  Add(families_.frames_sent, of, &C::frames_out);
  Add(families_.bytes_sent, of, &C::bytes_out);
  Add(families_.writes, of, &C::writes);
  Add(families_.write_stalls, of, &C::write_stalls);
  Add(families_.slow_consumer_closes, of, &C::slow_closes);
  Add(families_.write_timeouts, of, &C::write_timeouts);
  Add(families_.protocol_errors, of, &C::protocol_errors);
  Add(families_.messages_too_big, of, &C::too_big);
  handles_.push_back(registry_.Add(families_.connections_max, {},
                                   [&gate] { return static_cast<double>(gate.max()); }));
}

void EdgeMetrics::AddLimits(ConnectionLimits& limits) {
  const auto add = [this](const metrics::Family& family, auto value) {
    handles_.push_back(registry_.Add(family, {}, [value] { return static_cast<double>(value()); }));
  };
  add(families_.unauthenticated, [&limits] { return limits.unauthenticated.count(); });
  add(families_.ip_blocks, [&limits] { return limits.ips.blocks().Value(); });
  add(families_.ip_forgotten, [&limits] { return limits.ips.forgotten().Value(); });
  add(families_.ips_blocked, [&limits] { return limits.ips.blocked(); });
  add(families_.ips_failed, [&limits] { return limits.ips.failed(); });
  add(families_.users_limited, [&limits] { return limits.users.size(); });
}

void EdgeMetrics::AddPatterns(const PatternLimit& limit) {
  handles_.push_back(registry_.Add(families_.patterns, {},
                                   [&limit] { return static_cast<double>(limit.in_use()); }));
  handles_.push_back(registry_.Add(families_.patterns_refused, {{"limit", "node"}},
                                   [&limit] { return static_cast<double>(limit.refused()); }));
}

void EdgeMetrics::AddTls(PublicTls& tls) {
  handles_.push_back(registry_.Add(families_.tls_certificate_expiry, {},
                                   [&tls] { return tls.expires_seconds(); }));
  handles_.push_back(registry_.Add(families_.tls_reload_failures, {}, [&tls] {
    return static_cast<double>(tls.reload_failures().Value());
  }));
}

void EdgeMetrics::AddKeys(const TokenKeys& keys) {
  handles_.push_back(registry_.AddCollector([this, &keys](metrics::Sink& sink) {
    double count = 0;
    double good = 0;
    double failed = 0;
    std::chrono::milliseconds age{0};
    for (const TokenKeys::Source& source : keys.sources()) {
      count += static_cast<double>(source.status.keys);
      good += static_cast<double>(source.status.loads);
      failed += static_cast<double>(source.status.failures);
      age = std::max(age, source.status.age);
    }
    sink.Add(families_.token_keys, {}, count);
    sink.Add(families_.token_key_loads, {{"outcome", "good"}}, good);
    sink.Add(families_.token_key_loads, {{"outcome", "failed"}}, failed);
    sink.Add(families_.token_key_age, {}, static_cast<double>(age.count()) / 1000);
  }));
}

void EdgeMetrics::AddAuthChecks(const AuthChecks& checks) {
  handles_.push_back(registry_.Add(families_.auth_check_seconds, {}, &checks.latency()));
  handles_.push_back(registry_.AddCollector([this, &checks](metrics::Sink& sink) {
    const AuthChecks::Status status = checks.status();
    for (size_t i = 0; i < kAuthOutcomes; ++i) {
      sink.Add(families_.auth_checks, {{"outcome", kAuthOutcomeNames[i]}},
               static_cast<double>(status.outcomes[i]));
    }
    sink.Add(families_.auth_breaker, {}, static_cast<double>(status.breaker));
    sink.Add(families_.auth_breaker_openings, {}, static_cast<double>(status.breaker_openings));
    sink.Add(families_.auth_calls, {}, static_cast<double>(status.calls));
    sink.Add(families_.auth_waiting, {}, static_cast<double>(status.waiting));
    sink.Add(families_.auth_cache_entries, {}, static_cast<double>(status.cached));
    sink.Add(families_.auth_cache_bytes, {}, static_cast<double>(status.cached_bytes));
    sink.Add(families_.auth_cache_evictions, {}, static_cast<double>(status.evictions));
  }));
}

void EdgeMetrics::AddBacklogs(net::IoPool& pool) {
  using C = ws::BacklogCounters;
  const auto of = [&pool](size_t i) -> const C& { return pool.worker(i).counters().backlog; };
  Add(families_.frames_queued, of, &C::queued);
  Add(families_.outbox_bytes, of, &C::bytes);
  Add(families_.outbox_messages, of, &C::messages);
  Add(families_.slow_events, of, &C::conflated, {{"outcome", "conflated"}});
  Add(families_.slow_events, of, &C::dropped_oldest, {{"outcome", "dropped_oldest"}});
  Add(families_.slow_events, of, &C::dropped_newest, {{"outcome", "dropped_newest"}});
  Add(families_.slow_events, of, &C::dropped_yielding, {{"outcome", "gave_way"}});
  Add(families_.slow_gaps, of, &C::gaps);
}

void EdgeMetrics::AddSessions(const EdgeWorkers& workers) {
  using C = SessionCounters;
  const auto of = [&workers](size_t i) -> const C& { return workers.session_counters(i); };
  Add(families_.connections, of, &C::connections);
  Add(families_.connections_opened, of, &C::opened);
  Add(families_.connections_closed, of, &C::closed);
  Add(families_.messages_sent, of, &C::messages_sent);
  Add(families_.messages_sent_compressed, of, &C::messages_compressed);
  Add(families_.messages_received, of, &C::messages_received);
  Add(families_.pings_sent, of, &C::pings_sent);
  Add(families_.heartbeat_failures, of, &C::heartbeat_failures);
  Add(families_.subscribed, of, &C::subscribed);
  Add(families_.unsubscribed, of, &C::unsubscribed);
  Add(families_.subscriptions_refused, of, &C::subscriptions_refused);
  Add(families_.errors_sent, of, &C::errors_sent);
  Add(families_.bad_messages, of, &C::bad_messages);
  Add(families_.misuse_closes, of, &C::misuse_closes);
  Add(families_.rate_limited, of, &C::rate_limited);
  Add(families_.connect_timeouts, of, &C::connect_timeouts);
  Add(families_.token_refreshes, of, &C::tokens_refreshed);
  Add(families_.token_expiries, of, &C::token_expiries);
  Add(families_.block_closes, of, &C::block_closes);
  Add(families_.admissions_refused, of, &C::refused_path, {{"reason", "path"}});
  Add(families_.admissions_refused, of, &C::refused_token, {{"reason", "token"}});
  Add(families_.admissions_refused, of, &C::refused_param, {{"reason", "param"}});
  Add(families_.admissions_refused, of, &C::refused_capacity, {{"reason", "capacity"}});
  Add(families_.admissions_refused, of, &C::refused_shut, {{"reason", "shutting_down"}});
  Add(families_.admissions_refused, of, &C::refused_rate, {{"reason", "rate"}});
  Add(families_.admissions_refused, of, &C::refused_origin, {{"reason", "origin"}});
  Add(families_.admissions_refused, of, &C::refused_user, {{"reason", "user"}});
  Add(families_.admissions_refused, of, &C::refused_ip, {{"reason", "ip"}});
  Add(families_.admissions_refused, of, &C::refused_unauthenticated,
      {{"reason", "unauthenticated"}});
  Add(families_.admissions_refused, of, &C::refused_blocked, {{"reason", "blocked"}});
  Add(families_.admissions_refused, of, &C::refused_user_blocked, {{"reason", "user_blocked"}});
  Add(families_.admissions_refused, of, &C::refused_revoked, {{"reason", "revoked"}});
  Add(families_.admissions_refused, of, &C::refused_pending, {{"reason", "control_pending"}});
  Add(families_.admissions_refused, of, &C::refused_by_service, {{"reason", "auth_service"}});
  Add(families_.admissions_refused, of, &C::refused_unchecked, {{"reason", "auth_unchecked"}});
  Add(families_.user_rate_limited, of, &C::user_rate_limited);
  Add(families_.node_rate_limited, of, &C::node_rate_limited);
  Add(families_.affinity_redirects, of, &C::affinity_redirects);
  Add(families_.affinity_mismatches, of, &C::affinity_mismatches);
  Add(families_.patterns_refused, of, &C::patterns_refused, {{"limit", "connection"}});
  Add(families_.subscribes_limited, of, &C::subscribes_limited_user, {{"limit", "user"}});
  Add(families_.subscribes_limited, of, &C::subscribes_limited_channel, {{"limit", "channel"}});
  for (size_t i = 0; i < auth::kJwtErrors; ++i) {
    const auto error = static_cast<auth::JwtError>(i);
    auto value = [count = workers_, of, i] {
      double sum = 0;
      for (size_t w = 0; w < count; ++w) sum += static_cast<double>(of(w).tokens[i].Value());
      return sum;
    };
    const std::string_view outcome =
        error == auth::JwtError::kNone ? "accepted" : auth::JwtErrorCode(error);
    handles_.push_back(
        registry_.Add(families_.tokens, {{"outcome", std::string(outcome)}}, std::move(value)));
  }
  std::vector<const metrics::Histogram*> durations;
  for (size_t i = 0; i < workers_; ++i) durations.push_back(&of(i).duration_seconds);
  handles_.push_back(registry_.Add(families_.connection_duration, {}, durations));
  AddPublishes(workers);
}

void EdgeMetrics::AddPublishes(const EdgeWorkers& workers) {
  using C = SessionCounters;
  const auto of = [&workers](size_t i) -> const C& { return workers.session_counters(i); };
  for (size_t outcome = 0; outcome < kPublishOutcomes; ++outcome) {
    auto value = [count = workers_, of, outcome] {
      double sum = 0;
      for (size_t i = 0; i < count; ++i) {
        sum += static_cast<double>(of(i).publishes[outcome].Value());
      }
      return sum;
    };
    handles_.push_back(registry_.Add(families_.publishes,
                                     {{"outcome", std::string(kPublishOutcomeNames[outcome])}},
                                     std::move(value)));
  }
  Add(families_.publish_duplicates, of, &C::publish_duplicates);
  std::vector<const metrics::Histogram*> durable;
  std::vector<const metrics::Histogram*> ephemeral;
  for (size_t i = 0; i < workers_; ++i) {
    durable.push_back(&of(i).publish_seconds_durable);
    ephemeral.push_back(&of(i).publish_seconds_ephemeral);
  }
  handles_.push_back(registry_.Add(families_.publish_seconds, {{"kind", "durable"}}, durable));
  handles_.push_back(registry_.Add(families_.publish_seconds, {{"kind", "ephemeral"}}, ephemeral));
}

void EdgeMetrics::AddHubs(const EdgeWorkers& workers) {
  using C = HubGauges;
  const auto of = [&workers](size_t i) -> const C& { return workers.hub_gauges(i); };
  Add(families_.subscriptions, of, &C::subscriptions);
  Add(families_.channels, of, &C::channels);
  Add(families_.ring_bytes, of, &C::ring_bytes);
  Add(families_.deliveries, of, &C::deliveries);
  Add(families_.gap_messages, of, &C::gaps);
  Add(families_.ephemeral_gap_messages, of, &C::ephemeral_gaps);
  Add(families_.checkpoints, of, &C::checkpoints);
  Add(families_.ring_evictions, of, &C::ring_evictions);
  Add(families_.reads, of, &C::reads);
  Add(families_.positions, of, &C::positions_proven, {{"verdict", "proven"}});
  Add(families_.positions, of, &C::positions_foreign, {{"verdict", "foreign"}});
  Add(families_.positions, of, &C::positions_unproven, {{"verdict", "unproven"}});
  Add(families_.positions, of, &C::positions_unjudged, {{"verdict", "unjudged"}});
}

void EdgeMetrics::AddCompression(const VariantTable& variants) {
  const CompressionCounters& counted = variants.counters();
  const auto add = [this](const metrics::Family& family, const metrics::AtomicCounter& counter,
                          metrics::Labels labels) {
    handles_.push_back(registry_.Add(family, std::move(labels),
                                     [&counter] { return static_cast<double>(counter.Value()); }));
  };
  add(families_.compression_frames, counted.compressed, {{"outcome", "compressed"}});
  add(families_.compression_frames, counted.below, {{"outcome", "short"}});
  add(families_.compression_frames, counted.incompressible, {{"outcome", "incompressible"}});
  add(families_.compression_frames, counted.raced, {{"outcome", "raced"}});
  add(families_.compression_bytes, counted.bytes_before, {{"side", "before"}});
  add(families_.compression_bytes, counted.bytes_after, {{"side", "after"}});
  handles_.push_back(registry_.Add(families_.compression_seconds, {}, [&counted] {
    return static_cast<double>(counted.nanoseconds.Value()) * 1e-9;
  }));
  handles_.push_back(registry_.Add(families_.connections_compressed, {}, [&variants] {
    int64_t connections = 0;
    for (size_t i = 0; i < variants.size(); ++i) {
      const VariantTable::Variant& variant = variants[static_cast<VariantId>(i)];
      if (variant.window_bits != 0) connections += variant.in_use.load(std::memory_order_relaxed);
    }
    return static_cast<double>(connections);
  }));
}

void EdgeMetrics::AddLanes(const EdgeWorkers& workers) {
  using C = HubGauges;
  const auto of = [&workers](size_t i) -> const C& { return workers.hub_gauges(i); };
  const auto add = [&](const metrics::Family& family,
                       std::array<metrics::Gauge, kFrequencies> C::*member) {
    for (size_t f = 1; f < kFrequencies; ++f) {
      auto value = [count = workers_, of, member, f] {
        double sum = 0;
        for (size_t i = 0; i < count; ++i) sum += static_cast<double>((of(i).*member)[f].Value());
        return sum;
      };
      handles_.push_back(registry_.Add(family, {{"frequency", std::string(kFrequencyNames[f])}},
                                       std::move(value)));
    }
  };
  add(families_.lane_conflated, &C::conflated);
  add(families_.lane_flushes, &C::lane_flushes);
  Add(families_.lane_early_flushes, of, &C::lane_early_flushes);
  Add(families_.lane_events, of, &C::lane_events);
  Add(families_.lane_bytes, of, &C::lane_bytes);
}

void EdgeMetrics::AddUpstream(const LinkRuntime& runtime) {
  handles_.push_back(registry_.AddCollector([this, &runtime](metrics::Sink& sink) {
    const LinkRuntimeStatus status = runtime.status();
    const UpstreamStatus& upstream = *status.upstream;
    const LinkCounters& counted = upstream.counters;
    const auto count = [&sink](const metrics::Family& family, uint64_t value) {
      sink.Add(family, {}, static_cast<double>(value));
    };
    count(families_.events_received, counted.events + counted.ephemeral);
    count(families_.ephemeral_events, counted.ephemeral);
    count(families_.ephemeral_gaps, counted.ephemeral_gaps);
    count(families_.batches, counted.batches);
    count(families_.batch_bytes, counted.batch_bytes);
    count(families_.void_events, counted.void_events);
    count(families_.records_behind, counted.records_behind);
    count(families_.attaches, counted.attaches);
    count(families_.failovers, counted.failovers);
    count(families_.moves, counted.moves);
    count(families_.topic_resets, counted.resets);
    count(families_.gaps, counted.gaps);
    count(families_.link_malformed, counted.malformed);
    count(families_.reads_shared, counted.reads_shared);
    count(families_.patterns_forgotten, upstream.patterns_forgotten);
    sink.Add(families_.reads_under_way, {}, static_cast<double>(upstream.reads_under_way));
    sink.Add(families_.reads_waiting, {}, static_cast<double>(upstream.reads_waiting));
    sink.Add(families_.interests, {}, static_cast<double>(upstream.interests));
    sink.Add(families_.kafka_up, {}, upstream.kafka_up ? 1 : 0);

    double up = 0;
    double down = 0;
    for (const IngestTargetStatus& ingest : status.ingests) {
      if (!ingest.duplicate) (ingest.up ? up : down) += 1;
    }
    sink.Add(families_.links, {{"state", "up"}}, up);
    sink.Add(families_.links, {{"state", "down"}}, down);
    sink.Add(families_.links_denied, {}, static_cast<double>(status.denied));

    double attached = 0;
    double stalled = 0;
    double unattached = 0;
    std::map<std::string, double> lags;
    for (const UpstreamStatus::Slot& slot : upstream.slots) {
      (slot.attached ? (slot.stalled ? stalled : attached) : unattached) += 1;
      if (slot.lag >= 0) lags[slot.topic] += static_cast<double>(slot.lag);
    }
    sink.Add(families_.attachments, {{"state", "attached"}}, attached);
    sink.Add(families_.attachments, {{"state", "stalled"}}, stalled);
    sink.Add(families_.attachments, {{"state", "unattached"}}, unattached);
    for (const auto& [topic, lag] : lags) {
      sink.Add(families_.consumer_lag, {{"topic", topic}}, lag);
    }
  }));
}

}  // namespace spillway::edge
