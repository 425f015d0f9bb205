#include "services/ingest/kafka/written_topic.h"

#include <pthread.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/cluster_query.h"
#include "services/ingest/kafka/create_topic.h"

namespace spillway::ingest {

WrittenTopic::WrittenTopic(Options options, Told told, std::unique_ptr<KafkaClient> client)
    : options_(std::move(options)), told_(std::move(told)), client_(std::move(client)) {}

absl::StatusOr<std::unique_ptr<WrittenTopic>> WrittenTopic::Create(const KafkaSettings& settings,
                                                                   Options options, Told told) {
  absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = ClientRole::kProber});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  return std::unique_ptr<WrittenTopic>(
      new WrittenTopic(std::move(options), std::move(told), *std::move(client)));
}

WrittenTopic::~WrittenTopic() { Stop(); }

void WrittenTopic::Start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "ingest-topic");
    Run();
  });
}

void WrittenTopic::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void WrittenTopic::Look() {
  MutexLock lock(mutex_);
  look_ = true;
  wake_.NotifyAll();
}

void WrittenTopic::Run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      while (!look_ && !stopping_) wake_.Wait(mutex_);
      if (stopping_) return;
      look_ = false;
    }
    const absl::Status status = Prepare();
    const std::string problem =
        status.ok() ? std::string() : absl::StrCat(options_.topic, ": ", status.message());
    if (!problem.empty() && problem != last_problem_) {
      log::Warn("a topic cannot be written to; trying again", {{"problem", problem}});
    }
    last_problem_ = problem;
    told_(problem);
    // Not at once again, whoever asks: each failed write does.
    MutexLock lock(mutex_);
    if (!status.ok()) look_ = true;
    const auto again = std::chrono::steady_clock::now() + options_.retry;
    while (!stopping_ && wake_.WaitUntil(mutex_, again)) {
    }
  }
}

absl::Status WrittenTopic::Prepare() {
  const auto topic = DescribeTopic(*client_, options_.topic, options_.request_timeout);
  if (!topic.ok()) return topic.status();
  if (!absl::IsNotFound(topic->status)) return topic->status;
  if (!options_.create) {
    return absl::NotFoundError(
        absl::StrCat("the topic is not there: create it, or allow ", options_.setting));
  }
  const absl::Status made =
      CreateTopic(*client_, {.name = options_.topic, .replication = options_.replication},
                  options_.request_timeout);
  if (!made.ok() && !absl::IsAlreadyExists(made)) {
    return absl::Status(made.code(), absl::StrCat("the topic is not there and cannot be created: ",
                                                  made.message()));
  }
  if (made.ok()) log::Info("a topic was created", {{"topic", options_.topic}});
  return absl::OkStatus();
}

}  // namespace spillway::ingest
