#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "services/ingest/kafka/kafka_settings.h"

struct rd_kafka_topic_s;

namespace spillway::ingest {

class KafkaClient;
class ShardReader;

// One librdkafka consumer without a group, shared by all shards: each takes a ShardReader from it.
// One instance reads a partition at most once, so an ingest has two: one for live reading, one for
// scans behind it. Create, NewReader and the destructor belong to the thread that owns it (all
// readers must be gone first); the rest is internal and thread-safe.
//
// Why rd_kafka_consume_start_queue and not assign(): assign() needs a group id, looks for its
// coordinator (which an ACL may deny) and replaces the whole assignment; this starts and stops one
// partition, at an explicit offset, into the queue of the shard that wants it.
//
// Bounds: a shard's queue pauses fetching for its partitions above Options::queue_bytes; what was
// on its way may add Options::fetch_max_bytes per broker. librdkafka 2.0.2 looks at a full queue
// again only when something else wakes that broker's thread, at the latest after 1 s, so a shard
// that is behind by a whole queue reads at least queue_bytes per second and nothing is lost. Below
// some 4 MiB that is slow: 1 M records of 200 B took 0.4 s at 4 MiB, and 39 s at 1 MiB.
//
// A broker has one Fetch under way; what starts meanwhile waits for its end, so the first record
// comes up to fetch.wait.max.ms (100) after a start.
class PartitionConsumer {
 public:
  struct Options {
    int64_t queue_bytes = 32 << 20;
    int64_t fetch_max_bytes = 8 << 20;
  };

  // INVALID_ARGUMENT for settings that librdkafka refuses. Does not wait for a broker.
  static absl::StatusOr<std::unique_ptr<PartitionConsumer>> Create(const KafkaSettings& settings,
                                                                   const Options& options);
  ~PartitionConsumer();

  // A reader for one shard. Whenever its queue stops being empty, 8 bytes (the number 1) are
  // written to `wake_fd`, a non-blocking eventfd that may serve other purposes too and must outlive
  // the reader.
  std::unique_ptr<ShardReader> NewReader(int wake_fd);

 private:
  friend class ShardReader;
  struct Topics;

  PartitionConsumer();
  // Null when librdkafka refuses the name. The handle lives as long as this consumer: stale
  // messages may still refer to it.
  rd_kafka_topic_s* FindTopic(const std::string& name);

  std::unique_ptr<KafkaClient> client_;
  int64_t queue_bytes_ = 0;  // of each reader
  Mutex mutex_;
  std::unique_ptr<Topics> topics_ SPILLWAY_PT_GUARDED_BY(mutex_);
};

}  // namespace spillway::ingest
