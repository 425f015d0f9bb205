#include "services/ingest/kafka/lag_commits.h"

#include <algorithm>

#include "common/base/clock.h"
#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/handles.h"

namespace spillway::ingest {
namespace {

// rd_kafka_commit() waits for ever while the group has no coordinator.
rd_kafka_resp_err_t CommitWithin(rd_kafka_t* client, const rd_kafka_topic_partition_list_t* offsets,
                                 std::chrono::milliseconds timeout) {
  // Its own: an answer that comes too late goes with it.
  const QueueHandle answers(rd_kafka_queue_new(client));
  const rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(client, offsets, answers.get(), nullptr, nullptr);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
  const EventHandle answer(rd_kafka_queue_poll(answers.get(), static_cast<int>(timeout.count())));
  return answer == nullptr ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(answer.get());
}

}  // namespace

LagCommits::LagCommits(const Options& options) : options_(options) {}

absl::StatusOr<std::unique_ptr<LagCommits>> LagCommits::Create(const KafkaSettings& settings,
                                                               const Options& options) {
  if (settings.group_id.empty())
    return absl::InvalidArgumentError("kafka.group_id is empty: nothing to commit offsets under");
  absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = ClientRole::kCommitter});
  if (!conf.ok()) return conf.status();
  auto client = KafkaClient::Create(RD_KAFKA_CONSUMER, settings, *std::move(conf));
  if (!client.ok()) return client.status();
  std::unique_ptr<LagCommits> commits(new LagCommits(options));
  commits->client_ = *std::move(client);
  commits->thread_ = std::thread([raw = commits.get()] { raw->Run(); });
  return commits;
}

LagCommits::~LagCommits() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void LagCommits::Processed(std::string_view topic, int32_t partition, int64_t next_offset) {
  MutexLock lock(mutex_);
  Partition key(topic, partition);
  const auto it = moved_.find(key);
  if (it != moved_.end())
    it->second = std::max(it->second, next_offset);
  else if (moved_.size() < options_.max_partitions)
    moved_.emplace(std::move(key), next_offset);
}

void LagCommits::Run() {
  bool stopping = false;
  bool answered = true;
  while (!stopping) {
    Marks marks;
    {
      MutexLock lock(mutex_);
      const MonoTime deadline = std::chrono::steady_clock::now() + options_.interval;
      while (!stopping_ && std::chrono::steady_clock::now() < deadline)
        wake_.WaitUntil(mutex_, deadline);
      stopping = stopping_;
      marks.swap(moved_);
    }
    if (marks.empty() || (stopping && !answered)) continue;
    answered = Commit(marks, stopping ? options_.last_timeout : options_.request_timeout);
  }
}

bool LagCommits::Commit(const Marks& marks, std::chrono::milliseconds timeout) {
  const PartitionListHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(marks.size())));
  for (const auto& [partition, offset] : marks)
    rd_kafka_topic_partition_list_add(list.get(), partition.first.c_str(), partition.second);
  if (rd_kafka_committed(client_->get(), list.get(), static_cast<int>(timeout.count())) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    counters_.errors.Add();
    return false;
  }
  const PartitionListHandle higher(rd_kafka_topic_partition_list_new(list->cnt));
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& committed = list->elems[i];
    const int64_t mark = marks.at(Partition(committed.topic, committed.partition));
    if (committed.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      counters_.errors.Add();
    } else if (mark > committed.offset) {
      rd_kafka_topic_partition_list_add(higher.get(), committed.topic, committed.partition)
          ->offset = mark;
    }
  }
  if (higher->cnt == 0) return true;
  const rd_kafka_resp_err_t error = CommitWithin(client_->get(), higher.get(), timeout);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
    counters_.committed.Add(static_cast<uint64_t>(higher->cnt));
  else
    counters_.errors.Add();
  return error != RD_KAFKA_RESP_ERR__TIMED_OUT;
}

}  // namespace spillway::ingest
