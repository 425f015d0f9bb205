#include "services/ingest/kafka/metadata_prober.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/ingest/kafka/client_config.h"

namespace spillway::ingest {
namespace {
bool NoAnswer(const absl::StatusOr<int64_t>& answer) {
  return absl::IsUnavailable(answer.status()) || absl::IsDeadlineExceeded(answer.status());
}
}  // namespace

MetadataProber::MetadataProber(const Options& options, OnMetadata on_metadata)
    : options_(options),
      on_metadata_(std::move(on_metadata)),
      schedule_(options.schedule),
      lookups_({.silence = options.request_timeout}),
      policies_({}, [this](const std::vector<std::string>& topics) {
        return DescribePolicies(*client_, topics, options_.policies_timeout);
      }) {}

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
  OffsetLookup lookup;
  lookup.topic = std::string(topic);
  lookup.partition = partition;
  lookup.on_bounds = std::move(callback);
  Enqueue(std::move(lookup));
}

void MetadataProber::ResolveTime(std::string_view topic, int32_t partition, int64_t unix_ms,
                                 OffsetCallback callback) {
  OffsetLookup lookup;
  lookup.topic = std::string(topic);
  lookup.partition = partition;
  lookup.time = std::max<int64_t>(unix_ms, 0);
  lookup.on_offset = std::move(callback);
  Enqueue(std::move(lookup));
}

void MetadataProber::Enqueue(OffsetLookup lookup) {
  absl::Status refusal = absl::ResourceExhaustedError("too many offset look-ups wait for Kafka");
  {
    MutexLock lock(mutex_);
    if (stopping_) {
      refusal = absl::CancelledError("shutting down");
    } else if (pending_ < options_.max_pending) {
      ++pending_;
      fresh_.push_back(std::move(lookup));
      wake_.NotifyAll();
      return;
    }
  }
  lookup.Fail(refusal);
}

void MetadataProber::Run() {
  while (true) {
    std::vector<OffsetLookup> fresh;
    ProbeSchedule::Action action = ProbeSchedule::Action::kNone;
    {
      MutexLock lock(mutex_);
      while (!stopping_) {
        if (refresh_soon_) schedule_.RefreshSoon();
        refresh_soon_ = false;
        action = schedule_.Due(std::chrono::steady_clock::now());
        if (action != ProbeSchedule::Action::kNone || !fresh_.empty() || !lookups_.empty()) break;
        wake_.WaitUntil(mutex_, schedule_.NextDeadline());
      }
      if (stopping_) break;
      fresh.swap(fresh_);
    }
    // A probe that is due goes first: look-ups can be slow when a broker is. They are sorted by
    // what it says.
    if (action == ProbeSchedule::Action::kRefresh) Refresh();
    if (action == ProbeSchedule::Action::kLiveness) CheckLiveness();
    Sort(std::move(fresh));
    if (!lookups_.empty()) Answer(lookups_.Next(std::chrono::steady_clock::now()));
  }
  std::vector<OffsetLookup> left;
  {
    MutexLock lock(mutex_);
    left.swap(fresh_);
  }
  Sort(std::move(left));
  for (const OffsetLookup& lookup : lookups_.TakeAll())
    lookup.Fail(absl::CancelledError("shutting down"));
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
  if (by_name_) {  // the embedded broker removes nothing, and would not say
    policies_.Fill(fresh.topics, std::chrono::steady_clock::now());
    fresh.policies_problem = policies_.problem();
  }
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

int32_t MetadataProber::LeaderOf(const std::string& topic, int32_t partition) const {
  const auto known = std::lower_bound(
      metadata_.topics.begin(), metadata_.topics.end(), topic,
      [](const TopicInfo& info, const std::string& name) { return info.name < name; });
  if (known == metadata_.topics.end() || known->name != topic || partition < 0 ||
      static_cast<size_t>(partition) >= known->leaders.size()) {
    return LookupQueue::kUnknownLeader;
  }
  const int32_t leader = known->leaders[static_cast<size_t>(partition)];
  return leader < 0 ? LookupQueue::kNoLeader : leader;
}

void MetadataProber::Sort(std::vector<OffsetLookup> fresh) {
  for (OffsetLookup& lookup : fresh) {
    const int32_t leader = LeaderOf(lookup.topic, lookup.partition);
    lookups_.Add(leader, std::move(lookup));
  }
}

void MetadataProber::Answer(LookupQueue::Batch batch) {
  {
    MutexLock lock(mutex_);
    pending_ -= batch.lookups.size();
  }
  absl::Status refusal;
  if (!schedule_.up())  // asking would only hold up the probes
    refusal = absl::UnavailableError(metadata_.reason);
  else if (batch.silent)
    refusal = absl::UnavailableError(batch.leader == LookupQueue::kNoLeader
                                         ? "the partition has no leader"
                                         : "the partition's leader does not answer");
  if (!refusal.ok()) {
    RefreshSoon();  // another may lead by now
    for (const OffsetLookup& lookup : batch.lookups) lookup.Fail(refusal);
    return;
  }
  std::vector<OffsetQuery> firsts;  // the log's start, or the time that was asked for
  std::vector<OffsetQuery> ends;
  for (const OffsetLookup& lookup : batch.lookups) {
    firsts.push_back({lookup.topic, lookup.partition, lookup.on_bounds ? kLogStart : lookup.time});
    ends.push_back({lookup.topic, lookup.partition, kLogEnd});
  }
  const auto asked = std::chrono::steady_clock::now();
  const auto first = LookUpOffsets(*client_, firsts, options_.request_timeout);
  const bool failed = std::all_of(first.begin(), first.end(), NoAnswer);
  const auto end = failed ? first : LookUpOffsets(*client_, ends, options_.request_timeout);
  const auto now = std::chrono::steady_clock::now();
  if (std::all_of(end.begin(), end.end(), NoAnswer)) {
    RefreshSoon();  // another may lead by now
    // One that says at once that it does not lead is not silent, and holds up nobody.
    if (now - asked >= options_.request_timeout / 2) lookups_.OnSilent(batch.leader, now);
  }
  for (size_t i = 0; i < batch.lookups.size(); ++i) {
    const OffsetLookup& lookup = batch.lookups[i];
    const absl::Status& status = first[i].ok() ? end[i].status() : first[i].status();
    if (!status.ok())
      lookup.Fail(status);
    else if (lookup.on_bounds)
      lookup.on_bounds(PartitionBounds{.begin = *first[i], .end = *end[i]});
    else if (lookup.on_offset)
      lookup.on_offset(*first[i] >= 0 ? *first[i] : *end[i]);
  }
}

}  // namespace spillway::ingest
