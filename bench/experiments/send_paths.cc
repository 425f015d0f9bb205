// What one small send costs by the way it is handed to the kernel: sendmsg(), send(), and io_uring
// in batches, with and without registered descriptors, over the same loopback connections.
//
//   send_paths [CONNECTIONS] [ROUNDS] [BYTES] [REPEATS]
//
// One thread sends, pinned to the first core; one receives and discards, pinned to the second. A
// round is one send to each connection, as a broadcast is. The ways take turns within each repeat,
// so that a noisy machine is as noisy for each of them. Prints the sending thread's CPU time a send
// (median of the repeats, lowest, highest) and the ratio to sendmsg(). Ends by itself; loopback
// only.

#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  _exit(1);
}

void PinTo(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);  // best effort: a machine may have one core only
}

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// As much of io_uring as this needs, by its system calls alone.
class Ring {
 public:
  explicit Ring(unsigned entries) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    fd_ = static_cast<int>(syscall(__NR_io_uring_setup, entries, &params));
    if (fd_ < 0) return;
    const size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    const size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
    char* rings = Map(std::max(sq_size, cq_size), IORING_OFF_SQ_RING);
    sqes_ = reinterpret_cast<io_uring_sqe*>(
        Map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    sq_tail_ = reinterpret_cast<unsigned*>(rings + params.sq_off.tail);
    sq_array_ = reinterpret_cast<unsigned*>(rings + params.sq_off.array);
    mask_ = *reinterpret_cast<unsigned*>(rings + params.sq_off.ring_mask);
    cq_head_ = reinterpret_cast<unsigned*>(rings + params.cq_off.head);
    cq_tail_ = reinterpret_cast<unsigned*>(rings + params.cq_off.tail);
    cq_mask_ = *reinterpret_cast<unsigned*>(rings + params.cq_off.ring_mask);
    cqes_ = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
    entries_ = params.sq_entries;
  }
  bool usable() const { return fd_ >= 0; }
  unsigned entries() const { return entries_; }
  bool RegisterFiles(const std::vector<int>& fds) const {
    return syscall(__NR_io_uring_register, fd_, IORING_REGISTER_FILES, fds.data(), fds.size()) == 0;
  }
  io_uring_sqe& Next() {
    const unsigned index = tail_ & mask_;
    sq_array_[index] = index;
    ++tail_;
    ++queued_;
    io_uring_sqe& sqe = sqes_[index];
    std::memset(&sqe, 0, sizeof(sqe));
    return sqe;
  }
  // Submits what is queued and takes every result; the number of those below `expect`.
  int SubmitAndReap(int expect) {
    std::atomic_ref(*sq_tail_).store(tail_, std::memory_order_release);
    const unsigned count = std::exchange(queued_, 0);
    if (syscall(__NR_io_uring_enter, fd_, count, count, IORING_ENTER_GETEVENTS, nullptr, 0) < 0) {
      Die("io_uring_enter");
    }
    int bad = 0;
    unsigned head = *cq_head_;
    const unsigned tail = std::atomic_ref(*cq_tail_).load(std::memory_order_acquire);
    for (; head != tail; ++head) bad += cqes_[head & cq_mask_].res < expect;
    std::atomic_ref(*cq_head_).store(head, std::memory_order_release);
    return bad;
  }

 private:
  char* Map(size_t size, off_t offset) const {
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, offset);
    if (at == MAP_FAILED) Die("mmap of the ring");
    return static_cast<char*>(at);
  }

  int fd_ = -1;
  io_uring_sqe* sqes_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  unsigned *sq_tail_ = nullptr, *sq_array_ = nullptr, *cq_head_ = nullptr, *cq_tail_ = nullptr;
  unsigned mask_ = 0, cq_mask_ = 0, tail_ = 0, queued_ = 0, entries_ = 0;
};

struct Pairs {
  std::vector<int> senders;
  std::vector<int> receivers;
};

Pairs Connect(size_t count) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* name = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, name, size) != 0 || listen(listener, 1024) != 0) Die("listen");
  getsockname(listener, name, &size);
  Pairs pairs;
  for (size_t i = 0; i < count; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || connect(client, name, size) != 0) Die("connect");
    const int server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (server < 0) Die("accept");
    const int on = 1;
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    pairs.senders.push_back(server);
    pairs.receivers.push_back(client);
  }
  close(listener);
  return pairs;
}

// Takes in and discards (MSG_TRUNC copies nothing) until told to stop.
void Receive(const std::vector<int>& fds, const std::atomic<bool>& stop) {
  PinTo(1);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : fds) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  std::vector<epoll_event> events(1024);
  while (!stop) {
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < ready; ++i) {
      recv(events[static_cast<size_t>(i)].data.fd, nullptr, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);
    }
  }
  close(epoll);
}

enum class Way { kSendmsg, kSend, kUring, kUringFixed };
constexpr const char* kNames[] = {"sendmsg", "send", "io_uring", "io_uring, registered"};

struct Measurement {
  double ns = 0;  // of CPU, a send
  int failed = 0;
};

Measurement Run(Way way, const std::vector<int>& fds, const std::string& payload, int rounds,
                Ring& ring) {
  Measurement result;
  const double begun = ThreadCpuSeconds();
  const int size = static_cast<int>(payload.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < fds.size(); ++i) {
      if (way == Way::kSendmsg) {
        iovec piece{const_cast<char*>(payload.data()), payload.size()};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        result.failed += sendmsg(fds[i], &message, MSG_NOSIGNAL | MSG_DONTWAIT) < size;
      } else if (way == Way::kSend) {
        result.failed +=
            send(fds[i], payload.data(), payload.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < size;
      } else {
        io_uring_sqe& sqe = ring.Next();
        sqe.opcode = IORING_OP_SEND;
        sqe.fd = way == Way::kUringFixed ? static_cast<int>(i) : fds[i];
        sqe.flags = way == Way::kUringFixed ? IOSQE_FIXED_FILE : 0;
        sqe.addr = reinterpret_cast<uint64_t>(payload.data());
        sqe.len = static_cast<uint32_t>(payload.size());
        sqe.msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
        if ((i + 1) % ring.entries() == 0 || i + 1 == fds.size()) {
          result.failed += ring.SubmitAndReap(size);
        }
      }
    }
    usleep(1000);  // the receiver comes to its turn, as between two events
  }
  result.ns = (ThreadCpuSeconds() - begun) * 1e9 / (static_cast<double>(fds.size()) * rounds);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int index, int otherwise) {
    return argc > index ? std::max(1, std::atoi(argv[index])) : otherwise;
  };
  const int connections = std::min(argument(1, 1000), 9000);
  const int rounds = argument(2, 100);
  const std::string payload(static_cast<size_t>(argument(3, 160)), 'x');
  const int repeats = argument(4, 7);

  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const Pairs pairs = Connect(static_cast<size_t>(connections));
  std::atomic<bool> stop = false;
  std::thread receiver(Receive, std::cref(pairs.receivers), std::cref(stop));
  PinTo(0);
  Ring ring(256);
  const bool registered = ring.usable() && ring.RegisterFiles(pairs.senders);

  std::vector<double> costs[4];
  int failed = 0;
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    for (const Way way : {Way::kSendmsg, Way::kSend, Way::kUring, Way::kUringFixed}) {
      if (way == Way::kUring && !ring.usable()) continue;
      if (way == Way::kUringFixed && !registered) continue;
      const Measurement one = Run(way, pairs.senders, payload, rounds, ring);
      failed += one.failed;
      if (repeat > 0) costs[static_cast<size_t>(way)].push_back(one.ns);  // the first one warms up
    }
  }
  stop = true;
  receiver.join();

  std::printf("%d connections, %d rounds, %zu bytes, %d repeats; %d sends failed\n", connections,
              rounds, payload.size(), repeats, failed);
  double base = 0;
  for (size_t way = 0; way < 4; ++way) {
    std::vector<double>& cost = costs[way];
    if (cost.empty()) {
      std::printf("%-22s not available here\n", kNames[way]);
      continue;
    }
    std::sort(cost.begin(), cost.end());
    const double median = cost[cost.size() / 2];
    if (way == 0) base = median;
    std::printf("%-22s %7.0f ns (%.0f to %.0f), %.2f of sendmsg\n", kNames[way], median,
                cost.front(), cost.back(), median / base);
  }
  return failed == 0 ? 0 : 1;
}
