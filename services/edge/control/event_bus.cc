#include "services/edge/control/event_bus.h"

#include <algorithm>
#include <utility>

#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

bool WantsCategory(const v1::WatchEventsRequest& filter, v1::EventCategory category) {
  return filter.categories().empty() ||
         std::find(filter.categories().begin(), filter.categories().end(), category) !=
             filter.categories().end();
}

bool IsFrom(const std::string& ip, const absl::StatusOr<IpNetwork>& network) {
  const auto address = IpAddress::Parse(ip);
  return network.ok() && address.has_value() && network->Contains(*address);
}

constexpr size_t kMaxTargetBytes = 1'024;

v1::NodeEvent EventOf(v1::EventCategory category, std::string_view kind, const Session& session) {
  v1::NodeEvent event;
  event.set_category(category);
  event.set_kind(std::string(kind));
  event.set_connection_id(std::string(session.id()));
  event.set_user_id(session.user_id());
  event.set_ip(session.ip());
  event.set_correlation_id(std::string(session.correlation_id()));
  return event;
}

v1::NodeEvent EventOf(const char* kind, const RefusedClient& client) {
  v1::NodeEvent event;
  event.set_category(v1::EVENT_CATEGORY_SECURITY);
  event.set_kind(kind);
  event.set_user_id(std::string(client.user_id));
  event.set_ip(std::string(client.ip));
  event.set_correlation_id(std::string(client.correlation_id));
  event.set_target(std::string(client.endpoint));
  return event;
}

}  // namespace

EventBus::Watcher::~Watcher() { bus_.Forget(this); }

bool EventBus::Watcher::Next(v1::NodeEvent* event) {
  MutexLock lock(mutex_);
  if (queue_.empty()) return false;
  *event = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

bool EventBus::Watcher::Wants(const v1::NodeEvent& event) const {
  return WantsCategory(filter_, event.category()) &&
         (filter_.user_id().empty() || filter_.user_id() == event.user_id()) &&
         (filter_.connection_id().empty() || filter_.connection_id() == event.connection_id()) &&
         (filter_.ip().empty() || IsFrom(event.ip(), from_));
}

void EventBus::Watcher::Put(const v1::NodeEvent& event) {
  {
    MutexLock lock(mutex_);
    if (queue_.size() >= bus_.options_.max_queued) {
      ++dropped_;
      bus_.dropped_.Add();
      return;
    }
    queue_.push_back(event);
    queue_.back().set_dropped(std::exchange(dropped_, 0));
  }
  wake_();
}

void EventBus::Want(const v1::WatchEventsRequest& filter, int by) {
  for (size_t category = 0; category < kCategories; ++category) {
    if (WantsCategory(filter, static_cast<v1::EventCategory>(category))) wanted_[category] += by;
  }
}

void EventBus::AddSink(const std::vector<v1::EventCategory>& categories, Sink sink) {
  SinkOf& added = sinks_.emplace_back();
  added.sink = std::move(sink);
  for (v1::EventCategory category : categories) {
    added.categories[static_cast<size_t>(category)] = true;
    ++wanted_[static_cast<size_t>(category)];
  }
}

std::unique_ptr<EventBus::Watcher> EventBus::Watch(const v1::WatchEventsRequest& filter,
                                                   std::function<void()> wake) {
  MutexLock lock(mutex_);
  if (watchers_.size() >= options_.max_watchers) return nullptr;
  std::unique_ptr<Watcher> watcher(new Watcher(*this, filter, std::move(wake)));
  watchers_.push_back(watcher.get());
  Want(filter, 1);
  return watcher;
}

void EventBus::Forget(Watcher* watcher) {
  MutexLock lock(mutex_);
  std::erase(watchers_, watcher);
  Want(watcher->filter_, -1);
}

void EventBus::Publish(v1::NodeEvent event) {
  if (!v1::EventCategory_IsValid(event.category()) || !wanted(event.category())) return;
  event.set_time_ms(ToUnixMillis(clock_.WallNow()));
  event.set_node_id(options_.node_id);
  for (const SinkOf& one : sinks_) {
    if (one.categories[static_cast<size_t>(event.category())]) one.sink(event);
  }
  MutexLock lock(mutex_);
  for (Watcher* watcher : watchers_) {
    if (watcher->Wants(event)) watcher->Put(event);
  }
}

void EventBus::OnOpened(const Session& session) {
  if (!wanted(v1::EVENT_CATEGORY_CONNECTION)) return;
  v1::NodeEvent event = EventOf(v1::EVENT_CATEGORY_CONNECTION, "connection_opened", session);
  event.set_target(session.endpoint().options().path);
  Publish(std::move(event));
}

void EventBus::OnClosed(const Session& session, uint16_t code, std::string_view reason) {
  if (!wanted(v1::EVENT_CATEGORY_CONNECTION)) return;
  v1::NodeEvent event = EventOf(v1::EVENT_CATEGORY_CONNECTION, "connection_closed", session);
  event.set_target(session.endpoint().options().path);
  event.set_close_code(code);
  event.set_detail(std::string(reason));
  Publish(std::move(event));
}

void EventBus::OnRefused(std::string_view code, const RefusedClient& client) {
  if (!wanted(v1::EVENT_CATEGORY_SECURITY)) return;
  v1::NodeEvent event = EventOf("connection_refused", client);
  event.set_outcome(std::string(code));
  Publish(std::move(event));
}

void EventBus::OnAddressBlocked(const RefusedClient& client) {
  if (!wanted(v1::EVENT_CATEGORY_SECURITY)) return;
  v1::NodeEvent event = EventOf("address_blocked", client);
  event.set_outcome("ip_blocked");
  Publish(std::move(event));
}

void EventBus::OnDenied(const Session& session, std::string_view action, std::string_view code,
                        std::string_view target) {
  if (!wanted(v1::EVENT_CATEGORY_SECURITY)) return;
  v1::NodeEvent event = EventOf(v1::EVENT_CATEGORY_SECURITY, action, session);
  event.set_outcome(std::string(code));
  event.set_target(std::string(target.substr(0, kMaxTargetBytes)));
  Publish(std::move(event));
}

size_t EventBus::watchers() const {
  MutexLock lock(mutex_);
  return watchers_.size();
}

}  // namespace spillway::edge
