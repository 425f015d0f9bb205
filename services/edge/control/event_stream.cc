#include "services/edge/control/event_stream.h"

#include <memory>
#include <utility>

#include "services/edge/control/cluster_call.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxTargetBytes = 1'024;

class EventStream final : public grpc::ServerWriteReactor<v1::NodeEvent> {
 public:
  void Begin(EventBus& events, const v1::WatchEventsRequest& request) {
    auto watcher = events.Watch(request, [this] { WriteNext(); });
    const bool refused = watcher == nullptr;
    {
      MutexLock lock(mutex_);
      watcher_ = std::move(watcher);
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
    {
      MutexLock lock(mutex_);
      watcher = std::move(watcher_);
    }
    watcher.reset();  // from here on nobody wakes this
    delete this;
  }

  // One write is under way at a time.
  void WriteNext() {
    // With the lock: once it has ended, no write may begin. gRPC does not call back from here.
    MutexLock lock(mutex_);
    if (writing_ || ended_ || watcher_ == nullptr || !watcher_->Next(&event_)) return;
    writing_ = true;
    StartWrite(&event_);
  }
  void End(const grpc::Status& status) {
    MutexLock lock(mutex_);
    if (!std::exchange(ended_, true)) Finish(status);
  }

  Mutex mutex_;
  std::unique_ptr<EventBus::Watcher> watcher_ SPILLWAY_GUARDED_BY(mutex_);
  v1::NodeEvent event_;  // being written
  bool writing_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool ended_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::NodeEvent>* NewEventStream(EventBus& events,
                                                        const v1::WatchEventsRequest& request) {
  auto* stream = new EventStream();
  stream->Begin(events, request);
  return stream;
}

void Audit(EventBus& events, const std::string& action, std::string target,
           const grpc::Status& outcome, const std::string& peer) {
  if (!events.wanted(v1::EVENT_CATEGORY_ADMIN)) return;
  v1::NodeEvent event;
  event.set_category(v1::EVENT_CATEGORY_ADMIN);
  event.set_kind("admin_call");
  event.set_action(action);
  if (target.size() > kMaxTargetBytes) target.resize(kMaxTargetBytes);
  event.set_target(std::move(target));
  event.set_ip(peer);
  event.set_outcome(outcome.ok() ? "ok" : std::string(NodeErrorCode(outcome)));
  event.set_detail(outcome.error_message());
  events.Publish(std::move(event));
}

}  // namespace spillway::edge
