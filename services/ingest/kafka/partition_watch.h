#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/ingest/kafka/kafka_settings.h"

namespace spillway::ingest {

class KafkaClient;

// Asks the leaders of the partitions that are being read where these end: for the lag of a reader
// that is behind, and to find out that a leader cannot be reached although others can, which
// librdkafka does not tell a reader. A thread and a client of its own, so it never holds up reading
// or the prober. Each leader is asked by itself, and one that does not answer delays a round by the
// timeout of a request.
//
// Start and Stop belong to one thread; callbacks run on the watch's own and must not block.
class PartitionWatch {
 public:
  struct Options {
    std::chrono::milliseconds interval{2'000};  // from the end of one round to the next
    std::chrono::milliseconds request_timeout{2'000};
    std::chrono::milliseconds leaders_refresh{10'000};  // who leads what; sooner after a failure
    // So many rounds must have failed, the later ones asking whoever leads by then, before it is
    // told.
    size_t failures = 2;
    size_t batch = 128;  // partitions in one request
  };
  struct Partition {
    uint64_t id = 0;  // the caller's; names the same partition each time
    std::string topic;
    int32_t partition = 0;
  };
  struct Seen {
    uint64_t id = 0;
    int64_t end = -1;  // the last stable offset; -1: no answer
    struct Away {
      MonoTime since;   // when the first of the questions without answer was put
      MonoTime lately;  // and the first of the last Options::failures of them
    };
    std::optional<Away> away;  // its leader
  };
  // What to ask for in the next round; nothing while Kafka is away.
  using Wanted = std::function<std::vector<Partition>()>;
  using OnSeen = std::function<void(std::vector<Seen>)>;

  // INVALID_ARGUMENT for settings that librdkafka refuses.
  static absl::StatusOr<std::unique_ptr<PartitionWatch>> Create(const KafkaSettings& settings,
                                                                const Options& options,
                                                                const Clock& clock, Wanted wanted,
                                                                OnSeen on_seen);
  ~PartitionWatch();  // Stop()
  void Start();
  // Waits for a request under way.
  void Stop();

 private:
  struct Failing {
    MonoTime since;
    std::deque<MonoTime> lately;  // the last Options::failures questions, the oldest first
  };

  PartitionWatch(const Options& options, const Clock& clock, Wanted wanted, OnSeen on_seen);
  void Run();
  void Round();
  void FindLeaders(MonoTime now);
  int32_t LeaderOf(const Partition& partition) const;
  // Asks one leader; what it says, or that it says nothing, goes to `seen`.
  void Ask(const std::vector<const Partition*>& of_leader, std::vector<Seen>* seen);
  bool stopping();

  const Options options_;
  const Clock& clock_;
  const Wanted wanted_;
  const OnSeen on_seen_;
  std::unique_ptr<KafkaClient> client_;

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;

  // The thread's own.
  std::map<std::string, std::vector<int32_t>, std::less<>> leaders_;
  MonoTime next_leaders_;
  std::map<uint64_t, Failing> failing_;
  std::thread thread_;
};

}  // namespace spillway::ingest
