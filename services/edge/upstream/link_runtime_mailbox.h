#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::edge {

// Tasks for the link thread. Put() from any thread; the rest is the link thread's. Bounded by what
// its senders may have under way: the credit of each link, and one interest change per channel and
// worker.
class LinkMailbox {
 public:
  using Task = std::function<void(MonoTime now)>;
  using Time = std::chrono::steady_clock::time_point;

  // When a task has to be taken. However urgent, all are taken in the order in which they were put.
  enum class Urgency : uint8_t {
    kNow,
    kUnlessQuiet,  // as kNow, but while the link thread wants quiet at the end of that
    kAtDeadline,   // with the next, or at the deadline of Take()
  };

  // Ignored once closed.
  void Put(Task task, Urgency urgency = Urgency::kNow) {
    MutexLock lock(mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
    if (urgent_ || urgency == Urgency::kAtDeadline) return;
    if (urgency == Urgency::kUnlessQuiet && std::chrono::steady_clock::now() < quiet_until_) return;
    urgent_ = true;
    wake_.NotifyOne();
  }

  // Swaps the waiting tasks, in order, with `tasks`, which has to be empty; waits for some until
  // `deadline`. Until `quiet_until` it is not woken for those that may wait so long; then they are
  // taken.
  void Take(std::vector<Task>* tasks, Time deadline, Time quiet_until = {}) {
    MutexLock lock(mutex_);
    quiet_until_ = quiet_until;
    const bool quiet = std::chrono::steady_clock::now() < quiet_until;
    if (quiet) deadline = std::min(deadline, quiet_until);
    if (!quiet && !tasks_.empty()) urgent_ = true;
    while (!urgent_) {
      if (!wake_.WaitUntil(mutex_, deadline)) break;
    }
    urgent_ = false;
    tasks->swap(tasks_);
  }

  // Drops what waits and what comes.
  void Close() {
    std::vector<Task> dropped;  // ends outside the lock
    MutexLock lock(mutex_);
    closed_ = true;
    dropped.swap(tasks_);
  }

 private:
  Mutex mutex_;
  CondVar wake_;
  std::vector<Task> tasks_ SPILLWAY_GUARDED_BY(mutex_);
  Time quiet_until_ SPILLWAY_GUARDED_BY(mutex_);
  bool urgent_ SPILLWAY_GUARDED_BY(mutex_) = false;  // the reader does not wait any longer
  bool closed_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge
