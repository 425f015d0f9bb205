#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/edge/control/cluster_call.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// What happens on the other edges, for calls of WatchEvents: each such call has a feed, for which
// every peer is watched by a call of its own, also those that come later; one that is lost is tried
// again. What the feed's owner is too slow for is dropped, and counted in the next event of that
// node.
//
// Thread-safe but for Update() and Stop(), which are the owner's. Owned by the composition root;
// outlives what watches. Stopped before the channels end.
class ClusterWatches {
 public:
  struct Options {
    size_t max_feeds = 16;
    size_t max_queued = 4'096;  // events that wait in one feed
    std::chrono::milliseconds retry{2'000};
  };

  // One call's share. Its owner closes it; then nobody is woken any more.
  class Feed {
   public:
    // The next event that waits; false: none does.
    bool Next(v1::NodeEvent* event);
    void Close();

   private:
    friend class ClusterWatches;
    struct Impl;
    explicit Feed(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
  };

  // What is given outlives it.
  ClusterWatches(Options options, const Cluster& cluster, const Clock& clock);
  ~ClusterWatches();  // Stop()
  ClusterWatches(const ClusterWatches&) = delete;
  ClusterWatches& operator=(const ClusterWatches&) = delete;

  // Null: there are as many as may be, or the node stops. `wake` is called when an event was
  // queued, on any thread: it must not block, nor close the feed; it may ask for the next.
  std::unique_ptr<Feed> Open(const v1::WatchEventsRequest& request, std::function<void()> wake);
  // Timers: a few times a second.
  void Update();
  // Ends all, and waits for it.
  void Stop();

  // Events that owners of feeds were too slow for.
  uint64_t dropped() const;

 private:
  class Call;
  struct Peer;

  void Start(const std::shared_ptr<Feed::Impl>& feed);
  // Of calls: the peer's events come from now on; one has come (false: nobody wants more); they do
  // not come.
  void OnWatched(Feed::Impl& feed, const std::string& node_id);
  bool Take(Feed::Impl& feed, const std::string& node_id, v1::NodeEvent event);
  void OnLost(Call& call, Feed::Impl& feed, const std::string& node_id, const grpc::Status& status);
  // Whether that is news for the feed's owner.
  bool Lose(Feed::Impl& feed, const std::string& node_id, const grpc::Status& status)
      SPILLWAY_REQUIRES(mutex_);

  const Options options_;
  const Cluster& cluster_;
  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar ended_;
  std::vector<std::shared_ptr<Feed::Impl>> feeds_ SPILLWAY_GUARDED_BY(mutex_);
  std::map<Call*, std::unique_ptr<Call>> calls_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Call>> over_
      SPILLWAY_GUARDED_BY(mutex_);  // end on the owner's thread
  uint64_t dropped_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  bool stopped_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge
