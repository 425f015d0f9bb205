#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace spillway::load {

// What the kernel accounts to a process (proc(5)). Blocking reads of /proc, any thread.
struct CpuTimes {
  double total = 0;   // seconds on a core; the sum over its threads in /proc/PID/task/*/schedstat
  double waited = 0;  // seconds that threads were ready to run and had no core; from the same place
  double user = 0;    // seconds, in steps of a clock tick (usually 10 ms), with threads that ended
  double system = 0;  // the same

  CpuTimes operator-(const CpuTimes& earlier) const {
    return {total - earlier.total, waited - earlier.waited, user - earlier.user,
            system - earlier.system};
  }
  CpuTimes& operator+=(const CpuTimes& other) {
    total += other.total;
    waited += other.waited;
    user += other.user;
    system += other.system;
    return *this;
  }
};

struct Memory {
  int64_t rss_bytes = 0;
  int64_t peak_rss_bytes = 0;  // since the process began
  int64_t pss_bytes = 0;       // a page that n processes share counts 1/n
};

// Of the whole machine.
struct KernelMemory {
  int64_t slab_bytes = 0;  // objects of the kernel: sockets, descriptors, epoll's among them
  int64_t tcp_bytes = 0;   // buffers of all TCP sockets
};

// Zeroes if there is no such process.
CpuTimes ReadCpuTimes(pid_t pid);
Memory ReadMemory(pid_t pid);
// By thread name, which several threads may share.
std::map<std::string, CpuTimes> ReadThreadTimes(pid_t pid);
// Of one thread; user and system stay 0.
CpuTimes ReadThreadTime(pid_t pid, pid_t thread);
// What all processes together used, in steps of a clock tick.
CpuTimes ReadMachineTimes();
KernelMemory ReadKernelMemory();

}  // namespace spillway::load
