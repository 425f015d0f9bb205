#include "services/edge/session/user_limits.h"

#include <algorithm>
#include <functional>

namespace spillway::edge {

UserLimits::UserLimits(const Options& options, const Clock& clock)
    : options_(options),
      limits_(options.connections > 0 || options.messages.limits() || options.subscribes.limits() ||
              options.publishes.limits() || options.channel_rates > 0),
      clock_(clock) {}

UserLimits::~UserLimits() = default;

MonoTime UserLimits::User::full_at() const {
  MonoTime at = std::max({messages.full_at(), subscribes.full_at(), publishes.full_at()});
  for (size_t i = 0; i < table.options_.channel_rates; ++i) {
    at = std::max(at, channels[i].full_at());
  }
  return at;
}

UserLimits::Shard& UserLimits::ShardOf(std::string_view user_id) {
  return shards_[std::hash<std::string_view>()(user_id) % kShards];
}

void UserLimits::Init(User& user) const {
  if (options_.channel_rates > 0) {
    user.channels = std::make_unique<SharedBucket[]>(options_.channel_rates);
  }
}

std::optional<UserLimits::Place> UserLimits::Enter(std::string_view user_id) {
  if (!limits_) return Place();
  if (user_id.empty()) {
    auto user = std::make_unique<User>(*this);
    Init(*user);
    return Place(user.release());
  }
  Shard& shard = ShardOf(user_id);
  MutexLock lock(shard.mutex);
  Forget(shard, clock_.Now());
  const auto [found, fresh] = shard.users.try_emplace(std::string(user_id), *this);
  User& user = found->second;
  if (fresh) {
    user.name = &found->first;
    Init(user);
  }
  if (options_.connections > 0 && user.connections >= options_.connections) return std::nullopt;
  ++user.connections;
  if (user.left.has_value()) {
    shard.left.erase(*user.left);
    user.left.reset();
  }
  return Place(&user);
}

void UserLimits::Leave(User& user) {
  if (user.name == nullptr) {
    delete &user;
    return;
  }
  UserLimits& table = user.table;
  Shard& shard = table.ShardOf(*user.name);
  MutexLock lock(shard.mutex);
  if (--user.connections > 0) return;
  user.left = shard.left.insert(shard.left.end(), &user);
  Forget(shard, table.clock_.Now());
}

void UserLimits::Forget(Shard& shard, MonoTime now) {
  while (!shard.left.empty()) {
    User& first = *shard.left.front();
    if (first.full_at() > now && shard.left.size() <= kMaxLeft / kShards) return;
    shard.left.pop_front();
    shard.users.erase(shard.users.find(*first.name));
  }
}

size_t UserLimits::size() const {
  size_t users = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    users += shard.users.size();
  }
  return users;
}

}  // namespace spillway::edge
