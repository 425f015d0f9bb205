#include "services/edge/net/mailbox.h"

#include <utility>

namespace spillway::edge::net {

bool Mailbox::Put(Task task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  return std::exchange(asleep_, false);
}

bool Mailbox::Sleep() {
  MutexLock lock(mutex_);
  asleep_ = tasks_.empty();
  return asleep_;
}

void Mailbox::TakeAll(std::vector<Task>* tasks) {
  MutexLock lock(mutex_);
  asleep_ = false;
  tasks_.swap(*tasks);
}

}  // namespace spillway::edge::net
