#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "services/ingest/control/recent_publications.h"
#include "services/ingest/kafka/producer.h"
#include "services/ingest/link/link_hub.h"
#include "spillway/v1/publish.grpc.pb.h"

namespace spillway::ingest {

// How backend services push events: durably (by Kafka, answered after its acknowledgement) or
// ephemerally (straight to the edges, at most once). Thread-safe: gRPC calls it, and the producer
// answers, on threads of their own. The app owns it and ends the server before it.
//
// Every refusal has a stable code (docs/errors.md), in PublishResult.error_code and, where the call
// itself fails, at the head of the status message.
class PublishService final : public v1::PublishService::CallbackService {
 public:
  // At most so many bytes of an ephemeral event are not payload: its channels, type and key.
  static constexpr size_t kEphemeralOverhead = 64 << 10;
  struct Options {
    bool enabled = true;
    size_t max_message_bytes = 1 << 20;
    size_t max_ephemeral_bytes = 1 << 20;  // a larger one would never fit into a link's queue
    int max_batch = 1000;
    size_t max_stream_pending =
        1000;                   // of one PublishStream; more are not read until some are answered
    size_t max_channels = 100;  // of one ephemeral publication
  };
  struct Counters {
    std::atomic<uint64_t> durable{0};
    std::atomic<uint64_t> ephemeral{0};
    std::atomic<uint64_t> refused{0};
    std::atomic<uint64_t> duplicates{0};  // answered with what was written before
  };

  // `producer` is null when Kafka is not configured for writing.
  PublishService(Options options, const Clock& clock, LinkHub& hub, Producer* producer);

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const v1::PublishRequest* request,
                                    v1::PublishResponse* response) override;
  grpc::ServerUnaryReactor* PublishBatch(grpc::CallbackServerContext* context,
                                         const v1::PublishBatchRequest* request,
                                         v1::PublishBatchResponse* response) override;
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream(
      grpc::CallbackServerContext* context) override;

  const Counters& counters() const { return counters_; }
  const Options& options() const { return options_; }

  // Publishes one; `done` is called exactly once, now or from the producer's thread.
  void PublishOne(const v1::Publication& publication, std::function<void(v1::PublishResult)> done);

 private:
  std::optional<v1::PublishResult> CheckDurable(const v1::Publication& publication) const;
  std::optional<v1::PublishResult> CheckEphemeral(const v1::EphemeralPublication& ephemeral) const;

  const Options options_;
  const Clock& clock_;
  LinkHub& hub_;
  Producer* const producer_;
  RecentPublications recent_;
  Counters counters_;
};

}  // namespace spillway::ingest
