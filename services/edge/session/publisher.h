#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/edge/session/channel_policy.h"

namespace spillway::edge {

// What became of what a client wanted to publish.
enum class PublishOutcome : uint8_t {
  kPublished,
  kNotAllowed,   // no rule lets the client
  kRateLimited,  // of its user, or of the rule
  kTooMany,      // under way, of the connection
  kTooManyNode,  // of the node
  kBadData,      // it is no object, or has a member that is not the client's to set
  kTooLarge,     // for the ingest
  kBusy,         // too much waits for Kafka: nothing was published
  kUnavailable,  // no ingest, or no Kafka: nothing was published
  kFailed,       // refused by the ingest or by Kafka: nothing was published
  kUnknown,      // it may have been published, or not
  kLeft,         // the client went before its turn came: nothing was published
};
inline constexpr size_t kPublishOutcomes = 12;
// Names in metrics.
inline constexpr std::array<std::string_view, kPublishOutcomes> kPublishOutcomeNames = {
    "published", "not_allowed", "rate_limited", "too_many", "too_many_node", "bad_data",
    "too_large", "busy",        "unavailable",  "failed",   "unknown",       "left"};

// What a client publishes: it may, and all of it is of a good form.
struct Publication {
  const PublishTarget* target = nullptr;  // of the rule; lives as long as the publisher
  std::string channel = {};
  std::string rest = {};             // of the channel, behind what the rule's pattern begins with
  std::string user_id = {};          // empty: anonymous
  std::string connection = {};       // id of the client's
  std::string correlation_id = {};   // of the connection
  std::string key = {};              // empty: none
  std::string data = {};             // JSON
  std::string idempotency_key = {};  // the client's; empty: none

  size_t bytes() const {
    return channel.size() + correlation_id.size() + rest.size() + user_id.size() + key.size() +
           data.size() + idempotency_key.size();
  }
};

struct PublishAnswer {
  PublishOutcome outcome = PublishOutcome::kUnavailable;
  // If it is published, durably.
  bool duplicate = false;  // it was before, and was not again
  std::string topic = {};
  int32_t partition = 0;
  int64_t offset = 0;
};

// Takes what clients publish to an ingest. Thread-safe.
class Publisher {
 public:
  using Batch = std::vector<Publication>;  // of one target
  // An answer for each, in their order.
  using Done = std::function<void(std::vector<PublishAnswer> answers)>;

  virtual ~Publisher() = default;
  // Publishes them in their order; those with the same `place` go to the same ingest while that is
  // linked. `done` is called exactly once, maybe at once, on any thread.
  virtual void Publish(uint64_t place, std::shared_ptr<const Batch> batch, Done done) = 0;
};

// How much of all clients of a node is under way at a time. Thread-safe. Owned by the composition
// root.
class PublishBounds {
 public:
  PublishBounds(size_t most, size_t most_bytes) : most_(most), most_bytes_(most_bytes) {}

  // False: too many, or too large together; one alone is taken whatever its size.
  bool Take(size_t bytes) {
    const size_t count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    const size_t total = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (count <= most_ && (total <= most_bytes_ || count == 1)) return true;
    Give(bytes);
    return false;
  }
  void Give(size_t bytes) {
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
  size_t count() const { return count_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // Nothing is published any more: the node stops.
  void Shut() { shut_.store(true, std::memory_order_relaxed); }
  bool shut() const { return shut_.load(std::memory_order_relaxed); }

 private:
  const size_t most_;
  const size_t most_bytes_;
  std::atomic<size_t> count_{0};
  std::atomic<size_t> bytes_{0};
  std::atomic<bool> shut_{false};
};

}  // namespace spillway::edge
