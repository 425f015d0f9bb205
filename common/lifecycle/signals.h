#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"

namespace spillway::lifecycle {

// SIGTERM and SIGINT as one call, once, on a thread of its own; SIGPIPE is ignored from then on. A
// second such signal ends the process at once with status 128 + its number (143, 130), however
// stuck it is. One instance at a time in a process, owned by the composition root; its end restores
// the handlers.
class Signals {
 public:
  // `on_stop` gets the signal's number. FailedPrecondition when there is an instance already.
  static absl::StatusOr<std::unique_ptr<Signals>> Install(std::function<void(int signal)> on_stop);
  // Waits for a call of `on_stop` that runs: not to be destroyed inside it.
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  Signals() = default;
  void Wait();

  std::function<void(int)> on_stop_;
  int read_fd_ = -1;
  int write_fd_ = -1;
  std::thread thread_;
};

}  // namespace spillway::lifecycle
