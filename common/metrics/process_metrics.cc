#include <dirent.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "common/base/clock.h"
#include "common/metrics/metrics.h"

namespace spillway::metrics {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

size_t CountFds() {
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  size_t count = 0;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(dir);
  return count > 0 ? count - 1 : 0;  // not the one that reads the directory
}

size_t CountThreads() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    size_t count = 0;
    if (word == "Threads:" && status >> count) return count;
  }
  return 0;
}

void Collect(double start_seconds, Sink& sink) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  sink.Counter("process_cpu_seconds_total", "CPU time used, user and system.", {},
               Seconds(usage.ru_utime) + Seconds(usage.ru_stime));

  // proc(5): /proc/self/statm is in pages: size, resident, ...
  std::ifstream statm("/proc/self/statm");
  double virtual_pages = 0;
  double resident_pages = 0;
  if (statm >> virtual_pages >> resident_pages) {
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    sink.Gauge("process_virtual_memory_bytes", "Virtual memory size.", {}, virtual_pages * page);
    sink.Gauge("process_resident_memory_bytes", "Resident memory size.", {}, resident_pages * page);
  }
  sink.Gauge("process_open_fds", "Open file descriptors.", {}, static_cast<double>(CountFds()));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    sink.Gauge("process_max_fds", "Limit of open file descriptors.", {},
               static_cast<double>(limit.rlim_cur));
  }
  sink.Gauge("process_threads", "Threads of the process.", {}, static_cast<double>(CountThreads()));
  sink.Gauge("process_start_time_seconds", "Start of the process, seconds since the epoch.", {},
             start_seconds);
}

}  // namespace

Handle AddProcessMetrics(Registry& registry) {
  const double start = static_cast<double>(ToUnixMillis(Clock::Real().WallNow())) / 1000.0;
  return registry.AddCollector([start](Sink& sink) { Collect(start, sink); });
}

}  // namespace spillway::metrics
