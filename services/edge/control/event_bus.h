#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "common/net/ip_address.h"
#include "services/edge/session/session_events.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// What happens on this node that operators may want to see: connections that come and go, refusals
// and blocks, admin calls. Whoever knows of something publishes it; sinks (a log) get it on that
// thread, watchers (WatchEvents) from queues of their own, which are bounded: a watcher that is
// slow is told how many it missed. What nobody wants costs a load of an atomic, and is never made.
//
// Thread-safe. Owned by the composition root; outlives sinks, watchers, workers and servers.
class EventBus final : public SessionEvents {
 public:
  struct Options {
    std::string node_id;
    size_t max_watchers = 64;
    size_t max_queued = 4'096;  // events that wait for one watcher; later ones are dropped
  };
  // Must not block. What it is given is whole: time and node are set.
  using Sink = std::function<void(const v1::NodeEvent& event)>;

  // One watcher's queue. Thread-safe; ends by being destroyed.
  class Watcher {
   public:
    ~Watcher();
    // The next that waits, with the number of those dropped before it; false: none does.
    bool Next(v1::NodeEvent* event);

   private:
    friend class EventBus;
    Watcher(EventBus& bus, v1::WatchEventsRequest filter, std::function<void()> wake)
        : bus_(bus),
          filter_(std::move(filter)),
          from_(IpNetwork::Parse(filter_.ip())),
          wake_(std::move(wake)) {}
    bool Wants(const v1::NodeEvent& event) const;
    void Put(const v1::NodeEvent& event);

    EventBus& bus_;
    const v1::WatchEventsRequest filter_;
    const absl::StatusOr<IpNetwork> from_;  // if the filter has any
    const std::function<void()> wake_;
    Mutex mutex_;
    std::deque<v1::NodeEvent> queue_ SPILLWAY_GUARDED_BY(mutex_);
    uint64_t dropped_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  };

  // `clock` outlives it.
  EventBus(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  // Whether an event of the category has somebody who wants it: else it need not be made.
  bool wanted(v1::EventCategory category) const {
    return wanted_[static_cast<size_t>(category)].load(std::memory_order_relaxed) > 0;
  }
  // `category` and what there is to say are set; the bus adds time and node. Any thread.
  void Publish(v1::NodeEvent event);

  // Before anything is published.
  void AddSink(const std::vector<v1::EventCategory>& categories, Sink sink);
  // Null: there are as many as may be. `wake` is called when an event was queued, on any thread: it
  // must not block, publish, or end a watcher; it may ask for the next.
  std::unique_ptr<Watcher> Watch(const v1::WatchEventsRequest& filter, std::function<void()> wake);

  // SessionEvents
  void OnOpened(const Session& session) override;
  void OnClosed(const Session& session, uint16_t code, std::string_view reason) override;
  void OnRefused(std::string_view code, const RefusedClient& client) override;
  void OnAddressBlocked(const RefusedClient& client) override;
  void OnDenied(const Session& session, std::string_view action, std::string_view code,
                std::string_view target) override;

  size_t watchers() const;
  const metrics::AtomicCounter& dropped() const { return dropped_; }

 private:
  static constexpr size_t kCategories = v1::EventCategory_ARRAYSIZE;

  void Want(const v1::WatchEventsRequest& filter, int by);
  void Forget(Watcher* watcher);

  const Options options_;
  const Clock& clock_;
  std::array<std::atomic<int>, kCategories> wanted_{};
  metrics::AtomicCounter dropped_;
  struct SinkOf {
    std::array<bool, kCategories> categories{};
    Sink sink;
  };
  std::vector<SinkOf> sinks_;
  mutable Mutex mutex_;
  std::vector<Watcher*> watchers_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge
