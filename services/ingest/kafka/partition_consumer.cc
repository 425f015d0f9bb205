#include "services/ingest/kafka/partition_consumer.h"

#include <utility>

#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/shard_reader.h"

namespace spillway::ingest {

struct PartitionConsumer::Topics {
  std::map<std::string, TopicHandle> by_name;
};

PartitionConsumer::PartitionConsumer() : topics_(std::make_unique<Topics>()) {}

PartitionConsumer::~PartitionConsumer() { topics_.reset(); }

absl::StatusOr<std::unique_ptr<PartitionConsumer>> PartitionConsumer::Create(
    const KafkaSettings& settings, const Options& options) {
  absl::StatusOr<ConfHandle> conf =
      BuildConf(settings, {.role = ClientRole::kReader,
                           .queue_bytes = options.queue_bytes,
                           .fetch_max_bytes = options.fetch_max_bytes});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  std::unique_ptr<PartitionConsumer> consumer(new PartitionConsumer());
  consumer->client_ = *std::move(client);
  consumer->queue_bytes_ = options.queue_bytes;
  return consumer;
}

std::unique_ptr<ShardReader> PartitionConsumer::NewReader(int wake_fd) {
  return std::unique_ptr<ShardReader>(
      new ShardReader(*this, client_->get(), queue_bytes_, wake_fd));
}

rd_kafka_topic_s* PartitionConsumer::FindTopic(const std::string& name) {
  if (name.empty()) return nullptr;
  MutexLock lock(mutex_);
  auto it = topics_->by_name.find(name);
  if (it == topics_->by_name.end()) {
    TopicHandle topic(rd_kafka_topic_new(client_->get(), name.c_str(), nullptr));
    if (!topic) return nullptr;
    it = topics_->by_name.emplace(name, std::move(topic)).first;
  }
  return it->second.get();
}

}  // namespace spillway::ingest
