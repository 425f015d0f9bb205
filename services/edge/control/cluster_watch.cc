#include "services/edge/control/cluster_watch.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "common/rpc/client.h"
#include "common/rpc/status.h"
#include "spillway/v1/admin.grpc.pb.h"

namespace spillway::edge {

// How a peer stands in a feed.
struct ClusterWatches::Peer {
  Call* call = nullptr;    // under way
  bool told_lost = false;  // its loss was told, and not yet that it is back
  MonoTime not_before;     // of the next try
  uint64_t dropped = 0;    // of its events, since one got through
};

struct ClusterWatches::Feed::Impl {
  ClusterWatches* watches = nullptr;
  v1::WatchEventsRequest request;

  // Without the watches' lock: it asks for the next.
  void Wake() {
    MutexLock lock(wake_mutex);
    if (wake) wake();
  }
  Mutex wake_mutex;
  std::function<void()> wake SPILLWAY_GUARDED_BY(wake_mutex);  // null: closed

  // Guarded by the watches' mutex.
  std::deque<v1::NodeEvent> queue;
  std::map<std::string, Peer> peers;
  bool closed = false;
};

// One peer's events for one feed.
class ClusterWatches::Call final : public grpc::ClientReadReactor<v1::NodeEvent> {
 public:
  Call(ClusterWatches& watches, std::shared_ptr<Feed::Impl> feed, std::string node_id)
      : watches_(watches), feed_(std::move(feed)), node_id_(std::move(node_id)) {}

  void Begin(std::shared_ptr<grpc::Channel> channel, const v1::WatchEventsRequest& request,
             const std::string& token) {
    channel_ = std::move(channel);
    stub_ = v1::AdminService::NewStub(channel_);
    rpc::AddBearer(token, &context_);
    request_ = request;
    Handoff();
    stub_->async()->WatchEvents(&context_, &request_, this);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  // The peer sends its headers once it watches.
  void OnReadInitialMetadataDone(bool ok) override {
    Handoff();
    if (!ok) return;  // OnDone follows
    watches_.OnWatched(*feed_, node_id_);
    // Not before: it could come first, on another thread.
    StartRead(&event_);
  }
  void OnReadDone(bool ok) override {
    Handoff();
    if (!ok) return;  // OnDone follows
    if (watches_.Take(*feed_, node_id_, std::move(event_))) {
      event_ = v1::NodeEvent();
      StartRead(&event_);
    } else {
      context_.TryCancel();
    }
  }
  void OnDone(const grpc::Status& status) override {
    Handoff();
    watches_.OnLost(*this, *feed_, node_id_, status);
  }
  // gRPC orders Begin() and what it calls, which a race detector cannot see in a library that it
  // did not build.
  void Handoff() { MutexLock lock(handoff_); }

  ClusterWatches& watches_;
  const std::shared_ptr<Feed::Impl> feed_;
  const std::string node_id_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
  grpc::ClientContext context_;
  v1::WatchEventsRequest request_;
  v1::NodeEvent event_;
  Mutex handoff_;
};

namespace {

v1::NodeEvent Notice(const Clock& clock, const std::string& node_id, const char* kind,
                     const grpc::Status& status) {
  v1::NodeEvent event;
  event.set_time_ms(ToUnixMillis(clock.WallNow()));
  event.set_node_id(node_id);
  event.set_category(v1::EVENT_CATEGORY_WATCH);
  event.set_kind(kind);
  event.set_outcome(status.ok() ? "ok" : std::string(NodeErrorCode(status)));
  event.set_detail(status.error_message());
  return event;
}

}  // namespace

ClusterWatches::ClusterWatches(Options options, const Cluster& cluster, const Clock& clock)
    : options_(options), cluster_(cluster), clock_(clock) {}

ClusterWatches::~ClusterWatches() { Stop(); }

std::unique_ptr<ClusterWatches::Feed> ClusterWatches::Open(const v1::WatchEventsRequest& request,
                                                           std::function<void()> wake) {
  auto feed = std::make_shared<Feed::Impl>();
  feed->watches = this;
  feed->request = request;
  feed->request.set_scope(v1::SCOPE_NODE);
  {
    MutexLock lock(feed->wake_mutex);
    feed->wake = std::move(wake);
  }
  {
    MutexLock lock(mutex_);
    if (stopped_ || feeds_.size() >= options_.max_feeds) return nullptr;
    feeds_.push_back(feed);
  }
  Start(feed);
  return std::unique_ptr<Feed>(new Feed(std::move(feed)));
}

void ClusterWatches::Start(const std::shared_ptr<Feed::Impl>& feed) {
  const MonoTime now = clock_.Now();
  const std::vector<v1::Node> peers = cluster_.members->Peers();
  {
    MutexLock lock(mutex_);
    std::erase_if(
        feed->peers, [&](const auto& known) {  // nodes come and go for as long as it lasts
          return known.second.call == nullptr &&
                 std::none_of(peers.begin(), peers.end(),
                              [&](const v1::Node& node) { return node.node_id() == known.first; });
        });
  }
  for (const v1::Node& node : peers) {
    const std::string& address = node.addresses().grpc_address();
    {
      MutexLock lock(mutex_);
      if (stopped_ || feed->closed) return;
      Peer& peer = feed->peers[node.node_id()];
      if (peer.call != nullptr || now < peer.not_before) continue;
      peer.not_before = now + options_.retry;
    }
    // Outside the lock: it may read files.
    auto channel = address.empty()
                       ? absl::StatusOr<std::shared_ptr<grpc::Channel>>(
                             absl::UnimplementedError("it has no admin server (admin.listen)"))
                       : cluster_.calls->ChannelTo(address);
    if (!channel.ok()) {
      bool news = false;
      {
        MutexLock lock(mutex_);
        news = Lose(*feed, node.node_id(), rpc::ToGrpcStatus(channel.status()));
      }
      if (news) feed->Wake();
      continue;
    }
    auto call = std::make_unique<Call>(*this, feed, node.node_id());
    Call* const begun = call.get();
    {
      MutexLock lock(mutex_);
      if (stopped_ || feed->closed) return;
      feed->peers[node.node_id()].call = begun;
      calls_.emplace(begun, std::move(call));
    }
    // Whoever stops waits for it from here on. Without the lock, since gRPC may react at once.
    begun->Begin(*std::move(channel), feed->request, cluster_.calls->bearer_token());
  }
}

void ClusterWatches::Update() {
  std::vector<std::unique_ptr<Call>> over;
  std::vector<std::shared_ptr<Feed::Impl>> feeds;
  {
    MutexLock lock(mutex_);
    over.swap(over_);
    feeds = feeds_;
  }
  for (const auto& feed : feeds) Start(feed);
}

void ClusterWatches::Stop() {
  std::vector<std::unique_ptr<Call>> over;
  MutexLock lock(mutex_);
  stopped_ = true;
  for (const auto& [call, owned] : calls_) call->Cancel();
  while (!calls_.empty()) ended_.Wait(mutex_);
  over.swap(over_);
}

uint64_t ClusterWatches::dropped() const {
  MutexLock lock(mutex_);
  return dropped_;
}

void ClusterWatches::OnWatched(Feed::Impl& feed, const std::string& node_id) {
  {
    MutexLock lock(mutex_);
    if (feed.closed) return;
    feed.peers[node_id].told_lost = false;
    feed.queue.push_back(Notice(clock_, node_id, "node_watched", grpc::Status::OK));
  }
  feed.Wake();
}

bool ClusterWatches::Take(Feed::Impl& feed, const std::string& node_id, v1::NodeEvent event) {
  {
    MutexLock lock(mutex_);
    if (feed.closed || stopped_) return false;
    Peer& peer = feed.peers[node_id];
    if (feed.queue.size() >= options_.max_queued) {
      peer.dropped += 1 + event.dropped();
      ++dropped_;
      return true;
    }
    event.set_dropped(event.dropped() + std::exchange(peer.dropped, 0));
    feed.queue.push_back(std::move(event));
  }
  feed.Wake();
  return true;
}

bool ClusterWatches::Lose(Feed::Impl& feed, const std::string& node_id,
                          const grpc::Status& status) {
  Peer& peer = feed.peers[node_id];
  peer.call = nullptr;  // whatever else: it is about to end
  if (feed.closed || stopped_) return false;
  peer.not_before = clock_.Now() + options_.retry;
  // Once, however often it is tried; beyond the queue's bound, since it is one for each node.
  if (std::exchange(peer.told_lost, true)) return false;
  feed.queue.push_back(Notice(
      clock_, node_id, "node_lost",
      status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "it ended the call") : status));
  return true;
}

void ClusterWatches::OnLost(Call& call, Feed::Impl& feed, const std::string& node_id,
                            const grpc::Status& status) {
  // Before the call is given up: with it may go the last reference to the feed.
  bool news = false;
  {
    MutexLock lock(mutex_);
    news = Lose(feed, node_id, status);
  }
  if (news) feed.Wake();
  MutexLock lock(mutex_);
  const auto found = calls_.find(&call);
  // It ends on the owner's thread: with it may end the channel.
  over_.push_back(std::move(found->second));
  calls_.erase(found);
  if (calls_.empty()) ended_.NotifyAll();
}

bool ClusterWatches::Feed::Next(v1::NodeEvent* event) {
  MutexLock lock(impl_->watches->mutex_);
  if (impl_->queue.empty()) return false;
  *event = std::move(impl_->queue.front());
  impl_->queue.pop_front();
  return true;
}

void ClusterWatches::Feed::Close() {
  {
    MutexLock lock(impl_->wake_mutex);
    impl_->wake = nullptr;
  }
  ClusterWatches& watches = *impl_->watches;
  MutexLock lock(watches.mutex_);
  impl_->closed = true;
  impl_->queue.clear();
  for (const auto& [id, peer] : impl_->peers) {
    if (peer.call != nullptr) peer.call->Cancel();
  }
  std::erase(watches.feeds_, impl_);
}

}  // namespace spillway::edge
