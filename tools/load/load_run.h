#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/dialect.h"
#include "tools/load/json_report.h"
#include "tools/load/process_stats.h"
#include "tools/load/publisher.h"
#include "tools/load/run_state.h"
#include "tools/load/swarm.h"

namespace spillway::load {

struct RunOptions {
  ClientOptions clients;
  Publisher::Options publisher;
  std::vector<std::pair<std::string, pid_t>> pids;  // whose CPU and memory is looked at, by name
  // Stopped (SIGSTOP) until everything is published, so that a backlog is measured and not the
  // publisher; 0: nothing is.
  pid_t hold = 0;
  double connect_timeout = 60;  // seconds
  double idle = 0;      // seconds between the last subscription and the memory's second reading
  double warmup = 0;    // seconds of publishing before the window in which CPU and latency count
  double seconds = 10;  // of that window
  double silence = 2;   // after publishing: seconds without an event that end the wait
  bool progress = false;
  // Publishing ends with the first byte on standard input, and the run with the input's end.
  bool attended = false;
};

// One measurement: clients connect and subscribe, wait, events are published and received.
// Everything that is measured is about one of these phases. Used by main, on its thread.
class LoadRun {
 public:
  LoadRun(const RunOptions& options, const Dialect& dialect, RunState& run);

  // The result; an error if it could not be measured at all.
  absl::StatusOr<JsonReport> Run();
  // Whether everybody connected and every event came once and in order; of a run that was measured.
  bool flawless() const { return flawless_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Usage {
    std::vector<CpuTimes> pids;  // by options_.pids
    std::vector<std::map<std::string, CpuTimes>> threads;
    CpuTimes own;
    CpuTimes machine;
    std::vector<CpuTimes> workers;
    int64_t at_ns = 0;
  };
  struct Counts {
    uint64_t events = 0, bytes = 0, reads = 0, published = 0, opaque = 0;
  };

  absl::Status Connect();
  void ReportMemory(const std::vector<Memory>& before, const KernelMemory& kernel_before);
  absl::Status Measure();
  absl::Status DrainAndCheck(Publisher& publisher);
  uint64_t Expected() const;  // events, if every client that there should be is there
  void ReportPublishing(const Publisher& publisher);
  void ReportWindow(const Usage& from, const Usage& to, const Counts& before, const Counts& after);
  void ReportLatency();
  void ReportChecks();
  void Warn(const Usage& from, const Usage& to);

  // Waits until `ready` says so, shows progress; an error if a process of clients died.
  absl::Status WaitUntil(const std::function<bool()>& ready);
  absl::Status Wait(double seconds);
  void ShowProgress();
  // What came on standard input so far: 0: nothing, 1: enough was published, 2: it has ended.
  int Asked();
  Usage ReadUsage() const;
  Counts ReadCounts(const Publisher* publisher) const;
  JsonReport Cpu(const Usage& from, const Usage& to) const;

  const RunOptions& options_;
  RunState& run_;
  const Dialect& dialect_;
  Swarm swarm_;
  JsonReport report_;
  std::vector<std::string> warnings_;
  bool flawless_ = false;
  int asked_ = 0;
  double latest_p99_late_ms_ = 0;  // of the publisher

  int64_t shown_ns_ = 0;
  uint64_t shown_events_ = 0;
  uint64_t shown_latency_ns_ = 0;
  int64_t started_ns_ = 0;
};

}  // namespace spillway::load
