#include "tools/load/process_stats.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace spillway::load {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

double NumberIn(const std::vector<std::string>& fields, size_t index) {
  double number = 0;
  if (index < fields.size() && !absl::SimpleAtod(fields[index], &number)) number = 0;
  return number;
}

// Of the thread whose folder this is: nanoseconds on a core and waiting for one.
CpuTimes ReadSchedstat(const std::string& task) {
  const std::vector<std::string> fields = absl::StrSplit(ReadFile(task + "/schedstat"), ' ');
  CpuTimes times;
  times.total = NumberIn(fields, 0) / 1e9;
  times.waited = NumberIn(fields, 1) / 1e9;
  return times;
}

}  // namespace

CpuTimes ReadThreadTime(pid_t pid, pid_t thread) {
  return ReadSchedstat(absl::StrCat("/proc/", pid, "/task/", thread));
}

std::map<std::string, CpuTimes> ReadThreadTimes(pid_t pid) {
  std::map<std::string, CpuTimes> threads;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"), error)) {
    std::string name = ReadFile(task.path().string() + "/comm");
    if (!name.empty() && name.back() == '\n') name.pop_back();
    threads[name] += ReadSchedstat(task.path().string());
  }
  return threads;
}

CpuTimes ReadCpuTimes(pid_t pid) {
  CpuTimes times;
  for (const auto& [name, of_thread] : ReadThreadTimes(pid)) times += of_thread;
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  // The name, field 2, is in parentheses and may hold anything; what follows begins with field 3.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return times;
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  times.user = NumberIn(fields, 14 - 3) / tick;
  times.system = NumberIn(fields, 15 - 3) / tick;
  return times;
}

CpuTimes ReadMachineTimes() {
  // cpu user nice system idle iowait irq softirq steal ...
  const std::string stat = ReadFile("/proc/stat");
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(0, stat.find('\n')), ' ', absl::SkipEmpty());
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  CpuTimes times;
  times.user = (NumberIn(fields, 1) + NumberIn(fields, 2)) / tick;
  times.system = (NumberIn(fields, 3) + NumberIn(fields, 6) + NumberIn(fields, 7)) / tick;
  times.total = times.user + times.system;
  return times;
}

KernelMemory ReadKernelMemory() {
  KernelMemory memory;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(ReadFile("/proc/meminfo"), '\n'))) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.empty() || fields[0] != "Slab:") continue;
    memory.slab_bytes = static_cast<int64_t>(NumberIn(fields, 1)) * 1024;
  }
  // TCP: inuse N orphan N tw N alloc N mem PAGES
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(ReadFile("/proc/net/sockstat"), '\n'))) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.empty() || fields[0] != "TCP:") continue;
    memory.tcp_bytes = static_cast<int64_t>(NumberIn(fields, 10)) * sysconf(_SC_PAGESIZE);
  }
  return memory;
}

Memory ReadMemory(pid_t pid) {
  Memory memory;
  const std::string rollup = ReadFile(absl::StrCat("/proc/", pid, "/smaps_rollup"));
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(rollup, '\n'))) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.empty()) continue;
    if (fields[0] == "Rss:") memory.rss_bytes = static_cast<int64_t>(NumberIn(fields, 1)) * 1024;
    if (fields[0] == "Pss:") memory.pss_bytes = static_cast<int64_t>(NumberIn(fields, 1)) * 1024;
  }
  const std::string status = ReadFile(absl::StrCat("/proc/", pid, "/status"));
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(status, '\n'))) {
    const std::vector<std::string> fields =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (fields.empty() || fields[0] != "VmHWM:") continue;
    memory.peak_rss_bytes = static_cast<int64_t>(NumberIn(fields, 1)) * 1024;
  }
  return memory;
}

}  // namespace spillway::load
