#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/rpc/access.h"
#include "services/ingest/control/publish_grants.h"
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
    // By Principal::index.
    PublishGrants grants;
    // Topics that are written by edges alone: control entries, audit lines.
    std::vector<std::string> reserved_topics;
  };
  // Who publishes. What is pointed to outlives the call.
  struct Publisher {
    const PublishGrant* grant = nullptr;  // null: nothing may be published
    std::string name = {};
    std::string address = {};
    std::string correlation_id = {};
  };
  // Told of each publication that was refused before Kafka was asked; any thread, must not block.
  using OnRefused =
      std::function<void(const Publisher& publisher, const v1::Publication& publication,
                         const v1::PublishResult& refusal)>;
  struct Counters {
    std::atomic<uint64_t> durable{0};
    std::atomic<uint64_t> ephemeral{0};
    std::atomic<uint64_t> refused{0};
    std::atomic<uint64_t> duplicates{0};  // answered with what was written before
  };

  // `producer` is null when Kafka is not configured for writing; `access` (which outlives this)
  // when anybody may publish.
  PublishService(Options options, const Clock& clock, LinkHub& hub, Producer* producer,
                 const rpc::Access* access = nullptr);

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const v1::PublishRequest* request,
                                    v1::PublishResponse* response) override;
  grpc::ServerUnaryReactor* PublishBatch(grpc::CallbackServerContext* context,
                                         const v1::PublishBatchRequest* request,
                                         v1::PublishBatchResponse* response) override;
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream(
      grpc::CallbackServerContext* context) override;

  // Before the first call.
  void SetOnRefused(OnRefused on_refused) { on_refused_ = std::move(on_refused); }

  const Counters& counters() const { return counters_; }
  const Options& options() const { return options_; }

  // Who makes a call, to be asked once for it.
  Publisher PublisherOf(const grpc::CallbackServerContext& context) const;
  // Publishes one; `done` is called exactly once, now or from the producer's thread.
  void PublishOne(const Publisher& publisher, const v1::Publication& publication,
                  std::function<void(v1::PublishResult)> done);

 private:
  std::optional<v1::PublishResult> CheckGrant(const Publisher& publisher,
                                              const v1::Publication& publication) const;
  std::optional<v1::PublishResult> CheckDurable(const v1::Publication& publication) const;
  std::optional<v1::PublishResult> CheckEphemeral(const v1::EphemeralPublication& ephemeral) const;

  const Options options_;
  const Clock& clock_;
  LinkHub& hub_;
  Producer* const producer_;
  const rpc::Access* const access_;
  RecentPublications recent_;
  Counters counters_;
  OnRefused on_refused_;
};

}  // namespace spillway::ingest
