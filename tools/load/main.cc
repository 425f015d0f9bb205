// spillway-load: many WebSocket clients and a Kafka publisher in one process, which measures what
// arrives and what it costs others. One JSON object on standard output.
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "tools/load/load_run.h"

ABSL_FLAG(std::string, edge, "127.0.0.1:8080", "IPv4 address and port of the edge");
ABSL_FLAG(std::string, target, "/ws", "path and query of the upgrade, with the token");
ABSL_FLAG(uint32_t, clients, 1, "WebSocket connections");
ABSL_FLAG(double, connect_rate, 2000, "connections to open a second");
ABSL_FLAG(std::vector<std::string>, subscribe, {},
          "channels that each client subscribes to; {i} in a name is its number modulo --spread");
ABSL_FLAG(uint32_t, spread, 1, "see --subscribe");
ABSL_FLAG(double, idle, 0, "seconds to wait before memory is read a second time");

ABSL_FLAG(std::string, brokers, "", "Kafka's bootstrap addresses");
ABSL_FLAG(std::string, topic, "", "topic to publish to");
ABSL_FLAG(int32_t, partitions, 1, "partitions of the topic to publish to, in turn");
ABSL_FLAG(uint64_t, records, 0, "records to publish; 0: none");
ABSL_FLAG(double, rate, 0, "records a second; 0: as fast as Kafka takes them");
ABSL_FLAG(uint64_t, bytes, 128, "bytes of a record's value");
ABSL_FLAG(uint64_t, every, 1, "every n-th record is for --channel, the others for --other_channel");
ABSL_FLAG(std::string, channel, "c", "member \"c\" of records for the clients");
ABSL_FLAG(std::string, other_channel, "x", "member \"c\" of the others");
ABSL_FLAG(int32_t, linger_ms, 0, "how long the publisher gathers records for a batch");
ABSL_FLAG(double, warmup, 0, "seconds of publishing before CPU and latency count");
ABSL_FLAG(std::string, hold, "",
          "name of --pids: this process is stopped until all records are with Kafka");
ABSL_FLAG(std::vector<std::string>, pids, {}, "name=PID of processes to account for");

namespace spillway::load {
namespace {

int Usage(const char* problem) {
  std::fprintf(stderr, "spillway-load: %s (see --help)\n", problem);
  return 2;
}

void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Main() {
  LoadRun::Options options;
  const std::pair<std::string, std::string> edge = absl::StrSplit(absl::GetFlag(FLAGS_edge), ':');
  uint32_t port = 0;
  if (!absl::SimpleAtoi(edge.second, &port) || port == 0 || port > UINT16_MAX) {
    return Usage("--edge is HOST:PORT");
  }
  options.swarm.host = edge.first;
  options.swarm.port = static_cast<uint16_t>(port);
  options.swarm.target = absl::GetFlag(FLAGS_target);
  options.swarm.clients = absl::GetFlag(FLAGS_clients);
  options.swarm.connect_rate = absl::GetFlag(FLAGS_connect_rate);
  options.swarm.channels = absl::GetFlag(FLAGS_subscribe);
  options.swarm.spread = absl::GetFlag(FLAGS_spread);
  if (options.swarm.spread == 0 || !(options.swarm.connect_rate > 0)) {
    return Usage("--spread and --connect_rate must be above 0");
  }

  options.publisher.brokers = absl::GetFlag(FLAGS_brokers);
  options.publisher.topic = absl::GetFlag(FLAGS_topic);
  options.publisher.partitions = absl::GetFlag(FLAGS_partitions);
  options.publisher.records = absl::GetFlag(FLAGS_records);
  options.publisher.rate = absl::GetFlag(FLAGS_rate);
  options.publisher.bytes = absl::GetFlag(FLAGS_bytes);
  options.publisher.every = absl::GetFlag(FLAGS_every);
  options.publisher.channel = absl::GetFlag(FLAGS_channel);
  options.publisher.other_channel = absl::GetFlag(FLAGS_other_channel);
  options.publisher.linger_ms = absl::GetFlag(FLAGS_linger_ms);
  if (options.publisher.records > 0 &&
      (options.publisher.brokers.empty() || options.publisher.topic.empty())) {
    return Usage("--records needs --brokers and --topic");
  }
  if (options.publisher.partitions <= 0 || options.publisher.every == 0) {
    return Usage("--partitions and --every must be above 0");
  }

  options.idle = absl::GetFlag(FLAGS_idle);
  options.warmup = absl::GetFlag(FLAGS_warmup);
  for (const std::string& item : absl::GetFlag(FLAGS_pids)) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(item, '=');
    pid_t pid = 0;
    if (!absl::SimpleAtoi(pair.second, &pid)) return Usage("--pids is NAME=PID,...");
    options.pids.emplace_back(pair.first, pid);
    if (pair.first == absl::GetFlag(FLAGS_hold)) options.hold = pid;
  }
  if (!absl::GetFlag(FLAGS_hold).empty() && options.hold == 0) {
    return Usage("--hold is a name that --pids has");
  }

  RaiseDescriptorLimit();
  const absl::StatusOr<JsonReport> report = LoadRun(std::move(options)).Run();
  if (!report.ok()) {
    std::fprintf(stderr, "spillway-load: %s\n", std::string(report.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", report->text().c_str());
  return 0;
}

}  // namespace
}  // namespace spillway::load

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "WebSocket clients (dialect json.v1) and a Kafka publisher that measure Spillway.\n"
      "spillway-load --edge HOST:PORT --target '/ws?token=...' --clients N --subscribe CHANNEL\n"
      "              [--brokers HOST:PORT --topic T --records N --rate N] [--pids edge=PID]");
  absl::ParseCommandLine(argc, argv);
  return spillway::load::Main();
}
