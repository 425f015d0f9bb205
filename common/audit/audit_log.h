#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/audit/audit_line.h"
#include "common/audit/line_buffer.h"
#include "common/audit/output.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace spillway::audit {

// The audit log: one JSON object a line for each record, to every output (docs/audit.md). Each
// output has a thread, and lines that wait for it, of its own: none waits for another, and whoever
// records waits for none. An output that fails is tried again until it takes its lines; what has no
// room meanwhile is left out, and a line says how many were as soon as there is room.
//
// Record() is for any thread; all else for the owner, the composition root.
class AuditLog {
 public:
  struct Options {
    std::string service;
    std::string node_id;
    std::array<bool, kCategories> categories{true, true, true, true};
    // Lines that clients may cause in a second; further ones are left out. 0: any number.
    uint32_t client_lines = 0;
    LineBuffer::Options buffer = {};
    std::chrono::milliseconds retry{1'000};
  };
  struct Status {
    std::string output;
    uint64_t written = 0;
    uint64_t left_out = 0;  // for lack of room, for their number, or at the end
    size_t waiting = 0;
    std::string problem;  // why nothing is being written; empty: nothing is wrong
  };

  // `clock` outlives it.
  AuditLog(Options options, const Clock& clock);
  ~AuditLog();  // Stop(0)
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Before Start().
  void AddOutput(std::string name, std::unique_ptr<Output> output);
  void Start();
  // Whether a record of the category comes into the log: else it need not be made.
  bool wants(Category category) const {
    return !lanes_.empty() && options_.categories[static_cast<size_t>(category)];
  }
  void Write(const Record& record);
  // Writes what waits, for so long, at least 250 ms. What is recorded later is lost. Idempotent.
  void Stop(std::chrono::milliseconds grace);

  std::vector<Status> status() const;

 private:
  // An output with all that belongs to it.
  struct Lane {
    std::string name;
    std::unique_ptr<Output> output;
    LineBuffer buffer;
    CondVar wake;
    std::thread thread;
    uint64_t written = 0;
    uint64_t left_out = 0;
    MonoTime tell_at{};  // how many were left out, not before
    size_t taken = 0;    // being written
    std::string problem;
    bool done = false;
  };

  std::string LineOf(std::string_view time, const std::string& members) SPILLWAY_REQUIRES(mutex_);
  void Put(Lane& lane, const std::string& line, LineBuffer::By by) SPILLWAY_REQUIRES(mutex_);
  void LeaveOut(Lane& lane) SPILLWAY_REQUIRES(mutex_);
  // Says how many lines were left out, if any were and there is room to say it; not all the time.
  void TellLeftOut(Lane& lane) SPILLWAY_REQUIRES(mutex_);
  bool TakeClientLine(MonoTime now) SPILLWAY_REQUIRES(mutex_);
  void Run(Lane& lane);
  // Whether they were written.
  bool WriteOut(Lane& lane, const std::vector<std::string>& lines);
  void WriteOwn(std::string_view action);

  const Options options_;
  const Clock& clock_;
  const std::string constant_;  // the members that are the same in all lines
  mutable Mutex mutex_;
  CondVar lane_done_;
  // Only added to before Start(); what is in them, but for outputs and threads, under the lock.
  std::vector<std::unique_ptr<Lane>> lanes_;
  uint64_t sequence_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  MonoTime second_ SPILLWAY_GUARDED_BY(mutex_){};
  uint32_t in_second_ SPILLWAY_GUARDED_BY(mutex_) = 0;
  bool stopping_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool cancelled_ SPILLWAY_GUARDED_BY(mutex_) = false;
  bool started_ = false;
};

}  // namespace spillway::audit
