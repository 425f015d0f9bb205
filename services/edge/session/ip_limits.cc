#include "services/edge/session/ip_limits.h"

#include <string>

#include "absl/hash/hash.h"

namespace spillway::edge {
namespace {

constexpr std::chrono::seconds kLogInterval{10};

}  // namespace

IpLimits::IpLimits(const Options& options, const Clock& clock)
    : options_(options), clock_(clock), log_(clock, kLogInterval) {}

// What is no address, which no socket gives, is one of its own.
IpAddress IpLimits::KeyOf(std::string_view ip) {
  return IpAddress::Parse(ip).value_or(IpAddress()).OfOneClient();
}

IpLimits::Shard& IpLimits::ShardOf(const IpAddress& key) {
  return shards_[absl::Hash<IpAddress>()(key) % kShards];
}

IpLimits::Ip& IpLimits::At(Shard& shard, const IpAddress& key) {
  const auto [found, fresh] = shard.ips.try_emplace(key, *this);
  if (fresh) found->second.address = &found->first;
  return found->second;
}

std::chrono::milliseconds IpLimits::BlockedFor(std::string_view ip) {
  if (options_.failures == 0) return std::chrono::milliseconds(0);
  const IpAddress key = KeyOf(ip);
  Shard& shard = ShardOf(key);
  const MonoTime now = clock_.Now();
  MutexLock lock(shard.mutex);
  ForgetOld(shard, now);
  const auto found = shard.ips.find(key);
  if (found == shard.ips.end() || found->second.list != &shard.blocked) {
    return std::chrono::milliseconds(0);
  }
  return std::chrono::ceil<std::chrono::milliseconds>(found->second.blocked_until - now);
}

std::optional<IpLimits::Place> IpLimits::Enter(std::string_view ip) {
  if (options_.connections == 0) return Place();
  const IpAddress key = KeyOf(ip);
  Shard& shard = ShardOf(key);
  MutexLock lock(shard.mutex);
  Ip& entry = At(shard, key);
  if (entry.connections >= options_.connections) return std::nullopt;
  ++entry.connections;
  return Place(&entry);
}

void IpLimits::Leave(Ip& ip) {
  IpLimits& table = ip.table;
  Shard& shard = table.ShardOf(*ip.address);
  MutexLock lock(shard.mutex);
  --ip.connections;
  if (ip.list == nullptr) table.Forget(shard, ip);
}

bool IpLimits::CountFailure(std::string_view ip) {
  if (options_.failures == 0) return false;
  const IpAddress key = KeyOf(ip);
  Shard& shard = ShardOf(key);
  const MonoTime now = clock_.Now();
  {
    MutexLock lock(shard.mutex);
    ForgetOld(shard, now);
    Ip& entry = At(shard, key);
    if (entry.list == &shard.blocked) return false;  // it came in before that
    if (entry.failures == 0 || now - entry.since > options_.window) {
      entry.failures = 0;
      entry.since = now;
    }
    if (++entry.failures < options_.failures) {
      Move(entry, &shard.failed);
      ForgetOld(shard, now);
      return false;
    }
    entry.failures = 0;
    entry.blocked_until = now + options_.block;
    Move(entry, &shard.blocked);
    ForgetOld(shard, now);
  }
  blocks_.Add();
  log_.Warn("ip_blocked", "an address is blocked: too many of its attempts were refused",
            {{"ip", key.ToString()}, {"seconds", options_.block.count() / 1000}});
  return true;
}

void IpLimits::Lift(const IpNetwork& network) {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    for (List* list : {&shard.blocked, &shard.failed}) {
      for (auto at = list->begin(); at != list->end();) {
        Ip& ip = **at++;  // forgetting takes it out of the list
        if (network.Contains(*ip.address)) Forget(shard, ip);
      }
    }
  }
}

// To the end of the list.
void IpLimits::Move(Ip& ip, List* to) {
  if (ip.list != nullptr) ip.list->erase(ip.place);
  ip.list = to;
  if (to != nullptr) ip.place = to->insert(to->end(), &ip);
}

// What it did; the address itself, unless it has connections.
void IpLimits::Forget(Shard& shard, Ip& ip) {
  Move(ip, nullptr);
  ip.failures = 0;
  if (ip.connections == 0) shard.ips.erase(shard.ips.find(*ip.address));
}

void IpLimits::ForgetOld(Shard& shard, MonoTime now) {
  while (!shard.blocked.empty() && shard.blocked.front()->blocked_until <= now) {
    Forget(shard, *shard.blocked.front());
  }
  while (!shard.failed.empty() && now - shard.failed.front()->since > options_.window) {
    Forget(shard, *shard.failed.front());
  }
  while (shard.failed.size() + shard.blocked.size() > kMaxFailed / kShards) {
    forgotten_.Add();
    Forget(shard, *(shard.failed.empty() ? shard.blocked : shard.failed).front());
  }
}

size_t IpLimits::blocked() {
  size_t count = 0;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    ForgetOld(shard, clock_.Now());
    count += shard.blocked.size();
  }
  return count;
}

size_t IpLimits::failed() {
  size_t count = 0;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    count += shard.failed.size();
  }
  return count;
}

}  // namespace spillway::edge
