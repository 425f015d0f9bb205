#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/metrics/metrics.h"
#include "services/ingest/kafka/record_view.h"

struct rd_kafka_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_s;

namespace spillway::ingest {

class PartitionConsumer;

// One shard's partitions of a PartitionConsumer and the queue that their records arrive in. Owned
// and called by the shard's thread alone (counters may be read anywhere); gone before its consumer.
//
// Nothing of before a Stop is ever delivered as if from after it. librdkafka stamps records and
// ends of partition with a version that each start and stop raises, and drops older ones as they
// are taken from the queue; some of its errors carry no version, so an out-of-range error about an
// offset that this start is already past restarts the partition where it stands, unseen. A start
// delivers strictly rising offsets from `from_offset` on.
class ShardReader {
 public:
  using Handler = absl::FunctionRef<void(const PartitionEvent&)>;

  struct Counters {
    metrics::Counter records;
    metrics::Counter bytes;  // keys and values
    metrics::Counter eofs;
    metrics::Counter errors;
    metrics::Counter stale_dropped;  // late events of an earlier start
  };

  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  // Reads `partition` of `topic` from `from_offset` (>= 0) on until stopped. Events carry `cookie`,
  // which must not be in use. The broker need not be there, nor the topic: reading begins when they
  // are. ALREADY_EXISTS if this reader has the partition or the cookie already; INVALID_ARGUMENT
  // for a bad offset, partition or topic name. Another reader of the same consumer having it is not
  // detected.
  absl::Status StartPartition(std::string_view topic, int32_t partition, int64_t from_offset,
                              uint64_t cookie);

  // After it returns no event with `cookie` is delivered. Unknown cookies are ignored. Blocks for
  // two thread switches (tens of microseconds, whatever the state of the brokers). May be
  // called by the handler.
  void StopPartition(uint64_t cookie);

  // Hands at most `max` events to `handler`; never blocks. True: there may be more and the wake fd
  // need not signal them, so poll again before waiting.
  bool Poll(size_t max, Handler handler);

  // The offset that comes after everything delivered so far; -1 for an unknown cookie.
  int64_t NextOffset(uint64_t cookie) const;
  size_t partitions() const { return by_cookie_.size(); }
  // Events that wait in the queue. Any thread.
  size_t queued() const;
  // The queue holds about as many bytes as it may, so that no more is fetched into it: by the size
  // of the latest records, since librdkafka tells their number only.
  bool full() const;
  const Counters& counters() const { return counters_; }

 private:
  friend class PartitionConsumer;
  struct Entry;
  using Key = std::pair<const rd_kafka_topic_s*, int32_t>;

  ShardReader(PartitionConsumer& consumer, rd_kafka_s* client, int64_t queue_bytes, int wake_fd);

  Entry* Find(const rd_kafka_topic_s* topic, int32_t partition);
  absl::Status StartFetching(const Entry& entry);
  void Remove(Entry& entry);
  template <typename Event>
  bool HandleRecord(Event* event, Handler handler);
  template <typename Event>
  bool HandleError(Event* event, Handler handler);

  PartitionConsumer& consumer_;
  rd_kafka_queue_s* const queue_;
  const double queue_bytes_;
  double record_bytes_ = 0;  // mean of the latest
  absl::flat_hash_map<uint64_t, std::unique_ptr<Entry>> by_cookie_;
  absl::flat_hash_map<Key, Entry*> by_partition_;
  Entry* last_ = nullptr;  // records come in runs of one partition
  Counters counters_;
};

}  // namespace spillway::ingest
