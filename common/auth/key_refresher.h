#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "common/auth/key_source.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::auth {

// Loads sources of keys when they are due, on a thread of its own: one at a time, so that at most
// one waits for the network. Owned by the composition root.
class KeyRefresher {
 public:
  // Both outlive this. The sources are not used by others before this is made.
  KeyRefresher(std::vector<KeySource*> sources, const Clock& clock);
  ~KeyRefresher();  // Stop()
  KeyRefresher(const KeyRefresher&) = delete;
  KeyRefresher& operator=(const KeyRefresher&) = delete;

  // Loads what is due now; says when there is more to do. For the thread, and for tests without it.
  MonoTime RunDue();

  // Without sources that can be loaded there is no thread.
  void Start();
  // Waits for a load that is under way.
  void Stop();

 private:
  void Run();

  const std::vector<KeySource*> sources_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  bool woken_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace spillway::auth
