#pragma once

#include <sys/types.h>

#include <cstdint>

namespace spillway::load {

// What the kernel accounts to a process (proc(5)). Blocking reads of /proc, any thread.
struct CpuTimes {
  double total = 0;   // seconds; the sum over its threads in /proc/PID/task/*/schedstat
  double user = 0;    // seconds, in steps of a clock tick (usually 10 ms), with threads that ended
  double system = 0;  // the same

  CpuTimes operator-(const CpuTimes& earlier) const {
    return {total - earlier.total, user - earlier.user, system - earlier.system};
  }
};

struct Memory {
  int64_t rss_bytes = 0;
  int64_t pss_bytes = 0;  // a page that n processes share counts 1/n
};

// Zeroes if there is no such process.
CpuTimes ReadCpuTimes(pid_t pid);
Memory ReadMemory(pid_t pid);
// What all processes together used, in steps of a clock tick.
CpuTimes ReadMachineTimes();

}  // namespace spillway::load
