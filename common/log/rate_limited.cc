#include "common/log/rate_limited.h"

namespace spillway::log {

RateLimited::RateLimited(const Clock& clock, std::chrono::milliseconds interval, size_t max_keys)
    : clock_(clock), interval_(interval), max_keys_(max_keys) {}

RateLimited::Entry& RateLimited::Find(std::string_view key, MonoTime now) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= max_keys_) {
    // Only entries with nothing held back go: their next line would say the same without them.
    std::erase_if(entries_, [now](const auto& item) {
      return item.second.next <= now && item.second.suppressed == 0;
    });
    if (entries_.size() >= max_keys_) {
      std::erase_if(entries_, [now](const auto& item) { return item.second.next <= now; });
    }
    if (entries_.size() >= max_keys_) return overflow_;
  }
  return entries_[std::string(key)];
}

bool RateLimited::Log(Level level, std::string_view key, std::string_view message, Fields fields) {
  if (!Enabled(level)) return false;
  uint64_t suppressed = 0;
  {
    MutexLock lock(mutex_);
    const MonoTime now = clock_.Now();
    Entry& entry = Find(key, now);
    if (entry.next > now) {
      ++entry.suppressed;
      ++suppressed_total_;
      return false;
    }
    entry.next = now + interval_;
    suppressed = entry.suppressed;
    entry.suppressed = 0;
  }
  const Field extra("suppressed", suppressed);
  Write(level, message, fields, suppressed == 0 ? nullptr : &extra);
  return true;
}

uint64_t RateLimited::suppressed_total() const {
  MutexLock lock(mutex_);
  return suppressed_total_;
}

size_t RateLimited::keys() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace spillway::log
