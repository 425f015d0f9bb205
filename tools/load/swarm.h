#pragma once

#include <sys/types.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "tools/load/dialect.h"
#include "tools/load/run_options.h"
#include "tools/load/run_state.h"

namespace spillway::load {

// The workers of a run: threads of this process, or, where descriptors of one process are not
// enough, of child processes that share the run's state. Belongs to main, which starts it before it
// has any other thread, since children are forks.
class Swarm {
 public:
  // All must outlive it.
  Swarm(const ClientOptions& options, const Dialect& dialect, RunState& run);
  ~Swarm();  // ends it at once
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  absl::Status Start();
  // Not OK once a process of it has ended by itself.
  absl::Status Alive();
  // This process and the children.
  const std::vector<pid_t>& processes() const { return processes_; }

  // Clients that are ready, or have failed: nothing more will come of connecting.
  bool settled() const;

 private:
  void RunWorkers(size_t process);  // returns when the run is stopped

  const ClientOptions& options_;
  const Dialect& dialect_;
  RunState& run_;
  std::vector<pid_t> processes_;
  std::vector<std::thread> threads_;
};

}  // namespace spillway::load
