#include "services/ingest/kafka/metadata_prober.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/ingest/kafka/client_config.h"

namespace spillway::ingest {
namespace {
constexpr size_t kBatch = 256;
}  // namespace

MetadataProber::MetadataProber(const Options& options, OnMetadata on_metadata)
    : options_(options), on_metadata_(std::move(on_metadata)), schedule_(options.schedule) {}

absl::StatusOr<std::unique_ptr<MetadataProber>> MetadataProber::Create(
    const KafkaSettings& settings, const Options& options, TopicSelection selection,
    OnMetadata on_metadata) {
  absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = ClientRole::kProber});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  std::unique_ptr<MetadataProber> prober(new MetadataProber(options, std::move(on_metadata)));
  prober->client_ = *std::move(client);
  prober->by_name_ = !settings.embedded_broker;
  {
    MutexLock lock(prober->mutex_);
    prober->selection_ = std::make_shared<const TopicSelection>(std::move(selection));
  }
  return prober;
}

void MetadataProber::Start() {
  thread_ = std::thread([this] { Run(); });
}

MetadataProber::~MetadataProber() { Stop(); }

void MetadataProber::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void MetadataProber::Select(TopicSelection selection) {
  {
    MutexLock lock(mutex_);
    selection_ = std::make_shared<const TopicSelection>(std::move(selection));
    refresh_soon_ = true;
  }
  wake_.NotifyAll();
}

void MetadataProber::RefreshSoon() {
  {
    MutexLock lock(mutex_);
    refresh_soon_ = true;
  }
  wake_.NotifyAll();
}

void MetadataProber::Resolve(std::string_view topic, int32_t partition, BoundsCallback callback) {
  Lookup lookup;
  lookup.topic = std::string(topic);
  lookup.partition = partition;
  lookup.on_bounds = std::move(callback);
  Enqueue(std::move(lookup));
}

void MetadataProber::ResolveTime(std::string_view topic, int32_t partition, int64_t unix_ms,
                                 OffsetCallback callback) {
  Lookup lookup;
  lookup.topic = std::string(topic);
  lookup.partition = partition;
  lookup.time = std::max<int64_t>(unix_ms, 0);
  lookup.on_offset = std::move(callback);
  Enqueue(std::move(lookup));
}

void MetadataProber::Enqueue(Lookup lookup) {
  absl::Status refusal = absl::ResourceExhaustedError("too many offset look-ups wait for Kafka");
  {
    MutexLock lock(mutex_);
    if (stopping_) {
      refusal = absl::CancelledError("shutting down");
    } else if (pending_ < options_.max_pending) {
      ++pending_;
      std::string topic = lookup.topic;
      lookups_[std::move(topic)].push_back(std::move(lookup));
      wake_.NotifyAll();
      return;
    }
  }
  lookup.Fail(refusal);
}

void MetadataProber::Lookup::Fail(const absl::Status& status) {
  if (on_bounds) on_bounds(status);
  if (on_offset) on_offset(status);
}

void MetadataProber::Run() {
  while (true) {
    std::vector<Lookup> batch;
    ProbeSchedule::Action action = ProbeSchedule::Action::kNone;
    {
      MutexLock lock(mutex_);
      while (!stopping_) {
        if (refresh_soon_) schedule_.RefreshSoon();
        refresh_soon_ = false;
        action = schedule_.Due(std::chrono::steady_clock::now());
        if (action != ProbeSchedule::Action::kNone || !lookups_.empty()) break;
        wake_.WaitUntil(mutex_, schedule_.NextDeadline());
      }
      if (stopping_) break;
      batch = TakeBatch();
    }
    // A probe that is due goes first: look-ups can be slow when a broker is.
    if (action == ProbeSchedule::Action::kRefresh) Refresh();
    if (action == ProbeSchedule::Action::kLiveness) CheckLiveness();
    if (!batch.empty()) AnswerBatch(std::move(batch));
  }
  std::map<std::string, std::vector<Lookup>> left;
  {
    MutexLock lock(mutex_);
    left.swap(lookups_);
  }
  for (auto& [topic, lookups] : left) {
    for (Lookup& lookup : lookups) lookup.Fail(absl::CancelledError("shutting down"));
  }
}

void MetadataProber::Refresh() {
  std::shared_ptr<const TopicSelection> selection;
  {
    MutexLock lock(mutex_);
    selection = selection_;
  }
  absl::StatusOr<ClusterInfo> cluster = ListTopics(*client_, options_.request_timeout);
  if (!cluster.ok()) {
    ReportDown(cluster.status());
    return;
  }
  client_->ClearProblem();
  Metadata fresh;
  fresh.up = true;
  fresh.cluster_id = cluster->cluster_id;
  fresh.brokers = cluster->brokers;
  std::map<std::string, absl::Status> listed;
  for (const TopicInfo& topic : cluster->topics) listed[topic.name] = topic.status;
  for (const std::string& name : selection->wanted) {
    const auto known = listed.find(name);
    if (known != listed.end() && known->second.ok()) continue;
    absl::StatusOr<TopicInfo> topic =
        TopicInfo{.name = name, .partitions = 0, .status = absl::NotFoundError("not listed")};
    if (known != listed.end())
      topic->status = known->second;
    else if (by_name_)
      topic = DescribeTopic(*client_, name, options_.request_timeout);
    if (!topic.ok()) {
      ReportDown(topic.status());
      return;
    }
    if (topic->status.ok() && topic->partitions > 0)
      cluster->topics.push_back(*std::move(topic));  // has come about since the listing
    else if (topic->status.ok() || absl::IsNotFound(topic->status))
      fresh.missing.push_back(name);
    else if (absl::IsPermissionDenied(topic->status))
      fresh.denied.push_back(name);
    else
      fresh.troubled.push_back(*std::move(topic));
  }
  const std::set<std::string> wanted(selection->wanted.begin(), selection->wanted.end());
  for (TopicInfo& topic : cluster->topics) {
    if (!selection->matches || !selection->matches(topic.name)) continue;
    if (topic.status.ok())
      fresh.topics.push_back(std::move(topic));
    else if (!wanted.contains(topic.name))  // those were looked at above
      fresh.troubled.push_back(std::move(topic));
  }
  std::sort(fresh.topics.begin(), fresh.topics.end(),
            [](const TopicInfo& a, const TopicInfo& b) { return a.name < b.name; });
  schedule_.OnRefreshed(std::chrono::steady_clock::now(), fresh.brokers,
                        fresh.missing.empty() && fresh.denied.empty() && fresh.troubled.empty());
  metadata_ = std::move(fresh);
  reported_ = true;
  on_metadata_(metadata_);
}

void MetadataProber::CheckLiveness() {
  // By name, because a question about "no topic" would be sent by librdkafka 2.0.2 for all topics
  // that it has ever seen, and with leave to create them.
  const absl::Status status =
      metadata_.topics.empty()
          ? ListTopics(*client_, options_.request_timeout).status()
          : DescribeTopic(*client_, metadata_.topics.front().name, options_.request_timeout)
                .status();
  if (status.ok())
    schedule_.OnAlive(std::chrono::steady_clock::now());
  else
    ReportDown(status);
}

void MetadataProber::ReportDown(const absl::Status& status) {
  schedule_.OnFailure(std::chrono::steady_clock::now());
  if (schedule_.up()) return;  // another broker is asked first
  const bool news = metadata_.up || !reported_;
  metadata_.up = false;
  metadata_.reason = std::string(status.message());
  reported_ = true;
  if (news) on_metadata_(metadata_);
}

std::vector<MetadataProber::Lookup> MetadataProber::TakeBatch() {
  std::vector<Lookup> batch;
  if (lookups_.empty()) return batch;
  const auto it = lookups_.begin();
  std::vector<Lookup> rest;
  std::set<int32_t> partitions;
  for (Lookup& lookup : it->second) {
    const bool fits = batch.empty() || (batch.size() < kBatch && !batch.front().alone &&
                                        !lookup.alone && !partitions.contains(lookup.partition));
    if (fits) {
      partitions.insert(lookup.partition);
      batch.push_back(std::move(lookup));
    } else {
      rest.push_back(std::move(lookup));
    }
  }
  pending_ -= batch.size();
  if (rest.empty())
    lookups_.erase(it);
  else
    it->second = std::move(rest);
  return batch;
}

void MetadataProber::AnswerBatch(std::vector<Lookup> batch) {
  if (!schedule_.up()) {  // asking would only hold up the probes
    for (Lookup& lookup : batch) lookup.Fail(absl::UnavailableError(metadata_.reason));
    return;
  }
  std::vector<OffsetQuery> firsts;  // the log's start, or the time that was asked for
  std::vector<OffsetQuery> ends;
  for (const Lookup& lookup : batch) {
    firsts.push_back({lookup.topic, lookup.partition, lookup.on_bounds ? kLogStart : lookup.time});
    ends.push_back({lookup.topic, lookup.partition, kLogEnd});
  }
  const auto first = LookUpOffsets(*client_, firsts, options_.request_timeout);
  const auto end = LookUpOffsets(*client_, ends, options_.request_timeout);
  for (size_t i = 0; i < batch.size(); ++i) {
    Lookup& lookup = batch[i];
    const absl::Status& status = first[i].ok() ? end[i].status() : first[i].status();
    if (!status.ok()) {
      // One leader that does not answer fails the call for all: the others shall not suffer.
      if (batch.size() > 1 && !absl::IsNotFound(status)) {
        lookup.alone = true;
        Enqueue(std::move(lookup));
      } else {
        if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) RefreshSoon();
        lookup.Fail(status);
      }
      continue;
    }
    if (lookup.on_bounds) lookup.on_bounds(PartitionBounds{.begin = *first[i], .end = *end[i]});
    if (lookup.on_offset) lookup.on_offset(*first[i] >= 0 ? *first[i] : *end[i]);
  }
}

}  // namespace spillway::ingest
