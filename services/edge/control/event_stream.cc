#include "services/edge/control/event_stream.h"

#include <memory>
#include <utility>

#include "common/audit/masked.h"
#include "common/rpc/status.h"
#include "services/edge/control/admin_requests.h"
#include "services/edge/control/cluster_call.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxTargetBytes = 1'024;

class EventStream final : public grpc::ServerWriteReactor<v1::NodeEvent> {
 public:
  void Begin(EventBus& events, ClusterWatches& cluster, const v1::WatchEventsRequest& request) {
    if (absl::Status status = CheckWatchEvents(request); !status.ok()) {
      return End(rpc::ToGrpcStatus(status));
    }
    auto watcher = events.Watch(request, [this] { WriteNext(); });
    const bool alone = request.scope() == v1::SCOPE_NODE;
    auto feed =
        alone || watcher == nullptr ? nullptr : cluster.Open(request, [this] { WriteNext(); });
    const bool refused = watcher == nullptr || (!alone && feed == nullptr);
    {
      MutexLock lock(mutex_);
      watcher_ = std::move(watcher);
      feed_ = std::move(feed);
    }
    if (refused) {
      return End({grpc::StatusCode::RESOURCE_EXHAUSTED,
                  "as many watch this node's events as may: try later, or another node"});
    }
    // Tells the caller that what happens from here on is seen.
    StartSendInitialMetadata();
    WriteNext();
  }

 private:
  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mutex_);
      writing_ = false;
    }
    if (!ok) return End(grpc::Status::OK);
    WriteNext();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    std::unique_ptr<EventBus::Watcher> watcher;
    std::unique_ptr<ClusterWatches::Feed> feed;
    {
      MutexLock lock(mutex_);
      watcher = std::move(watcher_);
      feed = std::move(feed_);
    }
    watcher.reset();
    if (feed != nullptr) feed->Close();  // from here on nobody wakes this
    delete this;
  }

  // One write is under way at a time.
  void WriteNext() {
    // With the lock: once it has ended, no write may begin. gRPC does not call back from here.
    MutexLock lock(mutex_);
    if (writing_ || ended_ || !Next()) return;
    writing_ = true;
    StartWrite(&event_);
  }
  // In turn: neither waits for the end of the other.
  bool Next() SPILLWAY_REQUIRES(mutex_) {
    others_turn_ = !others_turn_;
    const auto own = [this] { return watcher_ != nullptr && watcher_->Next(&event_); };
    const auto others = [this] { return feed_ != nullptr && feed_->Next(&event_); };
    return others_turn_ ? others() || own() : own() || others();
  }
  void End(const grpc::Status& status) {
    MutexLock lock(mutex_);
    if (!std::exchange(ended_, true)) Finish(status);
  }

  Mutex mutex_;
  std::unique_ptr<EventBus::Watcher> watcher_ SPILLWAY_GUARDED_BY(mutex_);
  std::unique_ptr<ClusterWatches::Feed> feed_
      SPILLWAY_GUARDED_BY(mutex_);  // null: of this node alone
  bool others_turn_ SPILLWAY_GUARDED_BY(mutex_) = false;
  v1::NodeEvent event_;  // being written
  bool writing_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool ended_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::NodeEvent>* NewEventStream(EventBus& events, ClusterWatches& cluster,
                                                        const v1::WatchEventsRequest& request) {
  auto* stream = new EventStream();
  stream->Begin(events, cluster, request);
  return stream;
}

void Audit(EventBus& events, const std::string& action, const google::protobuf::Message& request,
           const grpc::Status& outcome, const rpc::Caller& caller) {
  if (!events.wanted(v1::EVENT_CATEGORY_ADMIN)) return;
  v1::NodeEvent event;
  event.set_category(v1::EVENT_CATEGORY_ADMIN);
  event.set_kind("admin_call");
  event.set_action(action);
  std::string target = audit::Shown(request);
  if (target.size() > kMaxTargetBytes) target.resize(kMaxTargetBytes);
  event.set_target(std::move(target));
  event.set_actor(caller.actor());
  event.set_ip(caller.address);
  event.set_correlation_id(caller.correlation_id);
  event.set_outcome(outcome.ok() ? "ok" : std::string(NodeErrorCode(outcome)));
  event.set_detail(outcome.error_message());
  events.Publish(std::move(event));
}

}  // namespace spillway::edge
