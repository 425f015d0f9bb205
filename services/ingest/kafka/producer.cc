#include "services/ingest/kafka/producer.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "services/ingest/kafka/client_config.h"
#include "services/ingest/kafka/handles.h"
#include "services/ingest/kafka/kafka_error.h"

namespace spillway::ingest {

// What a record carries through librdkafka. Freed by OnDelivery.
struct Producer::Delivery {
  Producer* producer;
  Callback callback;
  int64_t bytes;
  std::string idempotency_key;
};

namespace {

using PartitionFunction = int32_t (*)(const rd_kafka_topic_t*, const void*, size_t, int32_t, void*,
                                      void*);

// librdkafka's partitioners by the names that its "partitioner" property has for them.
PartitionFunction PartitionerByName(std::string_view name) {
  if (name == "random") return rd_kafka_msg_partitioner_random;
  if (name == "consistent") return rd_kafka_msg_partitioner_consistent;
  if (name == "consistent_random") return rd_kafka_msg_partitioner_consistent_random;
  if (name == "murmur2") return rd_kafka_msg_partitioner_murmur2;
  if (name == "fnv1a") return rd_kafka_msg_partitioner_fnv1a;
  if (name == "fnv1a_random") return rd_kafka_msg_partitioner_fnv1a_random;
  return rd_kafka_msg_partitioner_murmur2_random;
}

rd_kafka_vu_t Field(rd_kafka_vtype_t type) {
  rd_kafka_vu_t field{};
  field.vtype = type;
  return field;
}

HeadersHandle MakeHeaders(const std::vector<std::pair<std::string, std::string>>& headers) {
  if (headers.empty()) return nullptr;
  HeadersHandle out(rd_kafka_headers_new(headers.size()));
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(out.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return out;
}

}  // namespace

Producer::Producer(const KafkaSettings& settings, const Options& options)
    : settings_(settings), options_(options) {}

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(const KafkaSettings& settings,
                                                           const Options& options) {
  std::unique_ptr<Producer> producer(new Producer(settings, options));
  absl::StatusOr<std::shared_ptr<KafkaClient>> client = producer->NewClient();
  if (!client.ok()) return client.status();
  {
    MutexLock lock(producer->mutex_);
    producer->client_ = *std::move(client);
  }
  producer->thread_ = std::thread([raw = producer.get()] { raw->Run(); });
  return producer;
}

absl::StatusOr<std::shared_ptr<KafkaClient>> Producer::NewClient() {
  absl::StatusOr<ConfHandle> conf = BuildConf(
      settings_, {.role = ClientRole::kProducer,
                  .delivery_timeout_ms = static_cast<int>(options_.delivery_timeout.count()),
                  .max_in_flight_messages = options_.max_in_flight_messages,
                  .max_in_flight_bytes = options_.max_in_flight_bytes,
                  .max_message_bytes = options_.max_message_bytes});
  if (!conf.ok()) return conf.status();
  rd_kafka_conf_set_dr_msg_cb(conf->get(), &Producer::OnDelivery);
  // There is one because topic properties have been set.
  rd_kafka_topic_conf_t* topic = rd_kafka_conf_get_default_topic_conf(conf->get());
  char name[64] = "";
  size_t size = sizeof(name);
  rd_kafka_topic_conf_get(topic, "partitioner", name, &size);
  by_key_ = PartitionerByName(name);
  rd_kafka_topic_conf_set_partitioner_cb(topic, &Producer::ChoosePartition);
  rd_kafka_topic_conf_set_opaque(topic, this);
  auto client = KafkaClient::Create(RD_KAFKA_PRODUCER, settings_, *std::move(conf));
  if (!client.ok()) return client.status();
  return std::shared_ptr<KafkaClient>(*std::move(client));
}

Producer::~Producer() {
  stopping_.store(true, std::memory_order_release);
  if (thread_.joinable()) thread_.join();
}

bool Producer::Reserve(int64_t bytes) {
  const int64_t messages = in_flight_.fetch_add(1, std::memory_order_relaxed) + 1;
  const int64_t total = in_flight_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  // One record alone is let through whatever its size: max_message_bytes speaks about that.
  if (messages <= options_.max_in_flight_messages &&
      (total <= options_.max_in_flight_bytes || messages == 1))
    return true;
  Release(bytes);
  return false;
}

void Producer::Release(int64_t bytes) {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  in_flight_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

absl::Status Producer::Produce(const ProduceRequest& request, Callback callback) {
  if (stopping_.load(std::memory_order_acquire)) return absl::CancelledError("shutting down");
  int64_t bytes = static_cast<int64_t>((request.key ? request.key->size() : 0) +
                                       (request.value ? request.value->size() : 0));
  for (const auto& [name, value] : request.headers)
    bytes += static_cast<int64_t>(name.size() + value.size());
  if (!Reserve(bytes)) {
    counters_.refused.Add();
    return absl::ResourceExhaustedError(
        absl::StrCat("too many records wait for Kafka's acknowledgement (limits: ",
                     options_.max_in_flight_messages, " records, ", options_.max_in_flight_bytes,
                     " bytes): slow down and try again"));
  }
  std::shared_ptr<KafkaClient> client;
  {
    MutexLock lock(mutex_);
    client = client_;
  }
  auto delivery = std::make_unique<Delivery>(
      Delivery{this, std::move(callback), bytes, std::string(request.idempotency_key)});

  std::array<rd_kafka_vu_t, 8> fields;
  size_t count = 0;
  fields[count] = Field(RD_KAFKA_VTYPE_TOPIC);
  fields[count++].u.cstr = request.topic.c_str();
  fields[count] = Field(RD_KAFKA_VTYPE_PARTITION);
  fields[count++].u.i32 = request.partition.value_or(RD_KAFKA_PARTITION_UA);
  fields[count] = Field(RD_KAFKA_VTYPE_MSGFLAGS);
  fields[count++].u.i = RD_KAFKA_MSG_F_COPY;
  fields[count] = Field(RD_KAFKA_VTYPE_OPAQUE);
  fields[count++].u.ptr = delivery.get();
  // A null pointer is Kafka's null; an empty string is not.
  const auto bytes_of = [](std::string_view text) {
    return const_cast<char*>(text.data() != nullptr ? text.data() : "");
  };
  if (request.key) {
    fields[count] = Field(RD_KAFKA_VTYPE_KEY);
    fields[count].u.mem.ptr = bytes_of(*request.key);
    fields[count++].u.mem.size = request.key->size();
  }
  if (request.value) {
    fields[count] = Field(RD_KAFKA_VTYPE_VALUE);
    fields[count].u.mem.ptr = bytes_of(*request.value);
    fields[count++].u.mem.size = request.value->size();
  }
  if (request.timestamp_ms != 0) {
    fields[count] = Field(RD_KAFKA_VTYPE_TIMESTAMP);
    fields[count++].u.i64 = request.timestamp_ms;
  }
  HeadersHandle headers = MakeHeaders(request.headers);
  if (headers) {
    fields[count] = Field(RD_KAFKA_VTYPE_HEADERS);
    fields[count++].u.headers = headers.get();
  }
  const ErrorHandle error(rd_kafka_produceva(client->get(), fields.data(), count));
  if (error) {
    Release(bytes);
    counters_.refused.Add();
    return ToStatus(rd_kafka_error_code(error.get()),
                    absl::StrCat("can't publish to ", request.topic));
  }
  (void)headers.release();   // librdkafka's now
  (void)delivery.release();  // OnDelivery's now
  counters_.accepted.Add();
  return absl::OkStatus();
}

int32_t Producer::ChoosePartition(const rd_kafka_topic_s* topic, const void* key, size_t key_size,
                                  int32_t partitions, void* topic_opaque, void* message_opaque) {
  const auto* delivery = static_cast<const Delivery*>(message_opaque);
  if (key == nullptr && delivery != nullptr && !delivery->idempotency_key.empty()) {
    return rd_kafka_msg_partitioner_murmur2(topic, delivery->idempotency_key.data(),
                                            delivery->idempotency_key.size(), partitions, nullptr,
                                            nullptr);
  }
  return static_cast<Producer*>(topic_opaque)
      ->by_key_(topic, key, key_size, partitions, nullptr, nullptr);
}

void Producer::OnDelivery(rd_kafka_s* /*client*/, const rd_kafka_message_s* message,
                          void* /*opaque*/) {
  const std::unique_ptr<Delivery> delivery(static_cast<Delivery*>(message->_private));
  Producer& self = *delivery->producer;
  self.Release(delivery->bytes);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    self.counters_.delivered.Add();
    delivery->callback(ProducedAt{.partition = message->partition, .offset = message->offset});
    return;
  }
  self.counters_.failed.Add();
  delivery->callback(
      ToStatus(message->err, rd_kafka_message_status(message),
               absl::StrCat("not published to ", rd_kafka_topic_name(message->rkt))));
}

void Producer::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    std::shared_ptr<KafkaClient> client;
    {
      MutexLock lock(mutex_);
      client = client_;
    }
    rd_kafka_poll(client->get(), 50);
    if (rd_kafka_fatal_error(client->get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      client.reset();
      ReplaceClient();
    }
  }
  std::shared_ptr<KafkaClient> client;
  {
    MutexLock lock(mutex_);
    client = client_;
  }
  rd_kafka_flush(client->get(), static_cast<int>(options_.stop_timeout.count()));
  rd_kafka_purge(client->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  Drain(client, std::chrono::steady_clock::now() + std::chrono::seconds(2));
}

void Producer::ReplaceClient() {
  char text[256] = "";
  std::shared_ptr<KafkaClient> old;
  {
    MutexLock lock(mutex_);
    old = client_;
  }
  rd_kafka_fatal_error(old->get(), text, sizeof(text));
  log::Error("the Kafka producer failed and is replaced", {{"detail", text}});
  absl::StatusOr<std::shared_ptr<KafkaClient>> fresh = NewClient();
  if (!fresh.ok()) {  // the same settings worked before: out of threads or memory; try again
    rd_kafka_poll(old->get(), 500);
    return;
  }
  {
    MutexLock lock(mutex_);
    client_ = *std::move(fresh);
  }
  counters_.replaced.Add();
  rd_kafka_purge(old->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  Drain(old, std::chrono::steady_clock::now() + std::chrono::seconds(2));
}

void Producer::Drain(const std::shared_ptr<KafkaClient>& client, MonoTime deadline) {
  while (rd_kafka_outq_len(client->get()) > 0 && std::chrono::steady_clock::now() < deadline)
    rd_kafka_poll(client->get(), 10);
}

}  // namespace spillway::ingest
