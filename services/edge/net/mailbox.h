#pragma once

#include <functional>
#include <vector>

#include "common/base/mutex.h"

namespace spillway::edge::net {

// Tasks handed to a worker from any thread. A burst costs its reader one wake-up and one swap, and
// a reader that is awake none. Put() from any thread; the others from the worker's. Its bound is
// what its senders hold in flight (the link's credit, one batch a worker).
class Mailbox {
 public:
  using Task = std::function<void()>;

  // True: the reader sleeps and has to be woken.
  bool Put(Task task);
  // True: there is nothing to read, and the reader may sleep; the next Put() asks to wake it.
  bool Sleep();
  // Swaps the waiting tasks, in order, with `tasks`, which has to be empty.
  void TakeAll(std::vector<Task>* tasks);

 private:
  Mutex mutex_;
  std::vector<Task> tasks_ SPILLWAY_GUARDED_BY(mutex_);
  bool asleep_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge::net
