#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace spillway::edge::ws {
class Connection;
}

namespace spillway::edge::net {

// Something with a descriptor that a worker watches, other than a connection. Belongs to the
// worker's thread.
class PollTarget {
 public:
  virtual ~PollTarget() = default;
  // `events`: of epoll.
  virtual void OnReady(uint32_t events) = 0;
};

// The epoll set of a worker. Level-triggered: what is left unread is told again. Belongs to the
// worker's thread but for Wake().
class Poller {
 public:
  static constexpr uint32_t kReads = EPOLLIN | EPOLLRDHUP;
  static constexpr uint32_t kWrites = EPOLLOUT;
  static constexpr uint32_t kHangUps = EPOLLRDHUP;
  // Of one wait; more come in the next, after what else is waiting.
  static constexpr int kMaxEvents = 256;

  // Aborts when there is no descriptor left: the process cannot serve at all.
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // False: the system watches no more descriptors.
  bool Add(int fd, PollTarget* target, uint32_t events) {
    return Control(EPOLL_CTL_ADD, fd, Tag(target), events);
  }
  bool Add(int fd, ws::Connection* connection, uint32_t events) {
    return Control(EPOLL_CTL_ADD, fd, Tag(connection), events);
  }
  // Of a descriptor that is there: other events, or another one who hears of them.
  bool Change(int fd, PollTarget* target, uint32_t events) {
    return Control(EPOLL_CTL_MOD, fd, Tag(target), events);
  }
  bool Change(int fd, ws::Connection* connection, uint32_t events) {
    return Control(EPOLL_CTL_MOD, fd, Tag(connection), events);
  }
  void Remove(int fd);

  // Waits for events, `timeout_ms` at most (-1: for ever); returns their number.
  int Wait(int timeout_ms);
  // Calls one of the two for event i of the last Wait(). What an event is for is alive still when
  // nothing that was removed in between is destroyed before all are dispatched.
  template <typename OnConnection, typename OnTarget>
  void Dispatch(int i, OnConnection&& on_connection, OnTarget&& on_target) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    if (event.data.u64 == kWakeTag) return Woken();
    if ((event.data.u64 & kTargetBit) == 0) {
      on_connection(*reinterpret_cast<ws::Connection*>(event.data.u64), event.events);
    } else {
      on_target(*reinterpret_cast<PollTarget*>(event.data.u64 & ~kTargetBit), event.events);
    }
  }

  // Ends the wait under way, or the next. Any thread.
  void Wake();

 private:
  // Objects are aligned: the lowest bit of their addresses is free to tell whose it is.
  static constexpr uint64_t kTargetBit = 1;
  static constexpr uint64_t kWakeTag = kTargetBit;  // no target at all
  static uint64_t Tag(ws::Connection* connection) { return reinterpret_cast<uint64_t>(connection); }
  static uint64_t Tag(PollTarget* target) {
    return reinterpret_cast<uint64_t>(target) | kTargetBit;
  }

  bool Control(int operation, int fd, uint64_t tag, uint32_t events);
  void Woken();

  const int epoll_fd_;
  const int wake_fd_;
  std::array<epoll_event, kMaxEvents> events_;
};

}  // namespace spillway::edge::net
