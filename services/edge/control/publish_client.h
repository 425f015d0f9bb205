#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/log/rate_limited.h"
#include "services/edge/control/node_calls.h"
#include "services/edge/session/publisher.h"

namespace spillway::edge {

// Headers of a record that a client published. No client can set them: the edge does.
inline constexpr char kUserHeader[] = "spillway_user";        // id; left out if it has none
inline constexpr char kChannelHeader[] = "spillway_channel";  // that it was published to
inline constexpr char kRestHeader[] =
    "spillway_rest";                                  // of it, behind the rule's literal beginning
inline constexpr char kKeyHeader[] = "spillway_key";  // the client's key; left out without one

// Has what clients publish published by ingests, one of those that are linked: by rendezvous
// hashing, so that what belongs together goes to the same one from every edge. What an ingest may
// have published without saying so is asked of another one only if a second time does no harm, that
// is, if it has an idempotency key and goes to a topic; else its outcome is unknown. Once it is,
// only an ingest that says it is published changes that. Thread-safe. Owned by the composition
// root; its calls are ended (NodeCalls::Stop) before what is called back.
class PublishClient final : public Publisher {
 public:
  struct Options {
    std::chrono::milliseconds timeout{6'000};  // for all tries; an ingest gives Kafka 5 s
    std::chrono::milliseconds log_interval{10'000};
  };
  // Addresses of linked ingests; any thread.
  using Ingests = std::function<std::vector<std::string>()>;

  // `clock` and `calls` outlive it.
  PublishClient(Options options, const Clock& clock, NodeCalls& calls, Ingests ingests)
      : options_(options),
        clock_(clock),
        calls_(calls),
        ingests_(std::move(ingests)),
        log_(clock, options.log_interval) {}

  void Publish(uint64_t place, std::shared_ptr<const Batch> batch, Done done) override;

 private:
  struct Attempt;
  void Try(const std::shared_ptr<Attempt>& attempt);
  void OnStatus(Attempt& attempt, const std::string& address, const grpc::Status& status);
  void Log(const Attempt& attempt, const std::string& address, const std::string& why);

  const Options options_;
  const Clock& clock_;
  NodeCalls& calls_;
  const Ingests ingests_;
  log::RateLimited log_;
};

// What the ingest is to know a client's idempotency key by: another client's, or one for another
// channel, is another key, whatever they send. Empty if it has none.
std::string IdempotencyKeyOf(const Publication& publication);

// The first to ask; "" if there is none. The same for all edges that know the same ingests.
std::string IngestFor(uint64_t place, const std::vector<std::string>& ingests,
                      const std::vector<std::string>& tried);

}  // namespace spillway::edge
