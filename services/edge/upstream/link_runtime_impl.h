#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/log/rate_limited.h"
#include "common/rpc/client.h"
#include "services/edge/upstream/link_client.h"
#include "services/edge/upstream/link_runtime.h"
#include "services/edge/upstream/link_runtime_mailbox.h"
#include "services/edge/upstream/link_runtime_resolver.h"
#include "services/edge/upstream/read_client.h"

namespace spillway::edge {

// What LinkRuntime is made of. Its private functions, and LinkCoreSink's, are the link thread's.
class LinkRuntime::Impl final : public LinkCoreSink,
                                public LinkClientEvents,
                                public ReadClientEvents {
 public:
  Impl(Options options, VariantTable& variants, HubWorkers& workers, Clock& clock, uint64_t seed)
      : options_(std::move(options)),
        workers_(workers),
        clock_(clock),
        random_(seed),
        targets_(options_.targets, options_.addresses,
                 [this] { return std::uniform_real_distribution<double>()(random_); }),
        variants_(variants),
        seed_(seed),
        log_(clock, options_.log_interval) {
    status_.upstream = std::make_shared<const UpstreamStatus>();
  }
  ~Impl() override { Stop(); }

  void Start(v1::NodeAddresses addresses) {
    LinkCore::Options core = options_.core;
    core.addresses = std::move(addresses);
    core.first_attach_id = 1 + random_() % (1 << 20);
    core_ = std::make_unique<LinkCore>(std::move(core), variants_, *this, seed_);
    if (!options_.dns_name.empty()) {
      resolver_ = std::make_unique<NameResolver>(
          options_.dns_name, options_.dns_refresh,
          [this](auto answer) {
            mailbox_.Put(
                [this, answer = std::move(answer)](MonoTime) { OnResolved(std::move(answer)); });
          },
          options_.dns_lookup);
    }
    thread_ = std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "edge-link");
      Run();
    });
  }

  void Stop() {
    if (!thread_.joinable()) return;
    resolver_.reset();
    mailbox_.Put([this](MonoTime) { BeginStop(); });
    thread_.join();
    mailbox_.Close();
  }

  void SetCluster(ClusterListener* cluster) { cluster_ = cluster; }
  // For another channel to the ingest at an address.
  rpc::ChannelOptions ChannelOptionsFor(const std::string& address) const;

  // The link thread's.
  void ReadHistory(const HistoryAsk& ask, const HistoryDone& done, MonoTime now);
  void EndHistories();

  LinkMailbox& mailbox() { return mailbox_; }
  LinkCore& core() { return *core_; }
  LinkRuntimeStatus status() const {
    MutexLock lock(status_mutex_);
    return status_;
  }

  // LinkCoreSink.
  void Send(LinkId link, v1::LinkRequest request) override;
  void CloseLink(LinkId id, LinkEnd why) override;
  void StartRead(LinkId link, uint64_t call, v1::SnapshotRequest request) override;
  void StartRead(LinkId link, uint64_t call, v1::HistoryRequest request) override;
  void PostBatch(std::shared_ptr<const EdgeBatch> batch, LinkId link, size_t bytes) override;
  void PostSlots(std::shared_ptr<const SlotTable> slots) override;
  void PostGap(SlotNumber slot, int64_t from, int64_t to, std::string reason) override;
  void PostEphemeral(std::vector<Ref<EdgeEvent>> events, LinkId link, size_t bytes) override;
  void PostEphemeralGap() override;
  void PostInterest(size_t worker, std::vector<ChannelCoverage> covered) override;
  void PostRead(size_t worker, uint64_t read_id,
                std::shared_ptr<const EdgeReadResult> result) override;
  ClusterListener* cluster() override { return cluster_; }
  void Report(std::string_view code, std::string details) override;

  // LinkClientEvents, ReadClientEvents: gRPC's threads.
  void OnLinkMessage(LinkId link, std::string message) override;
  void OnLinkBroken(LinkId link) override;
  void OnLinkDone(LinkId link, std::string error, bool denied) override;
  void OnReadMessage(uint64_t call, std::unique_ptr<v1::ReadResponse> response) override;
  void OnReadDone(uint64_t call, std::string error) override;

 private:
  struct Link {
    std::unique_ptr<LinkClient> client;
    bool known = true;   // to LinkCore
    bool heard = false;  // its first message, Hello, was looked at
  };
  struct ReadCall {
    std::unique_ptr<ReadClient> client;
    bool known = true;  // to LinkCore
  };
  // A batch on its way through the workers: gives its credit back after the last.
  struct Delivery {
    Delivery(size_t workers, LinkId from, size_t size) : left(workers), link(from), bytes(size) {}
    std::atomic<size_t> left;
    const LinkId link;
    const size_t bytes;
  };

  // A history that is being read for an operator.
  struct HistoryRead {
    HistoryAnswer answer;
    HistoryDone done;
    size_t left = 0;  // places that are not answered
  };

  void TakeHistory(uint64_t id, std::shared_ptr<const EdgeReadResult> result);
  void Run();
  void BeginStop();
  void Tick(MonoTime now);
  void Publish(MonoTime now);
  void OnResolved(absl::StatusOr<std::vector<std::string>> answer);
  void Dial(MonoTime now);
  void OnMessage(LinkId id, const std::string& message, MonoTime now);
  void OnDone(LinkId id, const std::string& error, MonoTime now);
  void EndTarget(LinkId link, std::string_view error, bool duplicate, MonoTime now);
  void CancelReads(LinkId link);
  // What is presented to ingests; "": nothing.
  std::string Token() const { return options_.token == nullptr ? "" : options_.token->Get(); }
  template <typename Request>
  void BeginRead(LinkId link, uint64_t call, Request request);
  template <typename Apply>
  void Deliver(LinkId link, size_t bytes, Apply apply);
  void Release(LinkId link, size_t bytes);
  void TakeReleased();

  const Options options_;
  HubWorkers& workers_;
  ClusterListener* cluster_ = nullptr;
  Clock& clock_;
  std::mt19937_64 random_;
  IngestTargets targets_;
  VariantTable& variants_;
  const uint64_t seed_;
  std::unique_ptr<LinkCore> core_;  // from Start() on
  log::RateLimited log_;
  std::map<LinkId, Link> links_;        // until gRPC has let go of them
  std::map<uint64_t, ReadCall> reads_;  // likewise
  std::map<uint64_t, HistoryRead> histories_;
  uint64_t next_history_ = 1;
  bool histories_ended_ = false;
  std::string resolve_error_;
  uint64_t denied_ = 0;
  bool stopping_ = false;
  LinkMailbox mailbox_;
  std::thread thread_;
  std::unique_ptr<NameResolver> resolver_;

  Mutex released_mutex_;
  std::vector<std::pair<LinkId, size_t>> released_ SPILLWAY_GUARDED_BY(released_mutex_);
  int64_t released_bytes_ SPILLWAY_GUARDED_BY(released_mutex_) = 0;
  bool release_posted_ SPILLWAY_GUARDED_BY(released_mutex_) = false;

  mutable Mutex status_mutex_;
  LinkRuntimeStatus status_ SPILLWAY_GUARDED_BY(status_mutex_);
};

}  // namespace spillway::edge
