// LinkRuntime: what goes to the workers' mailboxes, and the credit that comes back.

#include "services/edge/upstream/link_runtime_impl.h"

namespace spillway::edge {
namespace {

// Credit of finished batches wakes the link thread from this share of the whole on; less of it goes
// with the next wake-up.
constexpr int64_t kReleaseShare = 16;

}  // namespace

template <typename Apply>
void LinkRuntime::Impl::Deliver(LinkId link, size_t bytes, Apply apply) {
  auto delivery = std::make_shared<Delivery>(workers_.count(), link, bytes);
  for (size_t worker = 0; worker < workers_.count(); ++worker) {
    workers_.Post(worker, [this, apply, delivery](HubShard& hub, MonoTime now) {
      apply(hub, now);
      if (delivery->left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        Release(delivery->link, delivery->bytes);
      }
    });
  }
}

void LinkRuntime::Impl::PostBatch(std::shared_ptr<const EdgeBatch> batch, LinkId link,
                                  size_t bytes) {
  Deliver(link, bytes,
          [batch = std::move(batch)](HubShard& hub, MonoTime now) { hub.OnBatch(*batch, now); });
}

void LinkRuntime::Impl::PostEphemeral(std::vector<Ref<EdgeEvent>> events, LinkId link,
                                      size_t bytes) {
  auto shared = std::make_shared<const std::vector<Ref<EdgeEvent>>>(std::move(events));
  Deliver(link, bytes, [shared = std::move(shared)](HubShard& hub, MonoTime) {
    for (const Ref<EdgeEvent>& event : *shared) hub.DeliverEphemeral(*event);
  });
}

void LinkRuntime::Impl::Release(LinkId link, size_t bytes) {
  {
    MutexLock lock(released_mutex_);
    if (!released_.empty() && released_.back().first == link) {
      released_.back().second += bytes;
    } else {
      released_.emplace_back(link, bytes);
    }
    released_bytes_ += static_cast<int64_t>(bytes);
    if (release_posted_ || released_bytes_ < options_.core.credit_bytes / kReleaseShare) return;
    release_posted_ = true;
  }
  mailbox_.Put([](MonoTime) {});  // every wake-up takes what was released
}

void LinkRuntime::Impl::TakeReleased() {
  std::vector<std::pair<LinkId, size_t>> released;
  {
    MutexLock lock(released_mutex_);
    if (released_.empty()) return;
    released.swap(released_);
    released_bytes_ = 0;
    release_posted_ = false;
  }
  for (const auto& [link, bytes] : released) core_->OnBatchReleased(link, bytes);
}

void LinkRuntime::Impl::PostSlots(std::shared_ptr<const SlotTable> slots) {
  for (size_t worker = 0; worker < workers_.count(); ++worker) {
    workers_.Post(worker, [slots](HubShard& hub, MonoTime now) { hub.OnSlots(slots, now); });
  }
}

void LinkRuntime::Impl::PostGap(SlotNumber slot, int64_t from, int64_t to, std::string reason) {
  for (size_t worker = 0; worker < workers_.count(); ++worker) {
    workers_.Post(worker, [slot, from, to, reason](HubShard& hub, MonoTime now) {
      hub.OnGap(slot, from, to, reason, now);
    });
  }
}

void LinkRuntime::Impl::PostEphemeralGap() {
  for (size_t worker = 0; worker < workers_.count(); ++worker) {
    workers_.Post(worker, [](HubShard& hub, MonoTime) { hub.OnEphemeralGap(); });
  }
}

void LinkRuntime::Impl::PostInterest(size_t worker, std::vector<ChannelCoverage> covered) {
  workers_.Post(worker, [covered = std::move(covered)](HubShard& hub, MonoTime now) {
    for (const ChannelCoverage& one : covered) {
      hub.OnInterest(one.channel, one.slot, one.after, now, one.interest);
    }
  });
}

void LinkRuntime::Impl::PostRead(size_t worker, uint64_t read_id,
                                 std::shared_ptr<const EdgeReadResult> result) {
  if (worker == kOperators) return TakeHistory(read_id, std::move(result));
  workers_.Post(worker, [read_id, result = std::move(result)](HubShard& hub, MonoTime now) {
    hub.OnRead(read_id, *result, now);
  });
}

}  // namespace spillway::edge
