// IngestApp: what /metrics shows. Names are in docs/metrics.md.

#include "services/ingest/app/ingest_app.h"

namespace spillway::ingest {

void IngestApp::AddMetrics() {
  // Counters and gauges of the shards.
  const auto sum = [this](const metrics::Family& family, auto Shard::Metrics::*member) {
    metrics_handles_.push_back(registry_.Add(family, {}, [this, member] {
      double sum = 0;
      for (const auto& shard : shards_) {
        sum += static_cast<double>((shard->metrics().*member).Value());
      }
      return sum;
    }));
  };
  sum(families_.records, &Shard::Metrics::records);
  sum(families_.record_bytes, &Shard::Metrics::bytes);
  sum(families_.events, &Shard::Metrics::events);
  sum(families_.repeats, &Shard::Metrics::repeats);
  sum(families_.batches, &Shard::Metrics::batches);
  sum(families_.batch_bytes, &Shard::Metrics::batch_bytes);
  sum(families_.edges_behind, &Shard::Metrics::behind);
  sum(families_.edges_skipped, &Shard::Metrics::skipped);
  sum(families_.gaps, &Shard::Metrics::gaps);
  sum(families_.scans, &Shard::Metrics::scans);
  sum(families_.snapshot_evictions, &Shard::Metrics::latest_evicted);
  sum(families_.patterns_forgotten, &Shard::Metrics::patterns_forgotten);
  sum(families_.rereads, &Shard::Metrics::rereads);
  sum(families_.reread_records, &Shard::Metrics::reread_records);
  sum(families_.readers, &Shard::Metrics::readers);
  sum(families_.stalled_readers, &Shard::Metrics::stalled_readers);
  sum(families_.queued_records, &Shard::Metrics::queued_records);
  sum(families_.paused_partitions, &Shard::Metrics::paused_partitions);
  sum(families_.log_bytes, &Shard::Metrics::log_bytes);
  sum(families_.snapshot_bytes, &Shard::Metrics::snapshot_bytes);
  sum(families_.reread_bytes, &Shard::Metrics::reread_bytes);

  auto& handles = metrics_handles_;
  handles.push_back(registry_.Add(families_.kafka_up, {}, &kafka_up_));
  handles.push_back(registry_.AddCollector([this](metrics::Sink& sink) {
    const LinkHub::Counters links = hub_->counters();
    sink.Add(families_.links, {}, static_cast<double>(links.links));
    sink.Add(families_.link_queued_bytes, {}, static_cast<double>(links.queued_bytes));
    sink.Add(families_.links_opened, {}, static_cast<double>(links.opened));
    sink.Add(families_.links_refused, {}, static_cast<double>(links.refused));
    sink.Add(families_.links_cut, {}, static_cast<double>(links.cut));
    sink.Add(families_.answers_overflowed, {}, static_cast<double>(links.answers_overflowed));
    sink.Add(families_.ephemeral_dropped, {}, static_cast<double>(links.ephemeral_dropped));
    sink.Add(families_.reads, {}, static_cast<double>(reads_->reads()));
    sink.Add(families_.reads_failed, {}, static_cast<double>(reads_->failed()));
    for (const auto& [topic, lag] : board_->Lags()) {
      sink.Add(families_.consumer_lag, {{"topic", topic}}, static_cast<double>(lag));
    }
    Shard::Rejected rejected;
    for (const auto& shard : shards_) {
      for (const auto& [what, count] : shard->rejected()) rejected[what] += count;
    }
    for (const auto& [what, count] : rejected) {
      sink.Add(families_.rejected_records, {{"topic", what.first}, {"reason", what.second}},
               static_cast<double>(count));
    }
    const PublishService::Counters& publish = publish_->counters();
    sink.Add(families_.published, {{"kind", "durable"}},
             static_cast<double>(publish.durable.load()));
    sink.Add(families_.published, {{"kind", "ephemeral"}},
             static_cast<double>(publish.ephemeral.load()));
    sink.Add(families_.publish_duplicates, {}, static_cast<double>(publish.duplicates.load()));
    sink.Add(families_.publish_refused, {}, static_cast<double>(publish.refused.load()));
    sink.Add(families_.tls_reload_failures, {},
             static_cast<double>(server_->tls_reload_failures()));
    access_->AddMetrics(families_.calls_refused, families_.token_file_failures, sink);
    if (dead_letter_ != nullptr) {
      const DeadLetter::Counters& dead = dead_letter_->counters();
      const auto add = [&](const char* outcome, const metrics::AtomicCounter& value) {
        sink.Add(families_.dead_letters, {{"outcome", outcome}},
                 static_cast<double>(value.Value()));
      };
      add("sent", dead.sent);
      add("dropped", dead.dropped);
      add("failed", dead.failed);
    }
  }));
  audit_->AddMetrics(registry_, families_, &handles);
  control_->AddMetrics(registry_, families_, &handles);
  handles.push_back(metrics::AddProcessMetrics(registry_, families_.process));
}

}  // namespace spillway::ingest
