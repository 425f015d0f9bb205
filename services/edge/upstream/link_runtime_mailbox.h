#pragma once

#include <chrono>
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

  // Ignored once closed.
  void Put(Task task) {
    MutexLock lock(mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
    if (tasks_.size() == 1) wake_.NotifyOne();
  }

  // Swaps the waiting tasks, in order, with `tasks`, which has to be empty; waits for some until
  // `deadline`.
  void Take(std::vector<Task>* tasks, std::chrono::steady_clock::time_point deadline) {
    MutexLock lock(mutex_);
    while (tasks_.empty()) {
      if (!wake_.WaitUntil(mutex_, deadline)) break;
    }
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
  bool closed_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge
