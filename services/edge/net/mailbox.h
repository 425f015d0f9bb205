#pragma once

#include <functional>
#include <vector>

#include "common/base/mutex.h"

namespace spillway::edge::net {

// Tasks handed to a worker from any thread. A burst costs its reader one wake-up and one swap.
// Put() from any thread; TakeAll() from the worker's. Its bound is what its senders hold in flight
// (the link's credit, one batch a worker).
class Mailbox {
 public:
  using Task = std::function<void()>;

  // True: the mailbox was empty, so the reader has to be woken.
  bool Put(Task task);
  // Swaps the waiting tasks, in order, with `tasks`, which has to be empty.
  void TakeAll(std::vector<Task>* tasks);

 private:
  Mutex mutex_;
  std::vector<Task> tasks_ SPILLWAY_GUARDED_BY(mutex_);
};

}  // namespace spillway::edge::net
