#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "services/ingest/kafka/cluster_query.h"

namespace spillway::ingest {

// Remembers which topics are compacted, and asks Kafka when that is not known or may have changed.
// What cannot be learnt stays as it was learnt last. Not thread-safe: the prober's thread only.
class TopicPolicies {
 public:
  struct Options {
    // After an answer, and after a failure.
    std::chrono::milliseconds ask_again{60'000};
  };
  // Asks Kafka; blocks.
  using Ask = std::function<absl::StatusOr<std::vector<TopicPolicy>>(
      const std::vector<std::string>& topics)>;

  TopicPolicies(Options options, Ask ask) : options_(options), ask_(std::move(ask)) {}

  // Fills in TopicInfo::compacted. What is no longer among `topics` is forgotten.
  void Fill(std::vector<TopicInfo>& topics, MonoTime now);
  // Why some could not be learnt, as of the last question; empty if all were.
  const std::string& problem() const { return problem_; }

 private:
  bool Due(const std::vector<TopicInfo>& topics, MonoTime now) const;
  void Learn(const std::vector<TopicInfo>& topics);

  const Options options_;
  const Ask ask_;
  std::map<std::string, bool> compacted_;
  std::optional<MonoTime> asked_at_;
  std::map<std::string, absl::Status> failed_;  // at the last question
  std::string problem_;
};

}  // namespace spillway::ingest
