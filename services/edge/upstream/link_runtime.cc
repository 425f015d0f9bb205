#include "services/edge/upstream/link_runtime.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "services/edge/upstream/link_runtime_impl.h"

namespace spillway::edge {

// ---- the thread

void LinkRuntime::Impl::Run() {
  std::vector<LinkMailbox::Task> tasks;
  MonoTime next_tick = clock_.Now();
  auto tick_at = std::chrono::steady_clock::now();
  auto deadline = tick_at;
  auto quiet_until = tick_at;
  while (!stopping_ || !links_.empty() || !reads_.empty()) {
    mailbox_.Take(&tasks, deadline, quiet_until);
    for (LinkMailbox::Task& task : tasks) {
      task(clock_.Now());
      task = nullptr;
    }
    tasks.clear();
    TakeReleased();
    const MonoTime now = clock_.Now();
    if (now >= next_tick) {
      Tick(now);
      next_tick = now + options_.tick;
      tick_at = std::chrono::steady_clock::now() + options_.tick;
    }
    const MonoTime again = core_->EndTurn(now);
    // New interest need not wake this thread before it may be told.
    quiet_until = std::chrono::steady_clock::now() +
                  std::chrono::ceil<std::chrono::microseconds>(core_->tell_not_before() - now);
    deadline = again == MonoTime::max() ? tick_at : std::min(tick_at, quiet_until);
  }
}

void LinkRuntime::Impl::BeginStop() {
  stopping_ = true;
  for (auto& [call, read] : reads_) read.client->Cancel();
  for (auto& [id, link] : links_) link.client->Close(/*cancel=*/true);
}

void LinkRuntime::Impl::Tick(MonoTime now) {
  if (stopping_) return;
  core_->Tick(now);
  Dial(now);
  Publish(now);
}

void LinkRuntime::Impl::Publish(MonoTime now) {
  LinkRuntimeStatus status;
  status.upstream = std::make_shared<const UpstreamStatus>(core_->Status(now));
  status.ingests = targets_.Status();
  status.resolve_error = resolve_error_;
  status.denied = denied_;
  MutexLock lock(status_mutex_);
  std::swap(status_, status);  // the old one ends after the lock
}

// ---- LinkRuntime

LinkRuntime::LinkRuntime(Options options, VariantTable& variants, HubWorkers& workers, Clock& clock,
                         uint64_t seed)
    : impl_(std::make_unique<Impl>(std::move(options), variants, workers, clock, seed)) {}

LinkRuntime::~LinkRuntime() = default;

void LinkRuntime::Start(v1::NodeAddresses addresses) { impl_->Start(std::move(addresses)); }
void LinkRuntime::Stop() { impl_->Stop(); }
void LinkRuntime::SetCluster(ClusterListener* cluster) { impl_->SetCluster(cluster); }
void LinkRuntime::SetDraining(bool draining) {
  impl_->mailbox().Put(
      [impl = impl_.get(), draining](MonoTime) { impl->core().SetDraining(draining); });
}
void LinkRuntime::ReadHistory(HistoryAsk ask, HistoryDone done) {
  impl_->mailbox().Put([impl = impl_.get(), ask = std::move(ask), done = std::move(done)](
                           MonoTime now) { impl->ReadHistory(ask, done, now); });
}
void LinkRuntime::EndHistories() {
  impl_->mailbox().Put([impl = impl_.get()](MonoTime) { impl->EndHistories(); });
}
absl::StatusOr<std::shared_ptr<grpc::Channel>> LinkRuntime::NewChannel(
    const std::string& address) const {
  return rpc::CreateChannel(address, impl_->ChannelOptionsFor(address));
}
LinkRuntimeStatus LinkRuntime::status() const { return impl_->status(); }

void LinkRuntime::AddInterest(size_t worker, std::string channel, uint64_t interest) {
  impl_->mailbox().Put(
      [impl = impl_.get(), worker, channel = std::move(channel), interest](MonoTime now) {
        impl->core().AddInterest(worker, channel, now, interest);
      },
      LinkMailbox::Urgency::kUnlessQuiet);
}

void LinkRuntime::RemoveInterest(size_t worker, std::string channel) {
  // It lingers for a minute anyway.
  impl_->mailbox().Put([impl = impl_.get(), worker, channel = std::move(channel)](
                           MonoTime now) { impl->core().RemoveInterest(worker, channel, now); },
                       LinkMailbox::Urgency::kAtDeadline);
}

void LinkRuntime::Read(size_t worker, uint64_t read_id, std::string channel, bool history,
                       std::vector<std::pair<SlotNumber, int64_t>> from) {
  impl_->mailbox().Put([impl = impl_.get(), worker, read_id, channel = std::move(channel), history,
                        from = std::move(from)](MonoTime now) {
    impl->core().Read(worker, read_id, channel, history, from, now);
  });
}

void LinkRuntime::Judge(size_t worker, uint64_t read_id, std::vector<SlotClaim> claims) {
  impl_->mailbox().Put([impl = impl_.get(), worker, read_id, claims = std::move(claims)](
                           MonoTime now) { impl->core().Judge(worker, read_id, claims, now); });
}

}  // namespace spillway::edge
