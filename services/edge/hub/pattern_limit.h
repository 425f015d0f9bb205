#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/mutex.h"
#include "common/base/string_map.h"

namespace spillway::edge {

// How many different patterns the clients of this process may be subscribed to: each costs the edge
// and every ingest something for each new channel. Any thread; asked when a worker opens a pattern,
// never when it delivers. Outlives the hub shards.
class PatternLimit {
 public:
  explicit PatternLimit(size_t most) : most_(most) {}

  // A worker has its first subscriber of the pattern. False: it is one too many.
  bool Take(std::string_view pattern) {
    MutexLock lock(mutex_);
    const auto found = workers_.find(pattern);
    if (found != workers_.end()) {
      ++found->second;
      return true;
    }
    if (workers_.size() >= most_) {
      ++refused_;
      return false;
    }
    workers_.emplace(std::string(pattern), 1);
    return true;
  }
  // It has no subscriber of it any more.
  void GiveBack(std::string_view pattern) {
    MutexLock lock(mutex_);
    const auto found = workers_.find(pattern);
    if (found != workers_.end() && --found->second == 0) workers_.erase(found);
  }

  size_t in_use() const {
    MutexLock lock(mutex_);
    return workers_.size();
  }
  uint64_t refused() const {
    MutexLock lock(mutex_);
    return refused_;
  }

 private:
  const size_t most_;
  mutable Mutex mutex_;
  StringMap<size_t> workers_ SPILLWAY_GUARDED_BY(mutex_);  // by pattern
  uint64_t refused_ SPILLWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spillway::edge
