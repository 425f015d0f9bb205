#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "common/base/mutex.h"
#include "services/edge/session/channel_policy.h"

namespace spillway::edge {

// Warns of channels that are to conflate and whose events have no key: once for each pattern of the
// configuration. Any thread. Owned by EdgeApp; outlives the workers' threads.
class KeylessWarning {
 public:
  // `policy` outlives it.
  explicit KeylessWarning(const ChannelPolicy& policy) : policy_(policy) {}

  // Whether it was the first of its pattern.
  bool Tell(std::string_view channel);

 private:
  const ChannelPolicy& policy_;
  Mutex mutex_;
  absl::flat_hash_set<std::string> told_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge
