#include "common/audit/audit_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/iso_time.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"
#include "common/log/log.h"

namespace spillway::audit {
namespace {

// Of one write.
constexpr size_t kLinesAWrite = 500;
constexpr size_t kBytesAWrite = 256 * 1024;
// Between lines that say how many were left out.
constexpr std::chrono::seconds kTellInterval{1};
// What an output that works has at least, to take what waits when the log stops.
constexpr std::chrono::milliseconds kLeastGrace{250};

WallTime TimeOf(const Record& record, const Clock& clock) {
  if (record.time_ms == 0) return clock.WallNow();
  return WallTime(std::chrono::milliseconds(record.time_ms));
}

}  // namespace

AuditLog::AuditLog(Options options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      constant_(absl::StrCat(",\"service\":", JsonString(options_.service),
                             ",\"node\":", JsonString(options_.node_id))) {}

AuditLog::~AuditLog() { Stop(std::chrono::milliseconds(0)); }

void AuditLog::AddOutput(std::string name, std::unique_ptr<Output> output) {
  lanes_.push_back(std::unique_ptr<Lane>(new Lane{.name = std::move(name),
                                                  .output = std::move(output),
                                                  .buffer = LineBuffer(options_.buffer),
                                                  .wake = {},
                                                  .thread = {},
                                                  .problem = {}}));
}

void AuditLog::Start() {
  started_ = true;
  WriteOwn("log_started");
  for (const auto& lane : lanes_) {
    lane->thread = std::thread([this, raw = lane.get()] { Run(*raw); });
  }
}

void AuditLog::WriteOwn(std::string_view action) {
  Write({.category = Category::kAudit,
         .action = action,
         .actor = {},
         .source = {},
         .correlation_id = {},
         .target = {},
         .outcome = "ok"});
}

std::string AuditLog::LineOf(std::string_view time, const std::string& members) {
  return absl::StrCat("{\"type\":\"audit\",\"time\":\"", Abs(time), "\",\"seq\":", ++sequence_,
                      constant_, members, "}");
}

bool AuditLog::TakeClientLine(MonoTime now) {
  if (options_.client_lines == 0) return true;
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    in_second_ = 0;
  }
  return in_second_++ < options_.client_lines;
}

void AuditLog::TellLeftOut(Lane& lane) {
  constexpr size_t kRoom = 1'024;  // such a line is shorter
  if (lane.buffer.left_out() == 0 || !lane.buffer.HasRoom(kRoom, LineBuffer::By::kClient)) return;
  const MonoTime now = clock_.Now();
  if (now < lane.tell_at && !stopping_) return;
  lane.tell_at = now + kTellInterval;
  std::string members;
  AppendMembers(&members, {.category = Category::kAudit,
                           .action = "lines_left_out",
                           .actor = {},
                           .source = {},
                           .correlation_id = {},
                           .target = lane.name,
                           .outcome = "lost",
                           .count = lane.buffer.TakeLeftOut()});
  lane.buffer.Put(LineOf(IsoTime(clock_.WallNow()), members));
}

void AuditLog::Put(Lane& lane, const std::string& line, LineBuffer::By by) {
  if (!lane.buffer.HasRoom(line.size(), by)) return LeaveOut(lane);
  lane.buffer.Put(line);
  if (lane.buffer.size() == 1) lane.wake.NotifyOne();
}

void AuditLog::LeaveOut(Lane& lane) {
  lane.buffer.CountLeftOut();
  ++lane.left_out;
  // Whether or not another line comes, it will be said.
  if (lane.buffer.left_out() == 1) lane.wake.NotifyOne();
}

void AuditLog::Write(const Record& record) {
  if (!wants(record.category)) return;
  std::string members;
  members.reserve(512);
  AppendMembers(&members, record);
  const std::string time = IsoTime(TimeOf(record, clock_));
  const bool client =
      record.category == Category::kSecurity || record.category == Category::kConnection;
  MutexLock lock(mutex_);
  if (stopping_) return;
  if (client && !TakeClientLine(clock_.Now())) {
    for (const auto& lane : lanes_) LeaveOut(*lane);
    return;
  }
  for (const auto& lane : lanes_) TellLeftOut(*lane);
  const std::string line = LineOf(time, members);
  const auto by = client ? LineBuffer::By::kClient : LineBuffer::By::kOperator;
  for (const auto& lane : lanes_) Put(*lane, line, by);
}

bool AuditLog::WriteOut(Lane& lane, const std::vector<std::string>& lines) {
  for (;;) {
    const absl::Status status = lane.output->Write(lines);
    bool was_well = false;
    {
      MutexLock lock(mutex_);
      was_well = lane.problem.empty();
      lane.problem = std::string(status.message());
      if (status.ok()) lane.written += lines.size();
    }
    // Not under the lock: stderr may block, and whoever records would wait for it.
    if (status.ok() && !was_well) {
      log::Info("the audit log is written again", {{"output", lane.name}});
    }
    if (status.ok()) return true;
    if (was_well) {
      log::Error("the audit log cannot be written; it is tried again",
                 {{"output", lane.name}, {"error", std::string(status.message())}});
    }
    MutexLock lock(mutex_);
    if (!cancelled_ && !stopping_) lane.wake.WaitFor(mutex_, options_.retry);
    // While it stops, it is tried until the time is up.
    if (!cancelled_ && stopping_) {
      lane.wake.WaitFor(mutex_, std::min<std::chrono::milliseconds>(
                                    options_.retry, std::chrono::milliseconds(100)));
    }
    if (cancelled_) {
      lane.left_out += lines.size();
      return false;
    }
  }
}

void AuditLog::Run(Lane& lane) {
  for (;;) {
    std::vector<std::string> lines;
    {
      MutexLock lock(mutex_);
      lane.taken = 0;
      TellLeftOut(lane);
      while (lane.buffer.empty() && !stopping_) {
        if (lane.buffer.left_out() == 0) {
          lane.wake.Wait(mutex_);
        } else {
          lane.wake.WaitFor(mutex_, kTellInterval);
        }
        TellLeftOut(lane);
      }
      // When the time is up, an output that works gets the rest, as far as it takes it at once.
      if (lane.buffer.empty() || (cancelled_ && !lane.problem.empty())) break;
      lines = lane.buffer.Take(kLinesAWrite, kBytesAWrite);
      lane.taken = lines.size();
    }
    if (!WriteOut(lane, lines)) break;
  }
  MutexLock lock(mutex_);
  lane.taken = 0;
  lane.left_out += lane.buffer.size();
  lane.done = true;
  lane_done_.NotifyAll();
}

void AuditLog::Stop(std::chrono::milliseconds grace) {
  if (!std::exchange(started_, false)) return;
  WriteOwn("log_stopped");
  const auto deadline = std::chrono::steady_clock::now() + std::max(grace, kLeastGrace);
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& lane : lanes_) {
      TellLeftOut(*lane);
      lane->wake.NotifyAll();
    }
    const auto all_done = [this] {
      return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->done; });
    };
    while (!all_done() && lane_done_.WaitUntil(mutex_, deadline)) {
    }
    cancelled_ = true;
    for (const auto& lane : lanes_) lane->wake.NotifyAll();
  }
  for (const auto& lane : lanes_) lane->output->Cancel();
  for (const auto& lane : lanes_) lane->thread.join();
}

std::vector<AuditLog::Status> AuditLog::status() const {
  std::vector<Status> all;
  MutexLock lock(mutex_);
  for (const auto& lane : lanes_) {
    all.push_back({.output = lane->name,
                   .written = lane->written,
                   .left_out = lane->left_out,
                   .waiting = lane->buffer.size() + lane->taken,
                   .problem = lane->problem});
  }
  return all;
}

}  // namespace spillway::audit
