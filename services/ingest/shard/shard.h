#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/log/rate_limited.h"
#include "common/metrics/metrics.h"
#include "services/ingest/kafka/dead_letter.h"
#include "services/ingest/kafka/partition_consumer.h"
#include "services/ingest/kafka/shard_reader.h"
#include "services/ingest/shard/record_builder.h"
#include "services/ingest/shard/repeat_filter.h"
#include "services/ingest/shard/shard_context.h"

namespace spillway::ingest {

// One normalising thread and all that belongs to it: its share of the partitions (ShardCore), its
// readers of Kafka, its normaliser. Records of a partition pass through one shard, in order.
//
// Post() and the metrics may be used from any thread; everything else happens on the shard's own.
// Owned by the app, which stops it before the consumers, the sink and the services it was given.
class Shard final : private RecordSource {
 public:
  struct Options {
    ShardCore::Options core;
    size_t poll_records = 2'000;  // records taken from Kafka's client in one turn
    std::chrono::milliseconds log_interval{10'000};  // what goes wrong again is logged once in it
  };
  // Read by the scraping thread.
  struct Metrics {
    metrics::Counter records;
    metrics::Counter bytes;
    metrics::Counter events;
    metrics::Counter repeats;  // records that yielded nothing, being repeats; of live readers
    metrics::Counter batches;
    metrics::Counter batch_bytes;
    metrics::Counter behind;
    metrics::Counter skipped;
    metrics::Counter gaps;
    metrics::Counter scans;
    metrics::Counter latest_evicted;
    metrics::Counter patterns_forgotten;
    metrics::Counter rereads;
    metrics::Counter reread_records;
    metrics::Gauge readers;
    metrics::Gauge stalled_readers;
    metrics::Gauge queued_records;     // fetched, and not looked at
    metrics::Gauge paused_partitions;  // of live readers and scans: nothing is fetched for them
    metrics::Gauge log_bytes;
    metrics::Gauge snapshot_bytes;
    metrics::Gauge reread_bytes;
  };

  Shard(Options options, const Clock& clock, PartitionConsumer& live, PartitionConsumer& scans,
        LinkSink& sink, ShardServices& services, DeadLetter* dead_letter);
  ~Shard() override;  // Stop()

  void Start();
  // Ends the thread after what was posted before.
  void Stop();

  using Task = std::function<void(ShardCore& core, MonoTime now)>;
  // Runs `task` on the shard's thread. Any thread.
  void Post(Task task);

  // On the shard's thread (from a task).
  void AddSlot(ShardSlot slot);
  void RemoveSlot(SlotId slot, std::string_view reason);
  // The answer to ShardServices::ResolveTime.
  void BeginScan(SlotId id, uint64_t scan, int64_t from);

  const Metrics& metrics() const { return metrics_; }
  // Records that could not become events, by topic and reason (RejectCode). Any thread. As many
  // entries as topics and reasons, at most.
  using Rejected = std::map<std::pair<std::string, std::string>, uint64_t>;
  Rejected rejected() const;

 private:
  struct Partition {
    ShardSlot slot;
    uint64_t live_cookie = 0;
    uint64_t scan_cookie = 0;
    uint64_t scan = 0;  // number of the scan that may begin
    int64_t scan_earliest = 0;
    // What is read first to know repeats, and is not handed on: before `from`. Of routes that look
    // for repeats; null: the route does not, or nothing is read.
    struct Repeats {
      int64_t from = 0;
      RepeatFilter filter;
    };
    std::unique_ptr<Repeats> live_repeats;
    std::unique_ptr<Repeats> scan_repeats;
  };

  // RecordSource
  void Resolve(SlotId id) override;
  void StartLive(SlotId id, int64_t from, int64_t earliest) override;
  void StopLive(SlotId id) override;
  void StartScan(SlotId id, int64_t from, int64_t from_time_ms, int64_t earliest) override;
  void StopScan(SlotId id) override;

  void Run();
  void Wake();
  bool RunTasks(MonoTime now);
  bool PollReader(ShardReader& reader, bool live, MonoTime now);
  // Where to begin reading for what is wanted from `from` on.
  static int64_t ReadFrom(const Partition& partition, int64_t from, int64_t earliest,
                          std::unique_ptr<Partition::Repeats>* repeats);
  void OnEvent(const PartitionEvent& event, bool live, MonoTime now);
  void OnRecord(Partition& partition, const RecordView& record, bool live, MonoTime now);
  // What the record yields, into normalised_.
  void Normalise(const Partition& partition, const RecordView& record, bool live);
  void UpdateMetrics();
  void ReportReaders(MonoTime now);

  const Options options_;
  const Clock& clock_;
  ShardServices& services_;
  DeadLetter* const dead_letter_;
  int wake_fd_ = -1;
  ShardCore core_;
  std::unique_ptr<ShardReader> live_;
  std::unique_ptr<ShardReader> scans_;
  RecordBuilder builder_;
  NormalisedRecord normalised_;  // used again and again: a record allocates nothing
  log::RateLimited rejects_;
  absl::flat_hash_map<SlotId, Partition> partitions_;
  absl::flat_hash_map<uint64_t, SlotId> by_cookie_;
  uint64_t next_cookie_ = 1;
  int64_t wall_us_ = 0;  // of this turn
  MonoTime next_report_;
  size_t reported_stalls_ = 0;
  Metrics metrics_;

  mutable Mutex rejected_mutex_;
  Rejected rejected_ SPILLWAY_GUARDED_BY(rejected_mutex_);

  Mutex mutex_;
  std::vector<Task> mailbox_ SPILLWAY_GUARDED_BY(mutex_);
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace spillway::ingest
