#include "tools/load/load_run.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tools/load/load_clock.h"

namespace spillway::load {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

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

}  // namespace

LoadRun::LoadRun(const RunOptions& options, const Dialect& dialect, RunState& run)
    : options_(options), run_(run), dialect_(dialect), swarm_(options.clients, dialect, run) {}

absl::StatusOr<JsonReport> LoadRun::Run() {
  started_ns_ = NowNs();
  report_.Add("version", uint64_t{1});
  if (const absl::Status status = Connect(); !status.ok()) return status;
  if (const absl::Status status = Measure(); !status.ok()) return status;
  ReportLatency();
  ReportChecks();
  return report_;
}

absl::Status LoadRun::Connect() {
  std::vector<Memory> before;
  for (const auto& [name, pid] : options_.pids) before.push_back(ReadMemory(pid));
  const KernelMemory kernel_before = ReadKernelMemory();
  const Usage from = ReadUsage();
  const int64_t start = NowNs();
  if (const absl::Status status = swarm_.Start(); !status.ok()) return status;
  const absl::Status status = WaitUntil(
      [&] { return swarm_.settled() || SecondsSince(start) >= options_.connect_timeout; });
  if (!status.ok()) return status;
  JsonReport connect;
  connect.Add("clients", uint64_t{options_.clients.clients});
  connect.Add("upgraded", run_.Sum(&WorkerState::upgraded));
  connect.Add("ready", run_.Sum(&WorkerState::ready));
  connect.Add("seconds", SecondsSince(start));
  connect.Add("cpu", Cpu(from, ReadUsage()));
  report_.Add("connect", connect);

  const Usage idle_from = ReadUsage();
  if (const absl::Status waited = Wait(options_.idle); !waited.ok()) return waited;
  JsonReport idle;
  idle.Add("seconds", options_.idle);
  idle.Add("cpu", Cpu(idle_from, ReadUsage()));
  report_.Add("idle", idle);
  ReportMemory(before, kernel_before);
  return absl::OkStatus();
}

void LoadRun::ReportMemory(const std::vector<Memory>& before, const KernelMemory& kernel_before) {
  const double clients = std::max<double>(1, static_cast<double>(run_.Sum(&WorkerState::ready)));
  JsonReport memory;
  for (size_t i = 0; i < options_.pids.size(); ++i) {
    const Memory after = ReadMemory(options_.pids[i].second);
    JsonReport of;
    of.Add("rss_before", before[i].rss_bytes);
    of.Add("rss_after", after.rss_bytes);
    of.Add("pss_before", before[i].pss_bytes);
    of.Add("pss_after", after.pss_bytes);
    of.Add("pss_per_client", static_cast<double>(after.pss_bytes - before[i].pss_bytes) / clients);
    memory.Add(options_.pids[i].first, of);
  }
  Memory own;
  for (const pid_t pid : swarm_.processes()) own.pss_bytes += ReadMemory(pid).pss_bytes;
  JsonReport load;
  load.Add("pss_after", own.pss_bytes);
  load.Add("pss_per_client", static_cast<double>(own.pss_bytes) / clients);
  memory.Add("load", load);
  const KernelMemory kernel_after = ReadKernelMemory();
  JsonReport kernel;  // both ends of every connection, where the server is on this machine
  kernel.Add("slab_per_client",
             static_cast<double>(kernel_after.slab_bytes - kernel_before.slab_bytes) / clients);
  kernel.Add("tcp_per_client",
             static_cast<double>(kernel_after.tcp_bytes - kernel_before.tcp_bytes) / clients);
  memory.Add("kernel", kernel);
  report_.Add("memory", memory);
}

absl::Status LoadRun::Measure() {
  Publisher::Options settings = options_.publisher;
  settings.seconds = options_.warmup + options_.seconds;
  absl::StatusOr<std::unique_ptr<Publisher>> created =
      Publisher::Create(settings, options_.clients, dialect_, run_);
  if (!created.ok()) return created.status();
  Publisher& publisher = **created;

  Held held(options_.hold);
  const int64_t begin = NowNs() + kSecond / 20;
  run_.published_from_ns().store(begin, std::memory_order_relaxed);
  int64_t window_from = begin + static_cast<int64_t>(options_.warmup * 1e9);
  const auto count_from = [&](int64_t ns) {
    run_.count_from_ns().store(ns, std::memory_order_relaxed);
    publisher.CountFrom(ns);
  };
  if (options_.hold == 0) count_from(window_from);
  publisher.Start(begin);
  absl::Status status;
  if (options_.hold != 0) {
    status = WaitUntil([&] { return publisher.done(); });
    window_from = NowNs();
    count_from(begin);
  } else {
    status = WaitUntil([&] { return NowNs() >= window_from; });
  }
  if (!status.ok()) return status;
  const Usage from = ReadUsage();
  Counts before = ReadCounts(&publisher);
  if (options_.hold != 0) before.published = 0;
  held.Release();

  // Streams with counts end when these have arrived, others by the clock.
  int64_t window_to = window_from + static_cast<int64_t>(options_.seconds * 1e9);
  const bool counted = std::any_of(options_.clients.streams.begin(), options_.clients.streams.end(),
                                   [](const StreamOptions& stream) { return stream.count > 0; });
  const uint64_t expected_of_backlog = options_.hold != 0 ? Expected() : 0;
  status = WaitUntil([&] {
    if (options_.hold != 0) {
      return run_.Sum(&WorkerState::events) >= expected_of_backlog ||
             SecondsSince(std::max(window_from, run_.LastEventNs())) > options_.silence;
    }
    if (options_.attended && Asked() > 0) {
      publisher.Enough();
      window_to = std::min(window_to, NowNs());
      return true;
    }
    if (!counted) return NowNs() >= window_to;
    return publisher.done() &&
           (run_.Sum(&WorkerState::events) >= Expected() ||
            SecondsSince(std::max(window_from, run_.LastEventNs())) > options_.silence);
  });
  if (!status.ok()) return status;
  const Usage to = ReadUsage();
  const Counts after = ReadCounts(&publisher);
  if (!counted) run_.count_to_ns().store(window_to, std::memory_order_relaxed);
  status = DrainAndCheck(publisher);
  if (!status.ok()) return status;
  ReportPublishing(publisher);
  ReportWindow(from, to, before, after);
  Warn(from, to);
  return absl::OkStatus();
}

absl::Status LoadRun::DrainAndCheck(Publisher& publisher) {
  absl::Status status = WaitUntil([&] { return publisher.done(); });
  if (!status.ok()) return status;
  const uint64_t expected = Expected();
  const int64_t published = NowNs();
  run_.published_to_ns().store(published, std::memory_order_relaxed);
  status = WaitUntil([&] {
    // Who came later, or lost its connection, does not get everything: only silence tells then.
    const bool all = options_.clients.churn <= 0 || options_.clients.resume;
    return (run_.Sum(&WorkerState::events) >= expected && all &&
            run_.Sum(&WorkerState::ready) >= options_.clients.clients) ||
           SecondsSince(std::max(published, run_.LastEventNs())) > options_.silence;
  });
  if (!status.ok()) return status;
  if (options_.attended) {
    std::printf("drained\n");
    std::fflush(stdout);
    status = WaitUntil([&] { return Asked() == 2; });
    if (!status.ok()) return status;
  }
  run_.phase().store(RunState::Phase::kCheck, std::memory_order_release);
  return WaitUntil([&] {
    for (size_t i = 0; i < run_.workers(); ++i) {
      if (!run_.worker(i).checked.load(std::memory_order_acquire)) return false;
    }
    return true;
  });
}

uint64_t LoadRun::Expected() const {
  uint64_t expected = 0;
  for (size_t s = 0; s < options_.clients.streams.size(); ++s) {
    const StreamOptions& stream = options_.clients.streams[s];
    if (stream.via == Via::kNone || stream.per_client == 0) continue;
    // Subscriptions go round the channels: every channel has as many subscribers, or one more.
    const uint64_t subscriptions = uint64_t{options_.clients.clients} * stream.per_client;
    const uint64_t each = subscriptions / stream.channels;
    const uint64_t with_one_more = subscriptions % stream.channels;
    for (uint32_t channel = 0; channel < stream.channels; ++channel) {
      expected += (each + (channel < with_one_more ? 1 : 0)) *
                  run_.last_number(s, channel).load(std::memory_order_relaxed);
    }
  }
  return expected;
}

absl::Status LoadRun::WaitUntil(const std::function<bool()>& ready) {
  while (!ready()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (options_.progress) ShowProgress();
    if (const absl::Status status = swarm_.Alive(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LoadRun::Wait(double seconds) {
  const int64_t start = NowNs();
  return WaitUntil([&] { return SecondsSince(start) >= seconds; });
}

int LoadRun::Asked() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (asked_ < 2 && poll(&input, 1, 0) > 0) {
    char byte = 0;
    asked_ = read(STDIN_FILENO, &byte, 1) == 1 ? 1 : 2;
  }
  return asked_;
}

void LoadRun::ShowProgress() {
  const int64_t now = NowNs();
  if (now - shown_ns_ < kSecond) return;
  const uint64_t events = run_.Sum(&WorkerState::events);
  const uint64_t latency = run_.Sum(&WorkerState::latency_sum_ns);
  const double seconds = static_cast<double>(now - shown_ns_) / 1e9;
  const uint64_t got = events - shown_events_;
  std::string text = absl::StrCat(static_cast<int64_t>(SecondsSince(started_ns_)),
                                  " s: ", run_.Sum(&WorkerState::ready), " of ",
                                  options_.clients.clients, " clients ready");
  if (shown_ns_ != 0 && got > 0) {
    absl::StrAppend(&text, ", ", static_cast<uint64_t>(static_cast<double>(got) / seconds),
                    " deliveries/s, mean latency ", (latency - shown_latency_ns_) / got / 1000,
                    " us");
  }
  if (const uint64_t closed = run_.Sum(&WorkerState::closed); closed > 0) {
    absl::StrAppend(&text, ", ", closed, " connections lost");
  }
  std::fprintf(stderr, "%s\n", text.c_str());
  shown_ns_ = now;
  shown_events_ = events;
  shown_latency_ns_ = latency;
}

}  // namespace spillway::load
