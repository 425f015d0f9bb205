#include "services/edge/net/poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>

namespace spillway::edge::net {

Poller::Poller()
    : epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_fd_ < 0 || wake_fd_ < 0 || !Control(EPOLL_CTL_ADD, wake_fd_, kWakeTag, EPOLLIN)) {
    std::abort();
  }
}

Poller::~Poller() {
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

bool Poller::Control(int operation, int fd, uint64_t tag, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll_fd_, operation, fd, &event) == 0;
}

void Poller::Remove(int fd) { ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

int Poller::Wait(int timeout_ms) {
  const int count = ::epoll_wait(epoll_fd_, events_.data(), kMaxEvents, timeout_ms);
  return count < 0 ? 0 : count;  // EINTR
}

void Poller::Wake() {
  const uint64_t one = 1;
  // It fails only when the counter is at its top: then the wait ends as well.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void Poller::Woken() {
  uint64_t count;
  [[maybe_unused]] const ssize_t taken = ::read(wake_fd_, &count, sizeof count);
}

}  // namespace spillway::edge::net
