#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/log/log.h"

namespace spillway::log {

// Lets at most one line per key and interval through, and adds to the next one how many were held
// back
// ("suppressed"). For what bad input or a failing peer can cause many times a second.
// Thread-safe; owned by whoever logs. Keys are bounded: at the bound those whose interval is over
// are forgotten, and if none is, new keys share one entry, so that memory and output stay bounded.
class RateLimited {
 public:
  static constexpr size_t kDefaultMaxKeys = 1024;

  RateLimited(const Clock& clock, std::chrono::milliseconds interval,
              size_t max_keys = kDefaultMaxKeys);

  // Logs now or counts. Returns whether the line was written.
  bool Log(Level level, std::string_view key, std::string_view message, Fields fields = {});
  bool Warn(std::string_view key, std::string_view message, Fields fields = {}) {
    return Log(Level::kWarn, key, message, fields);
  }
  bool Error(std::string_view key, std::string_view message, Fields fields = {}) {
    return Log(Level::kError, key, message, fields);
  }

  // Lines held back since the start.
  uint64_t suppressed_total() const;
  size_t keys() const;

 private:
  struct Entry {
    MonoTime next;
    uint64_t suppressed = 0;
  };

  Entry& Find(std::string_view key, MonoTime now) SPILLWAY_REQUIRES(mutex_);

  const Clock& clock_;
  const std::chrono::milliseconds interval_;
  const size_t max_keys_;
  mutable Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ SPILLWAY_GUARDED_BY(mutex_);
  Entry overflow_ SPILLWAY_GUARDED_BY(mutex_);
  uint64_t suppressed_total_ SPILLWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spillway::log
