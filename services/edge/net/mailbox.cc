#include "services/edge/net/mailbox.h"

#include <utility>

namespace spillway::edge::net {

bool Mailbox::Put(Task task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  return tasks_.size() == 1;
}

void Mailbox::TakeAll(std::vector<Task>* tasks) {
  MutexLock lock(mutex_);
  tasks_.swap(*tasks);
}

}  // namespace spillway::edge::net
