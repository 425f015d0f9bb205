#include "services/ingest/link/write_pacer.h"

#include <algorithm>
#include <utility>

namespace spillway::ingest {

void WritePacer::Start() {
  thread_ = std::thread([this] { Run(); });
}

void WritePacer::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  std::vector<Asked> left;  // let go of outside the lock
  MutexLock lock(mutex_);
  left.swap(asked_);
}

void WritePacer::Ask(std::shared_ptr<Paced> who, MonoTime when) {
  bool earliest = false;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    earliest = std::all_of(asked_.begin(), asked_.end(),
                           [when](const Asked& other) { return when < other.when; });
    asked_.push_back({std::move(who), when});
  }
  if (earliest) wake_.NotifyOne();
}

void WritePacer::Run() {
  std::vector<Asked> due;
  for (;;) {
    {
      MutexLock lock(mutex_);
      for (;;) {
        if (stopping_) return;
        const auto first =
            std::min_element(asked_.begin(), asked_.end(),
                             [](const Asked& a, const Asked& b) { return a.when < b.when; });
        if (first == asked_.end()) {
          wake_.Wait(mutex_);
        } else if (std::chrono::steady_clock::now() < first->when) {
          wake_.WaitUntil(mutex_, first->when);
        } else {
          break;
        }
      }
      // Links that were written to one after the other are due one after the other: all go now,
      // and those for whom it is too early ask again.
      due.swap(asked_);
    }
    for (const Asked& asked : due) asked.who->OnTurn();
    due.clear();
  }
}

}  // namespace spillway::ingest
