#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "services/edge/hub/hub_shard.h"
#include "services/edge/session/session_registry.h"

namespace spillway::edge {

// How the admin API reaches the workers. Implemented by the composition root and by fakes.
class AdminWorkers {
 public:
  using Task = std::function<void(SessionRegistry& sessions, HubShard& hub)>;

  virtual ~AdminWorkers() = default;
  virtual size_t count() const = 0;
  // Runs the task on the worker's thread. What it holds lives to the end of the worker's turn. A
  // worker that has stopped drops it. Any thread.
  virtual void Post(size_t worker, Task task) = 0;
};

// Asks every worker for a Part and calls `done` once with all of them, by worker: on the thread of
// the last worker to answer. `done` gets what there is, and complete = false, if some worker
// dropped the question. Blocks nobody.
template <typename Part>
class Gather {
 public:
  using Ask = std::function<Part(SessionRegistry& sessions, HubShard& hub)>;
  using AskOn = std::function<Part(size_t worker, SessionRegistry& sessions, HubShard& hub)>;
  using Done = std::function<void(std::vector<Part> parts, bool complete)>;

  static void Run(AdminWorkers& workers, Ask ask, Done done) {
    RunOn(
        workers,
        [ask = std::move(ask)](size_t, SessionRegistry& sessions, HubShard& hub) {
          return ask(sessions, hub);
        },
        std::move(done));
  }
  // The same for who needs to know the worker.
  static void RunOn(AdminWorkers& workers, AskOn ask, Done done) {
    const auto state = std::make_shared<Gather>(workers.count(), std::move(done));
    const auto shared_ask = std::make_shared<const AskOn>(std::move(ask));
    for (size_t worker = 0; worker < workers.count(); ++worker) {
      workers.Post(worker, [state, shared_ask, worker](SessionRegistry& sessions, HubShard& hub) {
        state->parts_[worker] = (*shared_ask)(worker, sessions, hub);
        if (state->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
          std::exchange(state->done_, nullptr)(std::move(state->parts_), true);
        }
      });
    }
  }

  // For Run().
  Gather(size_t workers, Done done) : left_(workers), parts_(workers), done_(std::move(done)) {}
  ~Gather() {
    if (done_) done_(std::move(parts_), false);
  }

 private:
  std::atomic<size_t> left_;
  std::vector<Part> parts_;
  Done done_;
};

}  // namespace spillway::edge
