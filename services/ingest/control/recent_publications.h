#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/ingest/kafka/producer.h"

namespace spillway::ingest {

// Where this ingest wrote what came with an idempotency key: a publisher that asks again is
// answered with that, and nothing is written twice. Best effort: only what Kafka has acknowledged
// is known, of the last `most` keys, for `age`, by this ingest alone. Any thread.
class RecentPublications {
 public:
  struct Options {
    size_t most = 10'000;
    std::chrono::seconds age{600};
  };

  RecentPublications(const Options& options, const Clock& clock)
      : options_(options), clock_(clock) {}

  std::optional<ProducedAt> Find(std::string_view topic, std::string_view key);
  void Add(std::string_view topic, std::string_view key, const ProducedAt& at);

 private:
  struct Known {
    ProducedAt at;
    MonoTime when;
  };
  static std::string NameOf(std::string_view topic, std::string_view key);

  const Options options_;
  const Clock& clock_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Known> known_ SPILLWAY_GUARDED_BY(mutex_);
  std::deque<std::string> order_ SPILLWAY_GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace spillway::ingest
