#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/rpc/credentials.h"
#include "common/rpc/tls.h"
#include "services/edge/dialect/event_encoder.h"
#include "services/edge/hub/hub_shard.h"
#include "services/edge/hub/upstream.h"
#include "services/edge/upstream/link_core.h"
#include "services/edge/upstream/link_runtime_resolver.h"
#include "services/edge/upstream/link_runtime_targets.h"

namespace grpc {
class Channel;
}

namespace spillway::edge {

// How the link thread reaches the workers' hub shards. Implemented by the composition root.
class HubWorkers {
 public:
  using Task = std::function<void(HubShard&, MonoTime now)>;

  virtual ~HubWorkers() = default;
  virtual size_t count() const = 0;
  // Runs the task on the worker's thread, in the order posted. What it holds lives to the end of
  // the worker's turn. Any thread.
  virtual void Post(size_t worker, Task task) = 0;
};

// A copy: any thread may read it.
struct LinkRuntimeStatus {
  std::shared_ptr<const UpstreamStatus> upstream;  // never null
  std::vector<IngestTargetStatus> ingests;
  std::string resolve_error;  // of the DNS name; empty while it can be resolved
  uint64_t denied = 0;        // links that an ingest refused for who this edge is
};

// The link thread: runs LinkCore, and does for it what is not pure. Dials the ingests, carries
// messages between their streams, LinkCore and the workers' mailboxes, starts reads.
//
// Everything that concerns LinkCore goes through one mailbox, in order of arrival. Upstream's
// functions and status() are for any thread; the rest for the owner, the composition root. Stopped
// before the workers end; destroyed after they are gone.
class LinkRuntime final : public Upstream {
 public:
  struct Options {
    LinkCore::Options core;
    std::vector<std::string> addresses;  // of ingests, host:port
    std::string dns_name;                // host:port; every address behind it is an ingest
    std::chrono::milliseconds dns_refresh{5'000};
    NameResolver::Lookup dns_lookup = ResolveAll;
    rpc::TlsFiles tls;
    std::shared_ptr<const rpc::PresentedToken> token;  // presented to ingests; null: none
    std::chrono::milliseconds log_interval{10'000};    // a repeated line is written once in this
    std::chrono::milliseconds tick{50};
    IngestTargets::Options targets = {};
    size_t max_histories = 16;  // being read for operators
  };

  // What it is given outlives it; `workers` is not called before Start().
  LinkRuntime(Options options, VariantTable& variants, HubWorkers& workers, Clock& clock,
              uint64_t seed);
  ~LinkRuntime() override;  // Stop()

  // `addresses`: this node's own, for the cluster; in place of those in Options::core.
  void Start(v1::NodeAddresses addresses);
  // Ends all links and the thread. Blocks until gRPC has let go of everything. Idempotent.
  void Stop();

  // Before Start(). Outlives the link thread.
  void SetCluster(ClusterListener* cluster);
  // Tells the cluster whether this node lets its clients go. Any thread; after Start().
  void SetDraining(bool draining);
  // Reads a piece of a channel's history for an operator; `done` runs on the link thread, or is
  // never called once this has stopped. Any thread.
  void ReadHistory(HistoryAsk ask, HistoryDone done);
  // Answers those that are under way, and later ones: the node stops. Any thread.
  void EndHistories();
  // A channel of its own to the ingest at one of the addresses of status(), with the links'
  // credentials. Any thread.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const std::string& address) const;

  // Upstream. Ignored once stopped.
  void AddInterest(size_t worker, std::string channel, uint64_t interest) override;
  void RemoveInterest(size_t worker, std::string channel) override;
  void Read(size_t worker, uint64_t read_id, std::string channel, bool history,
            std::vector<std::pair<SlotNumber, int64_t>> from) override;
  void Judge(size_t worker, uint64_t read_id, std::vector<SlotClaim> claims) override;

  // As of the last tick.
  LinkRuntimeStatus status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::edge
