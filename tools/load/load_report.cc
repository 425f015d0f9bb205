// What a run has to say, as JSON: the reporting half of LoadRun.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "tools/load/load_clock.h"
#include "tools/load/load_run.h"

namespace spillway::load {
namespace {

constexpr double kBusy = 0.85;        // of a core: a thread above it may be what limits the run
constexpr double kLateP99Ms = 5;      // a publisher later than this disturbs latencies
constexpr double kWaitedShare = 0.1;  // of the window, for a core

double Micros(uint64_t ns) { return static_cast<double>(ns) / 1e3; }

JsonReport Percentiles(const LatencyHistogram& latency) {
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

JsonReport Times(const CpuTimes& used, double seconds) {
  JsonReport report;
  report.Add("seconds", used.total);
  report.Add("user", used.user);
  report.Add("system", used.system);
  report.Add("waited", used.waited);
  report.Add("percent", seconds > 0 ? used.total / seconds * 100 : 0);
  return report;
}

}  // namespace

LoadRun::Usage LoadRun::ReadUsage() const {
  Usage usage;
  for (const auto& [name, pid] : options_.pids) {
    usage.pids.push_back(ReadCpuTimes(pid));
    usage.threads.push_back(ReadThreadTimes(pid));
  }
  for (const pid_t pid : swarm_.processes()) usage.own += ReadCpuTimes(pid);
  for (size_t i = 0; i < run_.workers(); ++i) {
    const WorkerState& worker = run_.worker(i);
    usage.workers.push_back(ReadThreadTime(worker.process.load(), worker.thread.load()));
  }
  usage.machine = ReadMachineTimes();
  usage.at_ns = NowNs();
  return usage;
}

LoadRun::Counts LoadRun::ReadCounts(const Publisher* publisher) const {
  return {run_.Sum(&WorkerState::events), run_.Sum(&WorkerState::bytes),
          run_.Sum(&WorkerState::reads), publisher->published(), run_.Sum(&WorkerState::opaque)};
}

JsonReport LoadRun::Cpu(const Usage& from, const Usage& to) const {
  const double seconds = static_cast<double>(to.at_ns - from.at_ns) / 1e9;
  JsonReport cpu;
  CpuTimes known = to.own - from.own;
  for (size_t i = 0; i < options_.pids.size(); ++i) {
    const CpuTimes used = to.pids[i] - from.pids[i];
    known += used;
    JsonReport of = Times(used, seconds);
    JsonReport threads;
    for (const auto& [name, times] : to.threads[i]) {
      const auto earlier = from.threads[i].find(name);
      const CpuTimes of_thread = earlier == from.threads[i].end() ? times : times - earlier->second;
      if (of_thread.total >= 0.005 * seconds) threads.Add(name, of_thread.total);
    }
    of.Add("threads", threads);
    cpu.Add(options_.pids[i].first, of);
  }
  cpu.Add("load", Times(to.own - from.own, seconds));
  const CpuTimes machine = to.machine - from.machine;
  cpu.Add("machine", Times(machine, seconds));
  CpuTimes foreign;
  foreign.total = std::max(0.0, machine.total - known.total);
  cpu.Add("foreign", Times(foreign, seconds));
  return cpu;
}

void LoadRun::ReportPublishing(const Publisher& publisher) {
  JsonReport publish;
  publish.Add("published", publisher.published());
  publish.Add("confirmed", publisher.confirmed());
  publish.Add("failed", publisher.failed());
  JsonReport streams;
  for (size_t i = 0; i < options_.clients.streams.size(); ++i) {
    const Publisher::Stream& stream = publisher.stream(i);
    if (options_.clients.streams[i].via == Via::kNone) continue;
    JsonReport of;
    of.Add("published", stream.published.load());
    of.Add("max_late_us", Micros(static_cast<uint64_t>(stream.max_late_ns.load())));
    of.Add("late_us", Percentiles(stream.late));
    streams.Add(options_.clients.streams[i].name, of);
    latest_p99_late_ms_ =
        std::max(latest_p99_late_ms_, static_cast<double>(stream.late.Percentile(0.99)) / 1e6);
  }
  publish.Add("streams", streams);
  // Kafka's, the publish API's and the edge's answers, from the same due times as latency.
  for (const auto& [via, name] : {std::pair<Via, const char*>{Via::kKafka, "kafka_confirmation_us"},
                                  {Via::kEphemeral, "publish_confirmation_us"},
                                  {Via::kSocket, "client_confirmation_us"}}) {
    if (const Sink* sink = publisher.sink(via))
      publish.Add(name, Percentiles(sink->confirmations()));
  }
  report_.Add("publish", publish);
}

void LoadRun::ReportWindow(const Usage& from, const Usage& to, const Counts& before,
                           const Counts& after) {
  const double seconds = static_cast<double>(to.at_ns - from.at_ns) / 1e9;
  const auto deliveries = static_cast<double>(after.events - before.events);
  const auto reads = static_cast<double>(after.reads - before.reads);
  JsonReport window;
  window.Add("seconds", seconds);
  window.Add("published", after.published - before.published);
  window.Add("deliveries", after.events - before.events);
  window.Add("deliveries_per_second", deliveries / seconds);
  window.Add("not_inflated", after.opaque - before.opaque);
  window.Add("bytes", after.bytes - before.bytes);
  window.Add("reads", after.reads - before.reads);
  window.Add("deliveries_per_read", reads > 0 ? deliveries / reads : 0);
  window.Add("cpu", Cpu(from, to));
  JsonReport memory;
  for (const auto& [name, pid] : options_.pids) {
    const Memory of_process = ReadMemory(pid);
    JsonReport of;
    of.Add("rss_after", of_process.rss_bytes);
    of.Add("pss_after", of_process.pss_bytes);
    of.Add("rss_peak", of_process.peak_rss_bytes);
    memory.Add(name, of);
  }
  window.Add("memory", memory);
  if (deliveries > 0) {
    JsonReport cost;  // microseconds of CPU for each delivery
    for (size_t i = 0; i < options_.pids.size(); ++i) {
      const CpuTimes used = to.pids[i] - from.pids[i];
      JsonReport of;
      of.Add("total", used.total / deliveries * 1e6);
      // Ticks say how the time divides, the scheduler how much it was.
      const double ticks = used.user + used.system;
      of.Add("user", ticks > 0 ? used.total * used.user / ticks / deliveries * 1e6 : 0);
      of.Add("system", ticks > 0 ? used.total * used.system / ticks / deliveries * 1e6 : 0);
      cost.Add(options_.pids[i].first, of);
    }
    JsonReport own;
    own.Add("total", (to.own - from.own).total / deliveries * 1e6);
    double workers = 0;
    for (size_t i = 0; i < to.workers.size(); ++i) {
      workers += (to.workers[i] - from.workers[i]).total;
    }
    own.Add("clients", workers / deliveries * 1e6);
    cost.Add("load", own);
    window.Add("cpu_us_per_delivery", cost);
  }
  report_.Add("window", window);
}

void LoadRun::ReportLatency() {
  JsonReport latency;
  LatencyHistogram all;
  for (size_t s = 0; s < options_.clients.streams.size(); ++s) {
    LatencyHistogram of_stream;
    for (size_t i = 0; i < run_.workers(); ++i) of_stream.Add(run_.worker(i).latency[s]);
    all.Add(of_stream);
    if (options_.clients.streams.size() > 1) {
      latency.Add(options_.clients.streams[s].name, Percentiles(of_stream));
    }
  }
  latency.Add("all", Percentiles(all));
  if (options_.clients.slow_share > 0) {
    LatencyHistogram slow;
    for (size_t i = 0; i < run_.workers(); ++i) slow.Add(run_.worker(i).slow_latency);
    latency.Add("slow_clients", Percentiles(slow));
  }
  report_.Add("latency_us", latency);
  LatencyHistogram connect;
  for (size_t i = 0; i < run_.workers(); ++i) connect.Add(run_.worker(i).connect);
  report_.Add("connect_us", Percentiles(connect));
  if (!options_.clients.resume) return;
  LatencyHistogram recovery;
  int64_t first = INT64_MAX;
  int64_t last = 0;
  for (size_t i = 0; i < run_.workers(); ++i) {
    recovery.Add(run_.worker(i).recovery);
    first = std::min(first, run_.worker(i).first_resume_ns);
    last = std::max(last, run_.worker(i).last_recovery_ns);
  }
  JsonReport resumed = Percentiles(recovery);
  resumed.Add("resumed", run_.Sum(&WorkerState::resumed));
  resumed.Add("recovered", run_.Sum(&WorkerState::recovered));
  resumed.Add("seconds", last > first ? static_cast<double>(last - first) / 1e9 : 0.0);
  report_.Add("recovery_us", resumed);
}

void LoadRun::ReportChecks() {
  SequenceCounts sequence;
  uint64_t expected = 0;
  uint64_t tail_lost = 0;
  uint64_t tail_told = 0;
  std::map<uint16_t, uint64_t> codes;
  std::string problem;
  for (size_t i = 0; i < run_.workers(); ++i) {
    const WorkerState& worker = run_.worker(i);
    sequence.in_order += worker.sequence.in_order;
    sequence.skipped += worker.sequence.skipped;
    sequence.told += worker.sequence.told;
    sequence.duplicates += worker.sequence.duplicates;
    sequence.out_of_order += worker.sequence.out_of_order;
    expected += worker.expected;
    tail_lost += worker.tail_lost;
    tail_told += worker.tail_told;
    for (const auto& [code, count] : worker.close_codes) {
      if (count > 0) codes[code] += count;
    }
    if (problem.empty()) problem = worker.first_problem.data();
  }
  const uint64_t lost = sequence.skipped + tail_lost;
  const uint64_t closed = run_.Sum(&WorkerState::closed);
  const uint64_t strange = run_.Sum(&WorkerState::strange);
  const uint64_t errors = run_.Sum(&WorkerState::errors);
  const uint64_t ready = run_.Sum(&WorkerState::ready);
  JsonReport checks;
  checks.Add("expected", expected);
  checks.Add("delivered", sequence.in_order + sequence.out_of_order);
  checks.Add("lost", lost);
  checks.Add("lost_at_the_end", tail_lost);
  checks.Add("duplicates", sequence.duplicates);
  checks.Add("out_of_order", sequence.out_of_order);
  checks.Add("unexpected", strange);
  checks.Add("told_lost", sequence.told + tail_told);
  checks.Add("told_gaps", run_.Sum(&WorkerState::told_gaps));
  checks.Add("errors", errors);
  checks.Add("ready", ready);
  checks.Add("refused", run_.Sum(&WorkerState::refused));
  checks.Add("connections_lost", closed);
  checks.Add("reconnected_on_purpose", run_.Sum(&WorkerState::churned));
  checks.Add("resumed", run_.Sum(&WorkerState::resumed));
  JsonReport close_codes;
  for (const auto& [code, count] : codes) close_codes.Add(absl::StrCat(code), count);
  checks.Add("close_codes", close_codes);
  checks.AddText("first_problem", problem);
  report_.Add("checks", checks);
  // Who goes on where he was may lose his connection; nothing else.
  const uint64_t broken = options_.clients.resume ? 0 : closed;
  flawless_ = lost + sequence.duplicates + sequence.out_of_order + strange + errors + broken == 0 &&
              ready == options_.clients.clients;
  std::string all;
  for (const std::string& warning : warnings_)
    absl::StrAppend(&all, all.empty() ? "" : "; ", warning);
  report_.AddText("warnings", all);
}

void LoadRun::Warn(const Usage& from, const Usage& to) {
  const double seconds = static_cast<double>(to.at_ns - from.at_ns) / 1e9;
  if (seconds <= 0) return;
  const auto percent = [&](double part) { return std::lround(part / seconds * 100); };
  double busiest = 0;
  double waited = 0;
  for (size_t i = 0; i < to.workers.size(); ++i) {
    busiest = std::max(busiest, (to.workers[i] - from.workers[i]).total);
    waited = std::max(waited, (to.workers[i] - from.workers[i]).waited);
  }
  if (busiest > kBusy * seconds) {
    warnings_.push_back(absl::StrCat("a thread of clients used ", percent(busiest),
                                     " % of a core: this tool may be the limit (--workers)"));
  }
  if (waited > kWaitedShare * seconds) {
    warnings_.push_back(absl::StrCat("a thread of clients waited for a core ", percent(waited),
                                     " % of the time: latencies are too high by that"));
  }
  if (latest_p99_late_ms_ > kLateP99Ms) {
    warnings_.push_back(absl::StrCat("the publisher was ", std::lround(latest_p99_late_ms_),
                                     " ms late (p99), which latencies include"));
  }
}

}  // namespace spillway::load
