#include "tools/load/swarm.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "tools/load/worker.h"

namespace spillway::load {

Swarm::Swarm(const ClientOptions& options, const Dialect& dialect, RunState& run)
    : options_(options), dialect_(dialect), run_(run), processes_{getpid()} {}

Swarm::~Swarm() {
  run_.phase().store(RunState::Phase::kStop, std::memory_order_release);
  for (std::thread& thread : threads_) thread.join();
  for (size_t i = 1; i < processes_.size(); ++i) waitpid(processes_[i], nullptr, 0);
}

absl::Status Swarm::Start() {
  if (options_.processes <= 1) {
    threads_.emplace_back([this] { RunWorkers(0); });
    return absl::OkStatus();
  }
  const pid_t parent = getpid();
  for (size_t process = 0; process < options_.processes; ++process) {
    const pid_t child = fork();
    if (child < 0) {
      return absl::InternalError(absl::StrCat("fork: ", std::generic_category().message(errno)));
    }
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() == parent) RunWorkers(process);
      _exit(0);
    }
    processes_.push_back(child);
  }
  return absl::OkStatus();
}

void Swarm::RunWorkers(size_t process) {
  std::vector<std::thread> threads;
  const size_t processes = std::max<size_t>(1, options_.processes);
  for (size_t number = process; number < run_.workers(); number += processes) {
    threads.emplace_back([this, number] {
      prctl(PR_SET_NAME, absl::StrCat("clients-", number).c_str());
      Worker worker(options_, dialect_, run_, number);
      // The problem is in the worker's state, where the run finds it.
      if (!worker.Run().ok()) run_.worker(number).checked.store(true, std::memory_order_release);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

absl::Status Swarm::Alive() {
  for (size_t i = 1; i < processes_.size(); ++i) {
    int status = 0;
    if (waitpid(processes_[i], &status, WNOHANG) != processes_[i]) continue;
    processes_.erase(processes_.begin() + static_cast<ptrdiff_t>(i));
    return absl::InternalError(absl::StrCat("a process of clients ended with status ", status));
  }
  return absl::OkStatus();
}

bool Swarm::settled() const {
  const uint64_t failed = run_.Sum(&WorkerState::closed) + run_.Sum(&WorkerState::errors);
  const uint64_t failures_that_stay = options_.reconnect > 0 ? 0 : failed;
  return run_.Sum(&WorkerState::opened) >= options_.clients &&
         run_.Sum(&WorkerState::ready) + failures_that_stay >= options_.clients;
}

}  // namespace spillway::load
