#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "services/ingest/kafka/cluster_query.h"
#include "services/ingest/kafka/kafka_settings.h"
#include "services/ingest/kafka/lookup_queue.h"
#include "services/ingest/kafka/probe_schedule.h"
#include "services/ingest/kafka/topic_policies.h"

namespace spillway::ingest {

// What is known of the cluster after a probe. While Kafka is down, the topics are those of the last
// answer.
struct Metadata {
  bool up = false;
  std::string reason;  // why not up, in words for an operator
  std::string cluster_id;
  int brokers = 0;
  std::vector<TopicInfo> topics;     // those that match, by name
  std::vector<std::string> missing;  // wanted by name, and not there
  std::vector<std::string> denied;   // wanted by name, and not allowed
  // Wanted or matching, and in another kind of trouble (the status says which).
  std::vector<TopicInfo> troubled;
  // Why it is not known of some topics whether they are compacted; empty if it is of all.
  std::string policies_problem;
};

// Which topics are of interest.
struct TopicSelection {
  std::function<bool(std::string_view)> matches;
  std::vector<std::string> wanted;  // exact names, whose absence is reported; need not match
};

// Watches the cluster from a thread of its own with a client of its own: topics that match and
// their partitions, whether brokers answer, and look-ups of offsets. Everything public may be
// called from any thread, Stop by one; callbacks run on the prober's thread and must not block.
//
// An absent, stopped or paused broker is noticed within liveness + request_timeout (4 s), its
// return within about 2 s.
class MetadataProber {
 public:
  struct Options {
    ProbeSchedule::Options schedule;
    std::chrono::milliseconds request_timeout{2000};
    // How long the topics of a listing are held back for whether they are compacted; a broker that
    // does not know the question lets it time out.
    std::chrono::milliseconds policies_timeout{500};
    // Look-ups that may wait; more are refused.
    size_t max_pending = 100'000;
  };
  // After each listing, and whenever `up` changes.
  using OnMetadata = std::function<void(const Metadata&)>;
  using BoundsCallback = std::function<void(absl::StatusOr<PartitionBounds>)>;
  using OffsetCallback = std::function<void(absl::StatusOr<int64_t>)>;

  // INVALID_ARGUMENT for settings that librdkafka refuses. Says nothing before Start().
  static absl::StatusOr<std::unique_ptr<MetadataProber>> Create(const KafkaSettings& settings,
                                                                const Options& options,
                                                                TopicSelection selection,
                                                                OnMetadata on_metadata);
  ~MetadataProber();  // Stop()
  // Starts the thread. Once.
  void Start();
  MetadataProber(const MetadataProber&) = delete;
  MetadataProber& operator=(const MetadataProber&) = delete;

  // Stops the thread; waits for a request under way (at most request_timeout). Look-ups that still
  // wait, and those that come later, are answered CANCELLED: others may ask until the destructor.
  void Stop();

  // Replaces the selection and lists at once.
  void Select(TopicSelection selection);
  void RefreshSoon();

  // Asks the partition's leader for its bounds; never from a cache. NOT_FOUND: no such topic or
  // partition; UNAVAILABLE / DEADLINE_EXCEEDED: try again. A leader that does not answer holds up
  // the look-ups at others for request_timeout, once in two of them. RESOURCE_EXHAUSTED: too many
  // wait; CANCELLED: stopped. What cannot be asked is answered at once, on the caller's thread.
  void Resolve(std::string_view topic, int32_t partition, BoundsCallback callback);
  // The offset of the first record that is not older than `unix_ms`; the end if there is none. The
  // embedded broker knows no times and always answers the end.
  void ResolveTime(std::string_view topic, int32_t partition, int64_t unix_ms,
                   OffsetCallback callback);

 private:
  MetadataProber(const Options& options, OnMetadata on_metadata);

  void Run();
  void Refresh();
  void CheckLiveness();
  void ReportDown(const absl::Status& status);
  void Enqueue(OffsetLookup lookup);
  // What was asked for since the last time goes to its leader's queue.
  void Sort(std::vector<OffsetLookup> fresh);
  int32_t LeaderOf(const std::string& topic, int32_t partition) const;
  void Answer(LookupQueue::Batch batch);

  const Options options_;
  const OnMetadata on_metadata_;
  std::unique_ptr<KafkaClient> client_;
  // A topic that is not listed may be asked for by name. The embedded broker lists all it has, and
  // creates what it is asked for: its protocol version can't be told not to.
  bool by_name_ = true;

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool refresh_soon_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const TopicSelection> selection_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<OffsetLookup> fresh_ SPILLWAY_GUARDED_BY(mutex_);
  size_t pending_ SPILLWAY_GUARDED_BY(mutex_) = 0;  // fresh ones, and those in lookups_

  // The thread's own.
  ProbeSchedule schedule_;
  LookupQueue lookups_;
  TopicPolicies policies_;
  Metadata metadata_;
  bool reported_ = false;
  std::thread thread_;
};

}  // namespace spillway::ingest
