#include "services/edge/app/keyless_warning.h"

#include "common/log/log.h"

namespace spillway::edge {

bool KeylessWarning::Tell(std::string_view channel) {
  const std::string_view pattern = policy_.PatternOf(channel);
  {
    MutexLock lock(mutex_);
    if (!told_.insert(std::string(pattern)).second) return false;
  }
  log::Warn(
      "events of a channel with slow: conflate have no key; the oldest are dropped instead: give "
      "their route a key, or set slow: drop_oldest",
      {{"pattern", pattern}, {"channel", channel}});
  return true;
}

}  // namespace spillway::edge
