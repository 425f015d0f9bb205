#pragma once

#include "common/metrics/families.h"
#include "common/metrics/metrics.h"

namespace spillway::ingest {

// All that the ingest exports (docs/metrics.md is made of it): a metric cannot be registered
// without a line here. Immutable; outlives the registry that is made of it.
struct IngestFamilies {
  metrics::Families all;
  const metrics::ProcessFamilies process{all};

  // Shards.
  const metrics::Family& records =
      all.Counter("spillway_ingest_records_total", "Records read by live readers.");
  const metrics::Family& record_bytes =
      all.Counter("spillway_ingest_record_bytes_total", "Bytes of their keys and values.");
  const metrics::Family& events =
      all.Counter("spillway_ingest_events_total", "Events made of them; each is serialised once.");
  const metrics::Family& repeats =
      all.Counter("spillway_ingest_repeats_total",
                  "Records that repeat an idempotency key, and yield no events.");
  const metrics::Family& batches =
      all.Counter("spillway_ingest_batches_total", "Batches handed to links.");
  const metrics::Family& batch_bytes =
      all.Counter("spillway_ingest_batch_bytes_total", "Bytes of those batches.");
  const metrics::Family& edges_behind =
      all.Counter("spillway_ingest_edges_behind_total",
                  "Attachments that a log moved past; their partition is read again for them.");
  const metrics::Family& edges_skipped =
      all.Counter("spillway_ingest_edges_skipped_total",
                  "Attachments too far behind for that: they go on with the log, after a gap.");
  const metrics::Family& patterns_forgotten =
      all.Counter("spillway_ingest_patterns_forgotten_total",
                  "Times that it was forgotten which channels match an edge's patterns, because "
                  "there were too many channels: it is worked out anew.");
  const metrics::Family& gaps = all.Counter("spillway_ingest_gaps_total", "Gaps told to edges.");
  const metrics::Family& scans =
      all.Counter("spillway_ingest_scans_total", "Scans begun to catch up or to fill snapshots.");
  const metrics::Family& readers = all.Gauge("spillway_ingest_readers", "Partitions being read.");
  const metrics::Family& stalled_readers =
      all.Gauge("spillway_ingest_stalled_readers",
                "Partitions that are wanted and cannot be read: /ready names them.");
  const metrics::Family& consumer_lag =
      all.Gauge("spillway_ingest_consumer_lag", "Records that readers are behind.", {"topic"});
  const metrics::Family& queued_records = all.Gauge(
      "spillway_ingest_queued_records", "Records fetched from Kafka that no shard has looked at.");
  const metrics::Family& paused_partitions =
      all.Gauge("spillway_ingest_paused_partitions",
                "Partitions, of live readers and of scans, for which nothing is fetched: their "
                "shard's queue is full.");
  const metrics::Family& log_bytes =
      all.Gauge("spillway_ingest_log_bytes", "Encoded events kept in logs.");
  const metrics::Family& snapshot_bytes =
      all.Gauge("spillway_ingest_snapshot_bytes", "Latest events kept for snapshots.");
  const metrics::Family& reread_bytes =
      all.Gauge("spillway_ingest_reread_bytes", "Held of partitions that are read again.");
  const metrics::Family& rereads = all.Counter(
      "spillway_ingest_rereads_total", "Scans for what clients missed and the log has given up.");
  const metrics::Family& reread_records =
      all.Counter("spillway_ingest_reread_records_total", "Records that those scans read.");
  const metrics::Family& snapshot_evictions =
      all.Counter("spillway_ingest_snapshot_evictions_total",
                  "Latest events given up at history.snapshot_bytes.");

  // Kafka.
  const metrics::Family& kafka_up = all.Gauge("spillway_ingest_kafka_up", "1 while Kafka answers.");

  // Links.
  const metrics::Family& links = all.Gauge("spillway_ingest_links", "Edges linked.");
  const metrics::Family& link_queued_bytes =
      all.Gauge("spillway_ingest_link_queued_bytes", "Bytes waiting for edges.");
  const metrics::Family& links_opened =
      all.Counter("spillway_ingest_links_opened_total", "Links opened.");
  const metrics::Family& links_refused =
      all.Counter("spillway_ingest_links_refused_total", "Links refused at the limit.");
  const metrics::Family& links_cut =
      all.Counter("spillway_ingest_links_cut_total", "Links cut because the edge was too slow.");
  const metrics::Family& answers_overflowed =
      all.Counter("spillway_ingest_link_answers_overflowed_total",
                  "Links ended because the edge took none of the answers that waited for it.");
  const metrics::Family& ephemeral_dropped =
      all.Counter("spillway_ingest_ephemeral_dropped_total",
                  "Ephemeral events dropped because an edge was too slow.");

  // Reads.
  const metrics::Family& reads =
      all.Counter("spillway_ingest_reads_total", "Snapshot and history reads.");
  const metrics::Family& reads_failed =
      all.Counter("spillway_ingest_reads_failed_total", "Reads that failed.");

  // The control topic.
  const metrics::Family& control_whole =
      all.Gauge("spillway_ingest_control_whole", "1 once the control topic was read to its end.");
  const metrics::Family& control_entries =
      all.Gauge("spillway_ingest_control_entries", "Blocks and revocations in force.");
  const metrics::Family& control_records =
      all.Counter("spillway_ingest_control_records_total", "Records read of the control topic.");
  const metrics::Family& control_bad =
      all.Counter("spillway_ingest_control_bad_records_total",
                  "Of them, those that are no entries and were passed over.");
  const metrics::Family& control_dropped =
      all.Counter("spillway_ingest_control_dropped_total",
                  "Blocks and revocations that are not in force here: there are too many.");
  const metrics::Family& control_cleared =
      all.Counter("spillway_ingest_control_cleared_total",
                  "Entries that had ended, cleared out of the control topic by this ingest.");
  const metrics::Family& control_writes =
      all.Counter("spillway_ingest_control_writes_total",
                  "Blocks and revocations written for edges.", {"outcome"});

  // The audit topic.
  const metrics::Family& audit_lines =
      all.Counter("spillway_ingest_audit_lines_total",
                  "Lines of edges' audit logs: written to the audit topic, or not, and then sent "
                  "again by the edge.",
                  {"outcome"});

  const metrics::Family& own_audit_lines =
      all.Counter("spillway_ingest_own_audit_lines_total",
                  "Lines of this node's own audit log, for each output: written; lost for lack of "
                  "room, for the number that callers caused, or since the node ended.",
                  {"outcome"});
  const metrics::Family& own_audit_waiting = all.Gauge(
      "spillway_ingest_own_audit_lines_waiting", "Lines of this node's own audit log that wait.");

  // Records and publications.
  const metrics::Family& rejected_records =
      all.Counter("spillway_ingest_rejected_records_total", "Records that could not become events.",
                  {"reason", "topic"});
  const metrics::Family& published =
      all.Counter("spillway_ingest_published_total", "Publications accepted.", {"kind"});
  const metrics::Family& publish_duplicates =
      all.Counter("spillway_ingest_publish_duplicates_total",
                  "Publications answered with where their idempotency key was written before.");
  const metrics::Family& publish_refused =
      all.Counter("spillway_ingest_publish_refused_total", "Publications refused.");
  const metrics::Family& calls_refused =
      all.Counter("spillway_ingest_calls_refused_total",
                  "Calls of publishers and edges that were refused for who made them.", {"reason"});
  const metrics::Family& token_file_failures =
      all.Counter("spillway_ingest_token_file_failures_total",
                  "Times that a file with callers' tokens could not be used as it was.");
  const metrics::Family& tls_reload_failures =
      all.Counter("spillway_ingest_tls_reload_failures_total",
                  "Times that changed TLS files could not be used.");
  const metrics::Family& dead_letters = all.Counter("spillway_ingest_dead_letters_total",
                                                    "Rejected records copied aside.", {"outcome"});
};

}  // namespace spillway::ingest
