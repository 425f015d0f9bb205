#include "services/ingest/kafka/shard_reader.h"

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/kafka_error.h"
#include "services/ingest/kafka/partition_consumer.h"

namespace spillway::ingest {

struct ShardReader::Entry {
  std::string topic_name;
  rd_kafka_topic_t* topic;  // the consumer's
  int32_t partition;
  uint64_t cookie;
  int64_t next_offset;
};

ShardReader::ShardReader(PartitionConsumer& consumer, rd_kafka_s* client, int64_t queue_bytes,
                         int wake_fd)
    : consumer_(consumer),
      queue_(rd_kafka_queue_new(client)),
      queue_bytes_(static_cast<double>(queue_bytes)) {
  static const uint64_t kOne = 1;  // what an eventfd takes
  rd_kafka_queue_io_event_enable(queue_, wake_fd, &kOne, sizeof(kOne));
}

ShardReader::~ShardReader() {
  for (auto& [cookie, entry] : by_cookie_) rd_kafka_consume_stop(entry->topic, entry->partition);
  rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
  rd_kafka_queue_destroy(queue_);
}

absl::Status ShardReader::StartPartition(std::string_view topic, int32_t partition,
                                         int64_t from_offset, uint64_t cookie) {
  if (from_offset < 0 || partition < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("can't read ", Abs(topic), " [", partition, "] from offset ", from_offset));
  }
  std::string name(topic);
  rd_kafka_topic_t* handle = consumer_.FindTopic(name);
  if (handle == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("not a topic name: \"", name, "\""));
  if (by_cookie_.contains(cookie))
    return absl::AlreadyExistsError(absl::StrCat("cookie ", cookie, " is in use"));
  if (by_partition_.contains(Key(handle, partition)))
    return absl::AlreadyExistsError(absl::StrCat(name, " [", partition, "] is being read"));

  auto entry = std::make_unique<Entry>(Entry{.topic_name = std::move(name),
                                             .topic = handle,
                                             .partition = partition,
                                             .cookie = cookie,
                                             .next_offset = from_offset});
  if (absl::Status status = StartFetching(*entry); !status.ok()) return status;
  by_partition_[Key(handle, partition)] = entry.get();
  by_cookie_[cookie] = std::move(entry);
  return absl::OkStatus();
}

absl::Status ShardReader::StartFetching(const Entry& entry) {
  if (rd_kafka_consume_start_queue(entry.topic, entry.partition, entry.next_offset, queue_) == 0)
    return absl::OkStatus();
  return ToStatus(rd_kafka_last_error(),
                  absl::StrCat("can't read ", entry.topic_name, " [", entry.partition, "]"));
}

void ShardReader::StopPartition(uint64_t cookie) {
  const auto it = by_cookie_.find(cookie);
  if (it != by_cookie_.end()) Remove(*it->second);
}

void ShardReader::Remove(Entry& entry) {
  rd_kafka_consume_stop(entry.topic, entry.partition);
  if (last_ == &entry) last_ = nullptr;
  by_partition_.erase(Key(entry.topic, entry.partition));
  by_cookie_.erase(entry.cookie);
}

ShardReader::Entry* ShardReader::Find(const rd_kafka_topic_s* topic, int32_t partition) {
  if (last_ != nullptr && last_->topic == topic && last_->partition == partition) return last_;
  const auto it = by_partition_.find(Key(topic, partition));
  if (it == by_partition_.end()) return nullptr;
  last_ = it->second;
  return last_;
}

bool ShardReader::Poll(size_t max, Handler handler) {
  size_t handed = 0;
  // Dropped events count as work too, so that one call stays bounded.
  for (size_t taken = 0; handed < max && taken < 4 * max; ++taken) {
    EventHandle event(rd_kafka_queue_poll(queue_, 0));
    if (!event) return false;
    switch (rd_kafka_event_type(event.get())) {
      case RD_KAFKA_EVENT_FETCH:
        handed += HandleRecord(event.get(), handler) ? 1 : 0;
        break;
      case RD_KAFKA_EVENT_ERROR:
        handed += HandleError(event.get(), handler) ? 1 : 0;
        break;
      default:
        break;
    }
  }
  return true;
}

template <typename Event>
bool ShardReader::HandleRecord(Event* event, Handler handler) {
  const rd_kafka_message_t* message = rd_kafka_event_message_next(event);
  if (message == nullptr) return false;
  Entry* entry = Find(message->rkt, message->partition);
  if (entry == nullptr || message->offset < entry->next_offset) {
    counters_.stale_dropped.Add();
    return false;
  }
  entry->next_offset = message->offset + 1;

  RecordView record;
  record.offset = message->offset;
  record.message = message;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const int64_t timestamp = rd_kafka_message_timestamp(message, &type);
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp_ms = timestamp;
  if (message->key != nullptr)
    record.key.emplace(static_cast<const char*>(message->key), message->key_len);
  if (message->payload != nullptr)
    record.value.emplace(static_cast<const char*>(message->payload), message->len);
  counters_.records.Add();
  const size_t bytes = message->key_len + message->len;
  counters_.bytes.Add(bytes);
  constexpr double kShare = 1.0 / 64;
  record_bytes_ +=
      (static_cast<double>(bytes) - record_bytes_) * (record_bytes_ == 0 ? 1.0 : kShare);

  PartitionEvent out;
  out.cookie = entry->cookie;
  out.kind = PartitionEvent::Kind::kRecord;
  out.offset = message->offset;
  out.record = &record;
  handler(out);
  return true;
}

template <typename Event>
bool ShardReader::HandleError(Event* event, Handler handler) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const PartitionHandle where(rd_kafka_event_topic_partition(event));
  if (!where) return false;  // about no partition: librdkafka logs those
  rd_kafka_topic_t* topic = consumer_.FindTopic(where->topic);
  Entry* entry = topic == nullptr ? nullptr : Find(topic, where->partition);
  if (entry == nullptr) {
    counters_.stale_dropped.Add();
    return false;
  }

  PartitionEvent out;
  out.cookie = entry->cookie;
  if (error == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (where->offset > entry->next_offset) entry->next_offset = where->offset;
    counters_.eofs.Add();
    out.kind = PartitionEvent::Kind::kEof;
    out.offset = entry->next_offset;
    handler(out);
    return true;
  }

  out.kind = PartitionEvent::Kind::kError;
  out.error = ToPartitionError(error);
  if (out.error == PartitionError::kOutOfRange && where->offset < entry->next_offset) {
    // Of an earlier start. librdkafka has stopped fetching all the same.
    counters_.stale_dropped.Add();
    rd_kafka_consume_stop(entry->topic, entry->partition);
    if (StartFetching(*entry).ok()) return false;
  }
  counters_.errors.Add();
  out.ended =
      out.error == PartitionError::kOutOfRange || out.error == PartitionError::kUnknownTopic;
  // librdkafka gives no offset for an unknown topic; the one that was wanted is always known here.
  out.offset = out.error == PartitionError::kOutOfRange ? where->offset : entry->next_offset;
  out.text = rd_kafka_event_error_string(event);
  if (out.ended) Remove(*entry);
  handler(out);
  return true;
}

int64_t ShardReader::NextOffset(uint64_t cookie) const {
  const auto it = by_cookie_.find(cookie);
  return it == by_cookie_.end() ? -1 : it->second->next_offset;
}

size_t ShardReader::queued() const { return rd_kafka_queue_length(queue_); }

bool ShardReader::full() const {
  constexpr double kNearly = 0.9;  // the last fetch rarely fills it to the byte
  return static_cast<double>(queued()) * record_bytes_ >= queue_bytes_ * kNearly;
}

}  // namespace spillway::ingest
