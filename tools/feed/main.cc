// spillway-feed: a synthetic live market, produced to Kafka until it is told to stop.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/log/log.h"
#include "services/ingest/kafka/cluster_query.h"
#include "services/ingest/kafka/producer.h"
#include "tools/feed/feed.h"

ABSL_FLAG(std::string, brokers, "localhost:9092", "Kafka's bootstrap addresses");
ABSL_FLAG(std::string, preset, "assessment", "what to play; there is \"assessment\"");
ABSL_FLAG(double, rate, 30, "steps a second; a step is one message, sometimes two or three");
ABSL_FLAG(double, seconds, 0, "how long to run; 0 = until SIGTERM or SIGINT");
ABSL_FLAG(std::vector<std::string>, assessments, (std::vector<std::string>{"a1", "a2"}),
          "ids of the assessments that trade");
ABSL_FLAG(uint64_t, seed, 1, "the same seed plays the same market");
ABSL_FLAG(double, wait, 30, "seconds to wait for Kafka and for its topics");
ABSL_FLAG(std::vector<std::string>, property, {}, "librdkafka properties, name=value,...");

namespace spillway {
namespace {

volatile sig_atomic_t stop_requested = 0;
void OnSignal(int) { stop_requested = 1; }

// The feed creates no topics: what is missing is left out and named. Waits while some are missing.
absl::StatusOr<std::set<std::string>> WaitForTopics(const ingest::KafkaSettings& settings,
                                                    double seconds) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                            std::chrono::duration<double>(seconds));
  while (true) {
    absl::StatusOr<ingest::ClusterInfo> info =
        ingest::ListTopics(settings, std::chrono::milliseconds(2000));
    std::set<std::string> found;
    if (info.ok()) {
      std::set<std::string> all;
      for (const ingest::TopicInfo& topic : info->topics) all.insert(topic.name);
      for (const std::string& topic : feed::Feed::Topics()) {
        if (all.contains(topic)) found.insert(topic);
      }
    }
    if (found.size() == feed::Feed::Topics().size()) return found;
    if (stop_requested != 0 || std::chrono::steady_clock::now() >= deadline) {
      if (!info.ok()) return info.status();
      if (found.empty()) return absl::NotFoundError("none of the feed's topics exists in Kafka");
      return found;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

int Run() {
  if (absl::GetFlag(FLAGS_preset) != "assessment") {
    std::fprintf(stderr, "spillway-feed: unknown preset \"%s\"; there is: assessment\n",
                 absl::GetFlag(FLAGS_preset).c_str());
    return 2;
  }
  const double rate = absl::GetFlag(FLAGS_rate);
  if (!(rate > 0 && rate <= 1e6)) {
    std::fprintf(stderr, "spillway-feed: --rate must be above 0 and at most 1000000\n");
    return 2;
  }
  ingest::KafkaSettings settings;
  settings.brokers = absl::GetFlag(FLAGS_brokers);
  settings.client_id = "spillway-feed";
  for (const std::string& property : absl::GetFlag(FLAGS_property)) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(property, absl::MaxSplits('=', 1));
    settings.properties[pair.first] = pair.second;
  }
  absl::StatusOr<std::unique_ptr<ingest::Producer>> producer =
      ingest::Producer::Create(settings, {});
  if (!producer.ok()) {
    std::fprintf(stderr, "spillway-feed: %s\n", std::string(producer.status().message()).c_str());
    return 2;
  }
  const absl::StatusOr<std::set<std::string>> topics =
      WaitForTopics(settings, absl::GetFlag(FLAGS_wait));
  if (!topics.ok()) {
    std::fprintf(stderr, "spillway-feed: %s\n", std::string(topics.status().message()).c_str());
    return 1;
  }
  for (const std::string& topic : feed::Feed::Topics()) {
    if (!topics->contains(topic)) log::Warn("topic is missing, left out", {{"topic", topic}});
  }

  feed::Feed feed(absl::GetFlag(FLAGS_assessments), absl::GetFlag(FLAGS_seed));
  // Open loop: step n is due at start + n / rate whatever Kafka does meanwhile.
  const auto start = std::chrono::steady_clock::now();
  const double seconds = absl::GetFlag(FLAGS_seconds);
  uint64_t sent = 0;
  uint64_t refused = 0;
  std::vector<feed::Message> messages;
  for (uint64_t step = 0; stop_requested == 0; ++step) {
    const double due = static_cast<double>(step) / rate;
    if (seconds > 0 && due >= seconds) break;
    const auto deadline = start + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                      std::chrono::duration<double>(due));
    while (stop_requested == 0 && std::chrono::steady_clock::now() < deadline) {
      // In pieces, so that a signal during a long wait is seen.
      std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(
          deadline - std::chrono::steady_clock::now(), std::chrono::milliseconds(100)));
    }
    messages.clear();
    feed.Step(ToUnixMillis(Clock::Real().WallNow()), &messages);
    for (const feed::Message& message : messages) {
      if (!topics->contains(message.topic)) continue;
      ingest::ProduceRequest request;
      request.topic = message.topic;
      request.key = message.key;
      request.value = message.value;
      const bool accepted =
          (*producer)->Produce(request, [](const absl::StatusOr<ingest::ProducedAt>&) {}).ok();
      ++(accepted ? sent : refused);
    }
  }
  const ingest::Producer::Counters& counters = (*producer)->counters();
  const uint64_t unanswered = static_cast<uint64_t>((*producer)->in_flight_messages());
  log::Info("feed ends", {{"sent", sent},
                          {"refused", refused},
                          {"failed", counters.failed.Value()},
                          {"in_flight", unanswered}});
  producer->reset();  // flushes
  return 0;
}

}  // namespace
}  // namespace spillway

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "A synthetic live market, produced to Kafka.\n"
      "spillway-feed --brokers HOST:PORT [--preset assessment] [--rate N] [--seconds N]\n"
      "              [--assessments a1,a2] [--seed N]");
  absl::ParseCommandLine(argc, argv);
  spillway::log::Options options;
  options.service = "spillway-feed";
  spillway::log::Init(options);
  struct sigaction action {};
  action.sa_handler = spillway::OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  return spillway::Run();
}
