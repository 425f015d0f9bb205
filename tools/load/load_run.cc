#include "tools/load/load_run.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace spillway::load {
namespace {

int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

double SecondsSince(int64_t ns) { return static_cast<double>(NowNs() - ns) / 1e9; }

// A process that stands still for as long as this lives.
class Held {
 public:
  explicit Held(pid_t pid) : pid_(pid) {
    if (pid_ > 0) kill(pid_, SIGSTOP);
  }
  ~Held() { Release(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void Release() {
    if (pid_ > 0) kill(pid_, SIGCONT);
    pid_ = 0;
  }

 private:
  pid_t pid_;
};

double Micros(uint64_t ns) { return static_cast<double>(ns) / 1e3; }

}  // namespace

LoadRun::LoadRun(Options options) : options_(std::move(options)), swarm_(options_.swarm) {}

absl::StatusOr<JsonReport> LoadRun::Run() {
  if (const absl::Status status = swarm_.Init(); !status.ok()) return status;
  Connect();
  if (options_.publisher.records > 0) {
    if (const absl::Status status = Publish(); !status.ok()) return status;
  }
  const SwarmCounters& counters = swarm_.counters();
  report_.Add("refused", counters.refused);
  report_.Add("closed", counters.closed);
  report_.Add("errors", counters.errors);
  report_.Add("gaps", counters.gaps);
  report_.Add("duplicates_or_disorder", counters.duplicates);
  report_.AddText("first_problem", counters.first_problem);
  return report_;
}

void LoadRun::Connect() {
  std::vector<Memory> before;
  for (const auto& [name, pid] : options_.pids) before.push_back(ReadMemory(pid));
  const Times from = ReadTimes();
  const int64_t start = NowNs();
  while (!swarm_.settled() && SecondsSince(start) < options_.connect_timeout) swarm_.Poll(20);

  JsonReport connect;
  connect.Add("clients", static_cast<uint64_t>(options_.swarm.clients));
  connect.Add("upgraded", swarm_.counters().upgraded);
  connect.Add("subscribed", swarm_.counters().subscribed);
  connect.Add("seconds", SecondsSince(start));
  connect.Add("cpu", Cpu(from, ReadTimes()));
  report_.Add("connect", connect);

  const Times idle_from = ReadTimes();
  Wait(options_.idle);
  JsonReport idle;
  idle.Add("seconds", options_.idle);
  idle.Add("cpu", Cpu(idle_from, ReadTimes()));
  report_.Add("idle", idle);
  ReportMemory(before);
}

void LoadRun::ReportMemory(const std::vector<Memory>& before) {
  JsonReport memory;
  for (size_t i = 0; i < options_.pids.size(); ++i) {
    const Memory after = ReadMemory(options_.pids[i].second);
    JsonReport of;
    of.Add("rss_before", before[i].rss_bytes);
    of.Add("rss_after", after.rss_bytes);
    of.Add("pss_before", before[i].pss_bytes);
    of.Add("pss_after", after.pss_bytes);
    memory.Add(options_.pids[i].first, of);
  }
  report_.Add("memory", memory);
}

absl::Status LoadRun::Publish() {
  absl::StatusOr<std::unique_ptr<Publisher>> created = Publisher::Create(options_.publisher);
  if (!created.ok()) return created.status();
  Publisher& publisher = **created;
  const SwarmCounters& counters = swarm_.counters();
  const uint64_t events_before = counters.events;

  Held held(options_.hold);
  const int64_t publish_start = NowNs();
  int64_t published_ns = 0;
  publisher.Start();
  if (options_.hold > 0) {
    while (!publisher.done()) swarm_.Poll(5);
    published_ns = NowNs();
  } else {
    Wait(options_.warmup);
  }
  const int64_t window_start = NowNs();
  swarm_.measurement().count_due_from_ns = window_start;
  publisher.CountConfirmationsFrom(window_start);
  const Times from = ReadTimes();
  const uint64_t events_at_start = counters.events;
  const uint64_t records_at_start = publisher.sent();
  const uint64_t reads_at_start = counters.reads;
  held.Release();

  while (true) {
    swarm_.Poll(5);
    if (!publisher.done()) continue;
    if (published_ns == 0) published_ns = NowNs();
    const uint64_t expected = publisher.confirmed_for_channel() * counters.upgraded;
    if (counters.events - events_before >= expected) break;
    if (SecondsSince(std::max({published_ns, window_start, counters.last_event_ns})) >
        options_.silence)
      break;
  }
  const Times to = ReadTimes();
  const uint64_t expected = publisher.confirmed_for_channel() * counters.upgraded;
  const uint64_t delivered = counters.events - events_before - counters.duplicates;

  JsonReport publish;
  publish.Add("records", publisher.sent());
  publish.Add("confirmed", publisher.confirmed());
  publish.Add("failed", publisher.failed());
  publish.Add("seconds", static_cast<double>(published_ns - publish_start) / 1e9);
  publish.Add("max_late_us", Micros(static_cast<uint64_t>(publisher.max_late_ns())));
  report_.Add("publish", publish);

  JsonReport window;
  window.Add("seconds", static_cast<double>(counters.last_event_ns - window_start) / 1e9);
  window.Add("records", options_.hold > 0 ? publisher.sent() : publisher.sent() - records_at_start);
  window.Add("deliveries", counters.events - events_at_start);
  window.Add("reads", counters.reads - reads_at_start);
  window.Add("cpu", Cpu(from, to));
  report_.Add("window", window);

  report_.Add("latency_us", Latency(swarm_.measurement().latency));
  report_.Add("confirmation_us", Latency(publisher.confirmations()));
  report_.Add("expected", expected);
  report_.Add("delivered", delivered);
  report_.Add("lost", static_cast<int64_t>(expected) - static_cast<int64_t>(delivered));
  return absl::OkStatus();
}

void LoadRun::Wait(double seconds) {
  const int64_t start = NowNs();
  while (SecondsSince(start) < seconds) swarm_.Poll(5);
}

LoadRun::Times LoadRun::ReadTimes() const {
  Times times;
  for (const auto& [name, pid] : options_.pids) times.push_back(ReadCpuTimes(pid));
  times.push_back(ReadCpuTimes(getpid()));
  times.push_back(ReadMachineTimes());
  return times;
}

JsonReport LoadRun::Cpu(const Times& from, const Times& to) const {
  JsonReport cpu;
  for (size_t i = 0; i < from.size(); ++i) {
    const CpuTimes used = to[i] - from[i];
    JsonReport of;
    of.Add("seconds", used.total);
    of.Add("user", used.user);
    of.Add("system", used.system);
    const size_t named = options_.pids.size();
    cpu.Add(i < named ? options_.pids[i].first : i == named ? "load" : "machine", of);
  }
  return cpu;
}

JsonReport LoadRun::Latency(const LatencyHistogram& latency) {
  JsonReport report;
  report.Add("count", latency.count());
  report.Add("mean", latency.Mean() / 1e3);
  report.Add("p50", Micros(latency.Percentile(0.5)));
  report.Add("p90", Micros(latency.Percentile(0.9)));
  report.Add("p99", Micros(latency.Percentile(0.99)));
  report.Add("p999", Micros(latency.Percentile(0.999)));
  report.Add("max", Micros(latency.max()));
  return report;
}

}  // namespace spillway::load
