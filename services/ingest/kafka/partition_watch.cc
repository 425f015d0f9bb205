#include "services/ingest/kafka/partition_watch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/cluster_query.h"

namespace spillway::ingest {

PartitionWatch::PartitionWatch(const Options& options, const Clock& clock, Wanted wanted,
                               OnSeen on_seen)
    : options_(options), clock_(clock), wanted_(std::move(wanted)), on_seen_(std::move(on_seen)) {}

absl::StatusOr<std::unique_ptr<PartitionWatch>> PartitionWatch::Create(
    const KafkaSettings& settings, const Options& options, const Clock& clock, Wanted wanted,
    OnSeen on_seen) {
  absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = ClientRole::kProber});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  std::unique_ptr<PartitionWatch> watch(
      new PartitionWatch(options, clock, std::move(wanted), std::move(on_seen)));
  watch->client_ = *std::move(client);
  return watch;
}

PartitionWatch::~PartitionWatch() { Stop(); }

void PartitionWatch::Start() {
  thread_ = std::thread([this] { Run(); });
}

void PartitionWatch::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

bool PartitionWatch::stopping() {
  MutexLock lock(mutex_);
  return stopping_;
}

void PartitionWatch::Run() {
  while (true) {
    {
      const auto next = std::chrono::steady_clock::now() + options_.interval;
      MutexLock lock(mutex_);
      while (!stopping_ && std::chrono::steady_clock::now() < next) wake_.WaitUntil(mutex_, next);
      if (stopping_) return;
    }
    Round();
  }
}

void PartitionWatch::Round() {
  const std::vector<Partition> wanted = wanted_();
  std::set<uint64_t> ids;
  for (const Partition& one : wanted) ids.insert(one.id);
  std::erase_if(failing_, [&](const auto& entry) { return !ids.contains(entry.first); });
  if (wanted.empty()) return;
  FindLeaders(clock_.Now());
  std::map<int32_t, std::vector<const Partition*>> by_leader;
  for (const Partition& one : wanted) by_leader[LeaderOf(one)].push_back(&one);
  for (const auto& [leader, partitions] : by_leader) {
    if (stopping()) return;
    std::vector<Seen> seen;  // of each leader at once: nobody waits for one that is away
    Ask(partitions, &seen);
    if (!seen.empty()) on_seen_(std::move(seen));
  }
}

void PartitionWatch::FindLeaders(MonoTime now) {
  if (now < next_leaders_ && failing_.empty()) return;
  absl::StatusOr<ClusterInfo> cluster = ListTopics(*client_, options_.request_timeout);
  if (!cluster.ok()) return;  // what was known last will do
  next_leaders_ = now + options_.leaders_refresh;
  leaders_.clear();
  for (TopicInfo& topic : cluster->topics) leaders_[topic.name] = std::move(topic.leaders);
}

int32_t PartitionWatch::LeaderOf(const Partition& partition) const {
  const auto topic = leaders_.find(partition.topic);
  if (topic == leaders_.end() || partition.partition < 0 ||
      static_cast<size_t>(partition.partition) >= topic->second.size()) {
    return -1;
  }
  return topic->second[static_cast<size_t>(partition.partition)];
}

void PartitionWatch::Ask(const std::vector<const Partition*>& of_leader, std::vector<Seen>* seen) {
  bool silent = false;  // said nothing to one request: it is not asked the next
  for (size_t begin = 0; begin < of_leader.size(); begin += options_.batch) {
    const size_t end = std::min(begin + options_.batch, of_leader.size());
    const MonoTime asked = clock_.Now();
    std::vector<absl::StatusOr<int64_t>> ends(
        end - begin, absl::DeadlineExceededError("the leader did not answer"));
    if (!silent) {
      std::vector<OffsetQuery> queries;
      for (size_t i = begin; i < end; ++i) {
        queries.push_back({of_leader[i]->topic, of_leader[i]->partition, kLogEnd});
      }
      ends = LookUpOffsets(*client_, queries, options_.request_timeout);
      silent = std::none_of(ends.begin(), ends.end(), [](const auto& one) { return one.ok(); });
    }
    for (size_t i = begin; i < end; ++i) {
      const absl::StatusOr<int64_t>& answer = ends[i - begin];
      const uint64_t id = of_leader[i]->id;
      if (answer.ok()) {
        failing_.erase(id);
        seen->push_back({.id = id, .end = *answer, .away = std::nullopt});
        continue;
      }
      // Its end may not be told where reading is allowed: that is no stall.
      if (absl::IsPermissionDenied(answer.status())) continue;
      Failing& failing =
          failing_.try_emplace(id, Failing{.since = asked, .lately = {}}).first->second;
      failing.lately.push_back(asked);
      if (failing.lately.size() < options_.failures) continue;
      if (failing.lately.size() > options_.failures) failing.lately.pop_front();
      seen->push_back(
          {.id = id,
           .end = -1,
           .away = Seen::Away{.since = failing.since, .lately = failing.lately.front()}});
    }
  }
}

}  // namespace spillway::ingest
