// IngestApp: what /metrics shows. Names are in docs/metrics.md.

#include "services/ingest/app/ingest_app.h"

namespace spillway::ingest {

void IngestApp::AddMetrics() {
  const auto counter = [this](std::string name, std::string help,
                              metrics::Counter Shard::Metrics::*member) {
    metrics_handles_.push_back(
        registry_.AddCounter(std::move(name), std::move(help), {}, [=, this] {
          double sum = 0;
          for (const auto& shard : shards_)
            sum += static_cast<double>((shard->metrics().*member).Value());
          return sum;
        }));
  };
  const auto gauge = [this](std::string name, std::string help,
                            metrics::Gauge Shard::Metrics::*member) {
    metrics_handles_.push_back(registry_.AddGauge(std::move(name), std::move(help), {}, [=, this] {
      double sum = 0;
      for (const auto& shard : shards_)
        sum += static_cast<double>((shard->metrics().*member).Value());
      return sum;
    }));
  };
  counter("spillway_ingest_records_total", "Records read by live readers.",
          &Shard::Metrics::records);
  counter("spillway_ingest_record_bytes_total", "Bytes of their keys and values.",
          &Shard::Metrics::bytes);
  counter("spillway_ingest_events_total", "Events made of them; each is serialised once.",
          &Shard::Metrics::events);
  counter("spillway_ingest_batches_total", "Batches handed to links.", &Shard::Metrics::batches);
  counter("spillway_ingest_batch_bytes_total", "Bytes of those batches.",
          &Shard::Metrics::batch_bytes);
  counter("spillway_ingest_edges_behind_total", "Edges that fell behind a log.",
          &Shard::Metrics::cuts);
  counter("spillway_ingest_gaps_total", "Gaps told to edges.", &Shard::Metrics::gaps);
  counter("spillway_ingest_scans_total", "Scans begun to catch up or to fill snapshots.",
          &Shard::Metrics::scans);
  gauge("spillway_ingest_readers", "Partitions being read.", &Shard::Metrics::readers);
  gauge("spillway_ingest_stalled_readers", "Of these, the ones that cannot be read.",
        &Shard::Metrics::stalled_readers);
  gauge("spillway_ingest_log_bytes", "Encoded events kept in logs.", &Shard::Metrics::log_bytes);
  gauge("spillway_ingest_snapshot_bytes", "Latest events kept for snapshots.",
        &Shard::Metrics::snapshot_bytes);

  auto& handles = metrics_handles_;
  handles.push_back(
      registry_.AddGauge("spillway_ingest_kafka_up", "1 while Kafka answers.", {}, &kafka_up_));
  handles.push_back(registry_.AddCollector([this](metrics::Sink& sink) {
    const LinkHub::Counters links = hub_->counters();
    sink.Gauge("spillway_ingest_links", "Edges linked.", {}, static_cast<double>(links.links));
    sink.Gauge("spillway_ingest_link_queued_bytes", "Bytes waiting for edges.", {},
               static_cast<double>(links.queued_bytes));
    sink.Counter("spillway_ingest_links_opened_total", "Links opened.", {},
                 static_cast<double>(links.opened));
    sink.Counter("spillway_ingest_links_refused_total", "Links refused at the limit.", {},
                 static_cast<double>(links.refused));
    sink.Counter("spillway_ingest_links_cut_total", "Links cut because the edge was too slow.", {},
                 static_cast<double>(links.cut));
    sink.Counter("spillway_ingest_ephemeral_dropped_total",
                 "Ephemeral events dropped because an edge was too slow.", {},
                 static_cast<double>(links.ephemeral_dropped));
    sink.Counter("spillway_ingest_reads_total", "Snapshot and history reads.", {},
                 static_cast<double>(reads_->reads()));
    sink.Counter("spillway_ingest_reads_failed_total", "Reads that failed.", {},
                 static_cast<double>(reads_->failed()));
    Shard::Rejected rejected;
    for (const auto& shard : shards_) {
      for (const auto& [what, count] : shard->rejected()) rejected[what] += count;
    }
    for (const auto& [what, count] : rejected) {
      sink.Counter("spillway_ingest_rejected_records_total",
                   "Records that could not become events.",
                   {{"topic", what.first}, {"reason", what.second}}, static_cast<double>(count));
    }
    const PublishService::Counters& publish = publish_->counters();
    sink.Counter("spillway_ingest_published_total", "Publications accepted.", {{"kind", "durable"}},
                 static_cast<double>(publish.durable.load()));
    sink.Counter("spillway_ingest_published_total", "Publications accepted.",
                 {{"kind", "ephemeral"}}, static_cast<double>(publish.ephemeral.load()));
    sink.Counter("spillway_ingest_publish_refused_total", "Publications refused.", {},
                 static_cast<double>(publish.refused.load()));
    if (dead_letter_ != nullptr) {
      const DeadLetter::Counters& dead = dead_letter_->counters();
      const auto add = [&](const char* outcome, const metrics::AtomicCounter& value) {
        sink.Counter("spillway_ingest_dead_letters_total", "Rejected records copied aside.",
                     {{"outcome", outcome}}, static_cast<double>(value.Value()));
      };
      add("sent", dead.sent);
      add("dropped", dead.dropped);
      add("failed", dead.failed);
    }
  }));
  handles.push_back(metrics::AddProcessMetrics(registry_));
}

}  // namespace spillway::ingest
