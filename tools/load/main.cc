// spillway-load: many WebSocket clients and a publisher in one program, which measures what arrives
// and what it costs the server. One JSON object on standard output. docs/load-tool.md is its
// manual.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/load/load_clock.h"
#include "tools/load/load_run.h"

ABSL_FLAG(std::vector<std::string>, url, {"ws://127.0.0.1:8080/ws"},
          "where clients connect to, in turn; {i} is the client's number, {token} its token");
ABSL_FLAG(std::string, dialect, "json", "client protocol: json, assessment, centrifugo, raw");
ABSL_FLAG(uint32_t, clients, 1, "connections");
ABSL_FLAG(double, connect_rate, 2000,
          "connections to open a second; 0: as fast as --unfinished lets");
ABSL_FLAG(uint32_t, unfinished, 256, "handshakes under way at a time");
ABSL_FLAG(std::vector<std::string>, sources, {},
          "IPv4 addresses to connect from, in turn; empty: of 127.0.0.x as many as loopback needs");
ABSL_FLAG(uint32_t, workers, 1, "threads that the clients are divided among");
ABSL_FLAG(uint32_t, processes, 0,
          "processes that these are divided among; 0: as descriptors need it");
ABSL_FLAG(
    std::string, stream, "",
    "channels and what is published to them: KEY=VALUE,...; several separated by ';'; the manual "
    "lists the keys");
ABSL_FLAG(uint32_t, publishers, 1, "further clients, that publish what streams have via=socket");
ABSL_FLAG(double, connect_timeout, 60, "seconds to wait for all clients");
ABSL_FLAG(double, idle, 0, "seconds to wait, connected, before memory is read");
ABSL_FLAG(double, warmup, 2, "seconds of publishing before CPU and latency count");
ABSL_FLAG(double, seconds, 10, "seconds of publishing in which they do");
ABSL_FLAG(double, silence, 2, "seconds without an event after which no more is waited for");

ABSL_FLAG(std::string, deflate, "off",
          "permessage-deflate: off; count (compressed messages are not looked into); inflate");
ABSL_FLAG(std::string, tls_ca, "", "file with certificates to trust; empty: the system's");
ABSL_FLAG(bool, tls_insecure, false, "take any certificate");
ABSL_FLAG(bool, tls_resume, true, "offer the server its last session");
ABSL_FLAG(std::string, jwt_secret_env, "",
          "environment variable with an HS256 secret, for {token}");
ABSL_FLAG(std::string, jwt_claims, R"({"sub":"u{i}"})", "claims of tokens; `exp` is added");

ABSL_FLAG(double, slow_share, 0, "share of the clients that stop reading for a time (0.01: 1 %)");
ABSL_FLAG(double, slow_after, 0, "seconds of publishing before they do");
ABSL_FLAG(double, slow_for, 0, "seconds that they do");
ABSL_FLAG(int32_t, slow_buffer, 0, "bytes of their receive buffers; 0: as the system has it");
ABSL_FLAG(double, churn, 0, "connections a second to close and open again while publishing");
ABSL_FLAG(double, reconnect, 0,
          "a lost connection is opened again within so many seconds; 0: never");
ABSL_FLAG(bool, resume, false,
          "what is opened again shows its positions, to the next of --url in turn");
ABSL_FLAG(uint32_t, patterns, 0,
          "every so many'th client subscribes to patterns, each of which matches one of its "
          "channels: a * in place of the name's first letter; 0: none does");
ABSL_FLAG(
    std::string, journal, "",
    "with --resume: files FILE.0, ... get what every client was told; the manual has the form");
ABSL_FLAG(bool, attended, false,
          "publishing ends with the first line on standard input, the run with the input's end");
ABSL_FLAG(double, cut_at, 0, "seconds of publishing after which all connections are closed, once");
ABSL_FLAG(double, cut_for, 0,
          "seconds after which they come back, within --reconnect; 0: they are not closed");

ABSL_FLAG(std::string, brokers, "", "Kafka's bootstrap addresses, for via=kafka");
ABSL_FLAG(std::vector<std::string>, kafka, {}, "further properties of librdkafka: NAME=VALUE,...");
ABSL_FLAG(std::string, ingest, "", "host:port of the publish API, for via=durable and ephemeral");
ABSL_FLAG(std::string, ingest_token_env, "", "environment variable with the publish API's token");

ABSL_FLAG(std::vector<std::string>, pids, {}, "NAME=PID of processes to account for");
ABSL_FLAG(std::string, hold, "",
          "name of --pids: this process is stopped until everything is published, so that it finds "
          "a backlog");
ABSL_FLAG(std::string, clock, "monotonic",
          "clock of due times: monotonic, or realtime for publishers on other machines");
ABSL_FLAG(std::string, progress, "auto",
          "a line a second on standard error: auto (if it is a terminal), on, off");
ABSL_FLAG(bool, strict, false,
          "exit with 3 if anything was lost, doubled, out of order or refused");

namespace spillway::load {
namespace {

constexpr size_t kReserve = 500;                // descriptors for everything but clients
constexpr size_t kClientsOfAnAddress = 20'000;  // of about 28,000 ports

int Usage(const std::string& problem) {
  std::fprintf(stderr, "spillway-load: %s (see --help)\n", problem.c_str());
  return 2;
}

// The most descriptors that this process may have, which it has from then on.
size_t RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<size_t>(limit.rlim_max);
}

absl::Status Bad(const std::string& problem) { return absl::InvalidArgumentError(problem); }

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Pairs(
    const std::vector<std::string>& items) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& item : items) {
    if (item.find('=') == std::string::npos) return Bad(absl::StrCat(item, " is not NAME=VALUE"));
    pairs.push_back(absl::StrSplit(item, absl::MaxSplits('=', 1)));
  }
  return pairs;
}

absl::Status ReadSources(ClientOptions* clients) {
  for (const std::string& text : absl::GetFlag(FLAGS_sources)) {
    in_addr address;
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) return Bad("--sources are IPv4 addresses");
    clients->sources.push_back(ntohl(address.s_addr));
  }
  if (!clients->sources.empty()) return absl::OkStatus();
  for (const Target& target : clients->targets) {
    if (!target.is_loopback()) return absl::OkStatus();
  }
  const size_t needed =
      (clients->clients / clients->targets.size() + kClientsOfAnAddress - 1) / kClientsOfAnAddress;
  if (needed <= 1) return absl::OkStatus();
  for (size_t i = 0; i < needed; ++i) {
    clients->sources.push_back(INADDR_LOOPBACK + static_cast<uint32_t>(i));
  }
  return absl::OkStatus();
}

absl::Status ReadProcesses(ClientOptions* clients) {
  clients->workers = std::max<size_t>(1, absl::GetFlag(FLAGS_workers));
  clients->processes = absl::GetFlag(FLAGS_processes);
  const size_t most = RaiseDescriptorLimit();
  if (most <= kReserve + 1) return Bad("too few descriptors (ulimit -n)");
  const size_t needed = (clients->clients + most - kReserve - 1) / (most - kReserve);
  if (clients->processes == 0) clients->processes = needed;
  if (clients->processes < needed) {
    return Bad(absl::StrCat(clients->clients, " clients need ", needed, " processes of ", most,
                            " descriptors (--processes, ulimit -n)"));
  }
  clients->workers = std::max(clients->workers, clients->processes);
  return absl::OkStatus();
}

absl::Status ReadClients(ClientOptions* clients) {
  for (const std::string& url : absl::GetFlag(FLAGS_url)) {
    absl::StatusOr<Target> target = ParseTarget(url);
    if (!target.ok()) return target.status();
    clients->targets.push_back(*std::move(target));
  }
  if (clients->targets.empty()) return Bad("--url is empty");
  clients->dialect = absl::GetFlag(FLAGS_dialect);
  clients->clients = absl::GetFlag(FLAGS_clients);
  clients->connect_rate = absl::GetFlag(FLAGS_connect_rate);
  clients->publishers = absl::GetFlag(FLAGS_publishers);
  clients->max_unfinished = absl::GetFlag(FLAGS_unfinished);
  const std::string deflate = absl::GetFlag(FLAGS_deflate);
  if (deflate == "count") {
    clients->deflate = DeflateMode::kCount;
  } else if (deflate == "inflate") {
    clients->deflate = DeflateMode::kInflate;
  } else if (deflate != "off") {
    return Bad("--deflate is off, count or inflate");
  }
  clients->tls_ca = absl::GetFlag(FLAGS_tls_ca);
  clients->tls_insecure = absl::GetFlag(FLAGS_tls_insecure);
  clients->tls_resume = absl::GetFlag(FLAGS_tls_resume);
  if (const std::string name = absl::GetFlag(FLAGS_jwt_secret_env); !name.empty()) {
    const char* secret = std::getenv(name.c_str());
    if (secret == nullptr || *secret == '\0') return Bad(absl::StrCat(name, " is not set"));
    clients->jwt_secret = secret;
  }
  clients->jwt_claims = absl::GetFlag(FLAGS_jwt_claims);
  clients->slow_share = absl::GetFlag(FLAGS_slow_share);
  clients->slow_after = absl::GetFlag(FLAGS_slow_after);
  clients->slow_for = absl::GetFlag(FLAGS_slow_for);
  clients->slow_buffer = absl::GetFlag(FLAGS_slow_buffer);
  clients->churn = absl::GetFlag(FLAGS_churn);
  clients->reconnect = absl::GetFlag(FLAGS_reconnect);
  clients->resume = absl::GetFlag(FLAGS_resume);
  clients->patterns = absl::GetFlag(FLAGS_patterns);
  clients->journal = absl::GetFlag(FLAGS_journal);
  if (!clients->journal.empty() && !clients->resume) return Bad("--journal needs --resume");
  clients->cut_at = absl::GetFlag(FLAGS_cut_at);
  clients->cut_for = absl::GetFlag(FLAGS_cut_for);
  absl::StatusOr<std::vector<StreamOptions>> streams = ParseStreams(absl::GetFlag(FLAGS_stream));
  if (!streams.ok()) return streams.status();
  clients->streams = *std::move(streams);
  if (absl::Status status = ReadSources(clients); !status.ok()) return status;
  return ReadProcesses(clients);
}

absl::Status ReadPublisher(RunOptions* options) {
  const auto kafka = Pairs(absl::GetFlag(FLAGS_kafka));
  if (!kafka.ok()) return kafka.status();
  options->publisher.kafka = {kafka->begin(), kafka->end()};
  options->publisher.kafka["bootstrap.servers"] = absl::GetFlag(FLAGS_brokers);
  options->publisher.ingest = absl::GetFlag(FLAGS_ingest);
  if (const std::string name = absl::GetFlag(FLAGS_ingest_token_env); !name.empty()) {
    const char* token = std::getenv(name.c_str());
    if (token == nullptr) return Bad(absl::StrCat(name, " is not set"));
    options->publisher.ingest_token = token;
  }
  for (const StreamOptions& stream : options->clients.streams) {
    if (stream.via == Via::kKafka && absl::GetFlag(FLAGS_brokers).empty()) {
      return Bad("via=kafka needs --brokers");
    }
    if ((stream.via == Via::kDurable || stream.via == Via::kEphemeral) &&
        options->publisher.ingest.empty()) {
      return Bad("via=durable and via=ephemeral need --ingest");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadRun(RunOptions* options) {
  if (absl::Status status = ReadClients(&options->clients); !status.ok()) return status;
  if (absl::Status status = ReadPublisher(options); !status.ok()) return status;
  options->connect_timeout = absl::GetFlag(FLAGS_connect_timeout);
  options->idle = absl::GetFlag(FLAGS_idle);
  options->warmup = absl::GetFlag(FLAGS_warmup);
  options->seconds = absl::GetFlag(FLAGS_seconds);
  options->attended = absl::GetFlag(FLAGS_attended);
  options->silence = absl::GetFlag(FLAGS_silence);
  const std::string progress = absl::GetFlag(FLAGS_progress);
  options->progress = progress == "on" || (progress == "auto" && isatty(STDERR_FILENO) == 1);
  const auto pids = Pairs(absl::GetFlag(FLAGS_pids));
  if (!pids.ok()) return pids.status();
  for (const auto& [name, text] : *pids) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(text, &pid)) return Bad("--pids is NAME=PID,...");
    options->pids.emplace_back(name, pid);
    if (name == absl::GetFlag(FLAGS_hold)) options->hold = pid;
  }
  if (!absl::GetFlag(FLAGS_hold).empty() && options->hold == 0) {
    return Bad("--hold is a name that --pids has");
  }
  const std::string clock = absl::GetFlag(FLAGS_clock);
  if (clock != "monotonic" && clock != "realtime") return Bad("--clock is monotonic or realtime");
  UseClock(clock == "realtime" ? ClockKind::kRealtime : ClockKind::kMonotonic);
  return absl::OkStatus();
}

int Main() {
  RunOptions options;
  if (const absl::Status status = ReadRun(&options); !status.ok()) {
    return Usage(std::string(status.message()));
  }
  const absl::StatusOr<std::unique_ptr<Dialect>> dialect = MakeDialect(options.clients.dialect);
  if (!dialect.ok()) return Usage(std::string(dialect.status().message()));
  if (options.clients.resume && !(*dialect)->resumes()) {
    return Usage(
        absl::StrCat("--resume: the dialect ", options.clients.dialect, " tells no positions"));
  }
  absl::StatusOr<std::unique_ptr<RunState>> state =
      RunState::Create(options.clients.workers, options.clients.streams);
  if (!state.ok()) return Usage(std::string(state.status().message()));
  signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
  LoadRun run(options, **dialect, **state);
  const absl::StatusOr<JsonReport> report = run.Run();
  if (!report.ok()) {
    std::fprintf(stderr, "spillway-load: %s\n", std::string(report.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", report->text().c_str());
  for (const std::string& warning : run.warnings()) {
    std::fprintf(stderr, "spillway-load: warning: %s\n", warning.c_str());
  }
  return absl::GetFlag(FLAGS_strict) && !run.flawless() ? 3 : 0;
}

}  // namespace
}  // namespace spillway::load

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "WebSocket clients and a publisher that measure a server; the manual is docs/load-tool.md.\n"
      "spillway-load --url 'ws://HOST:PORT/ws?token=...' --clients 1000\n"
      "  --stream 'channel=load:{n},channels=10,via=kafka,topic=load,rate=100' --brokers "
      "HOST:PORT\n"
      "  --pids edge=PID");
  absl::ParseCommandLine(argc, argv);
  return spillway::load::Main();
}
