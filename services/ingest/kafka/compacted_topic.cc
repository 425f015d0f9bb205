#include "services/ingest/kafka/compacted_topic.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/cluster_query.h"
#include "services/ingest/kafka/create_topic.h"
#include "services/ingest/kafka/partition_consumer.h"
#include "services/ingest/kafka/shard_reader.h"

namespace spillway::ingest {
namespace {

constexpr size_t kRecordsATurn = 1'000;
constexpr int64_t kQueueBytes = 4 << 20;

}  // namespace

CompactedTopic::CompactedTopic(const KafkaSettings& settings, Options options, Sink& sink)
    : settings_(settings),
      options_(std::move(options)),
      sink_(sink),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

absl::StatusOr<std::unique_ptr<CompactedTopic>> CompactedTopic::Create(
    const KafkaSettings& settings, Options options, Sink& sink) {
  auto topic =
      std::unique_ptr<CompactedTopic>(new CompactedTopic(settings, std::move(options), sink));
  if (topic->wake_fd_ < 0) return absl::ResourceExhaustedError("eventfd: no descriptor is left");
  absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = ClientRole::kProber});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  topic->client_ = *std::move(client);
  auto consumer =
      PartitionConsumer::Create(settings, {.queue_bytes = kQueueBytes, .fetch_max_bytes = 1 << 20});
  if (!consumer.ok()) return consumer.status();
  topic->consumer_ = *std::move(consumer);
  return topic;
}

CompactedTopic::~CompactedTopic() {
  Stop();
  reader_.reset();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

void CompactedTopic::Start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "ingest-control");
    Run();
  });
}

void CompactedTopic::Stop() {
  stopping_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void CompactedTopic::Wait(std::chrono::milliseconds time) const {
  pollfd wake{.fd = wake_fd_, .events = POLLIN, .revents = 0};
  ::poll(&wake, 1, static_cast<int>(time.count()));
  uint64_t count = 0;
  (void)!::read(wake_fd_, &count, sizeof count);
}

void CompactedTopic::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    const absl::Status status = Follow();
    reader_.reset();
    if (status.ok()) return;
    sink_.OnProblem(absl::StrCat(options_.topic, ": ", status.message()));
    const MonoTime again = std::chrono::steady_clock::now() + options_.retry;
    while (!stopping_.load(std::memory_order_acquire) && std::chrono::steady_clock::now() < again) {
      sink_.OnTurn();
      Wait(options_.turn);
    }
  }
}

absl::StatusOr<int32_t> CompactedTopic::Prepare() {
  auto topic = DescribeTopic(*client_, options_.topic, options_.request_timeout);
  if (!topic.ok()) return topic.status();
  if (absl::IsNotFound(topic->status)) {
    if (!options_.create) {
      return absl::NotFoundError(
          "the topic is not there: create it with cleanup.policy=compact, or allow control.create");
    }
    const absl::Status made = CreateTopic(
        *client_, {.name = options_.topic, .replication = options_.replication, .compacted = true},
        options_.request_timeout);
    if (!made.ok() && !absl::IsAlreadyExists(made)) {
      return absl::Status(
          made.code(),
          absl::StrCat("the topic is not there and cannot be created: ", made.message()));
    }
    if (made.ok()) log::Info("the control topic was created", {{"topic", options_.topic}});
    topic = DescribeTopic(*client_, options_.topic, options_.request_timeout);
    if (!topic.ok()) return topic.status();
  }
  if (!topic->status.ok()) return topic->status;
  if (topic->partitions == 0) return absl::UnavailableError("the topic has no partitions yet");
  if (absl::Status policy = CheckPolicy(); !policy.ok()) return policy;
  return topic->partitions;
}

absl::Status CompactedTopic::CheckPolicy() {
  if (settings_.embedded_broker) return absl::OkStatus();  // it knows no settings
  const auto policies = DescribePolicies(*client_, {options_.topic}, options_.policy_timeout);
  const bool known = policies.ok() && policies->size() == 1 && policies->front().status.ok();
  if (!known) {
    const absl::Status why = !policies.ok()          ? policies.status()
                             : policies->size() != 1 ? absl::UnknownError("no answer")
                                                     : policies->front().status;
    log::Warn("Kafka does not say whether the control topic is compacted; it is taken to be",
              {{"topic", options_.topic}, {"error", Std(why.message())}});
    return absl::OkStatus();
  }
  if (policies->front().compacted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the topic is not compacted, so blocks would be lost with its retention: set "
      "cleanup.policy=compact");
}

absl::Status CompactedTopic::StartPartitions(int32_t first, int32_t count) {
  std::vector<OffsetQuery> queries;
  for (int32_t i = first; i < count; ++i) {
    queries.push_back({.topic = options_.topic, .partition = i, .what = kLogStart});
  }
  const auto starts = LookUpOffsets(*client_, queries, options_.request_timeout);
  for (size_t i = 0; i < starts.size(); ++i) {
    if (!starts[i].ok()) return starts[i].status();
    const int32_t partition = first + static_cast<int32_t>(i);
    const absl::Status started =
        reader_->StartPartition(options_.topic, partition, std::max<int64_t>(0, *starts[i]),
                                static_cast<uint64_t>(partition) + 1);
    if (!started.ok()) return started;
    at_end_.push_back(false);
    ++reading_;
  }
  return absl::OkStatus();
}

absl::Status CompactedTopic::Take() {
  absl::Status failed;
  bool more = true;
  while (more && failed.ok() && !stopping_.load(std::memory_order_acquire)) {
    more = reader_->Poll(kRecordsATurn, [&](const PartitionEvent& event) {
      const auto partition = static_cast<size_t>(event.cookie - 1);
      switch (event.kind) {
        case PartitionEvent::Kind::kRecord:
          sink_.OnRecord(*event.record);
          break;
        case PartitionEvent::Kind::kEof:
          if (at_end_[partition]) break;
          at_end_[partition] = true;
          if (--reading_ == 0) sink_.OnWhole();
          break;
        case PartitionEvent::Kind::kError:
          if (event.ended) {
            failed = absl::UnavailableError(
                absl::StrCat("partition ", partition, ": ", PartitionErrorName(event.error)));
          } else if (reading_ > 0) {
            sink_.OnProblem(absl::StrCat(options_.topic, ": ", PartitionErrorName(event.error),
                                         ": ",
                                         absl::string_view(event.text.data(), event.text.size())));
          }
          break;
      }
    });
  }
  return failed;
}

absl::Status CompactedTopic::Follow() {
  auto partitions = Prepare();
  if (!partitions.ok()) return partitions.status();
  reader_ = consumer_->NewReader(wake_fd_);
  at_end_.clear();
  reading_ = 0;
  if (absl::Status status = StartPartitions(0, *partitions); !status.ok()) return status;
  MonoTime look_again = std::chrono::steady_clock::now() + options_.look_again;
  while (!stopping_.load(std::memory_order_acquire)) {
    Wait(options_.turn);
    if (absl::Status status = Take(); !status.ok()) return status;
    sink_.OnTurn();
    if (std::chrono::steady_clock::now() < look_again) continue;
    look_again = std::chrono::steady_clock::now() + options_.look_again;
    // While Kafka is away nothing is known, and nothing has to be begun anew.
    const auto topic = DescribeTopic(*client_, options_.topic, options_.request_timeout);
    if (!topic.ok() || !topic->status.ok() || topic->partitions <= *partitions) continue;
    if (absl::Status status = StartPartitions(*partitions, topic->partitions); !status.ok()) {
      return status;
    }
    *partitions = topic->partitions;
  }
  return absl::OkStatus();
}

}  // namespace spillway::ingest
