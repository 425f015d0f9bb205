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

void Collect(const ProcessFamilies& families, double start_seconds, Sink& sink) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  sink.Add(families.cpu_seconds, {}, Seconds(usage.ru_utime) + Seconds(usage.ru_stime));

  // proc(5): /proc/self/statm is in pages: size, resident, ...
  std::ifstream statm("/proc/self/statm");
  double virtual_pages = 0;
  double resident_pages = 0;
  if (statm >> virtual_pages >> resident_pages) {
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    sink.Add(families.virtual_memory, {}, virtual_pages * page);
    sink.Add(families.resident_memory, {}, resident_pages * page);
  }
  sink.Add(families.open_fds, {}, static_cast<double>(CountFds()));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    sink.Add(families.max_fds, {}, static_cast<double>(limit.rlim_cur));
  }
  sink.Add(families.threads, {}, static_cast<double>(CountThreads()));
  sink.Add(families.start_time, {}, start_seconds);
}

}  // namespace

ProcessFamilies::ProcessFamilies(Families& all)
    : cpu_seconds(all.Counter("process_cpu_seconds_total", "CPU time used, user and system.")),
      resident_memory(all.Gauge("process_resident_memory_bytes", "Resident memory size.")),
      virtual_memory(all.Gauge("process_virtual_memory_bytes", "Virtual memory size.")),
      open_fds(all.Gauge("process_open_fds", "Open file descriptors.")),
      max_fds(all.Gauge("process_max_fds", "Limit of open file descriptors.")),
      threads(all.Gauge("process_threads", "Threads of the process.")),
      start_time(all.Gauge("process_start_time_seconds",
                           "Start of the process, seconds since the epoch.")) {}

Handle AddProcessMetrics(Registry& registry, const ProcessFamilies& families) {
  const double start = static_cast<double>(ToUnixMillis(Clock::Real().WallNow())) / 1000.0;
  return registry.AddCollector([&families, start](Sink& sink) { Collect(families, start, sink); });
}

}  // namespace spillway::metrics
