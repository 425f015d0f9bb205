#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/load/json_report.h"
#include "tools/load/process_stats.h"
#include "tools/load/publisher.h"
#include "tools/load/swarm.h"

namespace spillway::load {

// One measurement: clients connect and subscribe, wait, records are published and received.
// Everything that is measured is about one of these phases. Used by main, on its thread.
class LoadRun {
 public:
  struct Options {
    Swarm::Options swarm;
    Publisher::Options publisher;                     // records = 0: nothing is published
    std::vector<std::pair<std::string, pid_t>> pids;  // whose CPU and memory is looked at, by name
    // Stopped (SIGSTOP) until all records are with Kafka, so that a backlog is measured and not the
    // publisher; 0: nothing is.
    pid_t hold = 0;
    double connect_timeout = 60;  // seconds
    double idle = 0;     // seconds between the last subscription and the memory's second reading
    double warmup = 0;   // seconds of publishing before the window in which CPU and latency count
    double silence = 2;  // after the last record: seconds without an event that end the wait
  };

  explicit LoadRun(Options options);

  // The result; an error if it could not be measured at all.
  absl::StatusOr<JsonReport> Run();

 private:
  using Times = std::vector<CpuTimes>;  // by options_.pids, then this process and the machine

  void Connect();
  void ReportMemory(const std::vector<Memory>& before);
  absl::Status Publish();
  void Wait(double seconds);
  Times ReadTimes() const;
  JsonReport Cpu(const Times& from, const Times& to) const;
  static JsonReport Latency(const LatencyHistogram& latency);

  const Options options_;
  Swarm swarm_;
  JsonReport report_;
};

}  // namespace spillway::load
