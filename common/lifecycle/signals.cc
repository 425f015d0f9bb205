#include "common/lifecycle/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"

namespace spillway::lifecycle {
namespace {

// What the handler may touch: lock-free atomics only (signal-safety(7)).
std::atomic<int> pipe_fd{-1};
std::atomic<bool> stop_seen{false};
static_assert(std::atomic<int>::is_always_lock_free);

void OnSignal(int signal) {
  if (stop_seen.exchange(true)) _exit(128 + signal);
  const int saved_errno = errno;
  const char byte = static_cast<char>(signal);
  // The pipe is empty before the first signal: this cannot fail or block.
  [[maybe_unused]] const ssize_t written = write(pipe_fd.load(), &byte, 1);
  errno = saved_errno;
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Signals>> Signals::Install(std::function<void(int)> on_stop) {
  if (pipe_fd.load() != -1) {
    return absl::FailedPreconditionError("signals are handled already");
  }
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  auto signals = std::unique_ptr<Signals>(new Signals);
  signals->on_stop_ = std::move(on_stop);
  signals->read_fd_ = fds[0];
  signals->write_fd_ = fds[1];
  stop_seen = false;
  pipe_fd = fds[1];
  signals->thread_ = std::thread([raw = signals.get()] { raw->Wait(); });
  Handle(SIGPIPE, SIG_IGN);
  Handle(SIGTERM, OnSignal);
  Handle(SIGINT, OnSignal);
  return signals;
}

void Signals::Wait() {
  char byte = 0;
  ssize_t size;
  do {
    size = read(read_fd_, &byte, 1);
  } while (size < 0 && errno == EINTR);
  if (size == 1 && byte != 0) on_stop_(byte);
}

Signals::~Signals() {
  Handle(SIGTERM, SIG_DFL);
  Handle(SIGINT, SIG_DFL);
  pipe_fd = -1;
  const char end = 0;
  [[maybe_unused]] const ssize_t written = write(write_fd_, &end, 1);
  thread_.join();
  close(read_fd_);
  close(write_fd_);
}

}  // namespace spillway::lifecycle
