#include "services/ingest/kafka/client_config.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/log/rate_limited.h"

namespace spillway::ingest {
namespace {

using Properties = std::vector<std::pair<std::string, std::string>>;

struct Reserved {
  std::string_view name;
  std::string_view instead;
};
// Aliases of librdkafka included: either name would undo what is relied on.
constexpr std::array<Reserved, 15> kReserved = {{
    {"bootstrap.servers", "set kafka.brokers"},
    {"metadata.broker.list", "set kafka.brokers"},
    {"client.id", "set kafka.client_id"},
    {"group.id", "set kafka.group_id"},
    {"auto.offset.reset", "Spillway finds and reports every gap itself"},
    {"enable.partition.eof", "Spillway relies on it to find the end of a partition"},
    {"enable.auto.commit", "Spillway keeps no state in committed offsets"},
    {"auto.commit.enable", "Spillway keeps no state in committed offsets"},
    {"enable.auto.offset.store", "Spillway keeps no state in committed offsets"},
    {"enable.idempotence", "published records must not be repeated or reordered"},
    {"acks", "a published record is answered once all in-sync replicas have it"},
    {"request.required.acks", "a published record is answered once all in-sync replicas have it"},
    {"sticky.partitioning.linger.ms", "records without a key are placed by idempotency key"},
    {"test.mock.num.brokers", "start the embedded broker instead"},
    {"log.queue", "Spillway's log takes librdkafka's lines"},
}};

bool IsSecret(std::string_view name) {
  return log::IsSecretName(name) || absl::StrContains(Abs(name), ".pem") ||
         absl::StrContains(Abs(name), "oauthbearer.config");
}

// The environment's certificate bundle and reconnect pace matter on every role.
Properties CommonDefaults() {
  return {
      {"reconnect.backoff.ms", "100"},
      {"reconnect.backoff.max.ms", "1000"},  // a broker that is back is used within a second or so
      {"socket.keepalive.enable", "true"},
      {"log.connection.close", "false"},  // brokers close idle connections; that is no news
      {"topic.metadata.refresh.interval.ms", "5000"},  // how soon a new partition can be read
  };
}

Properties Defaults(const KafkaSettings& settings, const ClientOptions& options) {
  Properties all = CommonDefaults();
  const auto add = [&all](std::string_view name, auto value) {
    all.emplace_back(name, absl::StrCat(value));
  };
  switch (options.role) {
    case ClientRole::kReader:
      add("isolation.level", "read_committed");
      add("socket.timeout.ms", 6000);
      // librdkafka has one Fetch in flight per broker, and what starts while it waits has to wait
      // with it: so short. A real broker answers at once when there are records; the embedded one
      // sleeps for the whole time.
      add("fetch.wait.max.ms", settings.embedded_broker ? 10 : 100);
      add("fetch.error.backoff.ms", 200);
      add("fetch.max.bytes", options.fetch_max_bytes);
      add("message.max.bytes", std::min<int64_t>(options.fetch_max_bytes, 1'000'000));
      add("max.partition.fetch.bytes", std::min<int64_t>(options.fetch_max_bytes, 1 << 20));
      add("queued.max.messages.kbytes", std::max<int64_t>(options.queue_bytes >> 10, 1));
      add("queued.min.messages", 1'000'000);  // bytes are what bounds the queue
      break;
    case ClientRole::kProber:
      add("isolation.level", "read_committed");  // makes ListOffsets answer the last stable offset
      // A request that a paused broker does not answer must not hold up the probes behind it.
      add("socket.timeout.ms", 3000);
      add("fetch.wait.max.ms", 10);
      break;
    case ClientRole::kProducer:
      add("linger.ms", 1);
      add("message.timeout.ms", options.delivery_timeout_ms);
      add("message.max.bytes", options.max_message_bytes);
      // A mistyped topic is an error, not a new topic. librdkafka calls this a consumer's property
      // and heeds it in producers all the same.
      add("allow.auto.create.topics", "false");
      add("partitioner", "murmur2_random");  // as Java's clients place keys
      // An unknown topic is reported before the delivery timeout makes its error a vague one.
      add("topic.metadata.propagation.max.ms", std::max(options.delivery_timeout_ms / 2, 100));
      add("retry.backoff.ms", 50);
      break;
    case ClientRole::kCommitter:
      add("socket.timeout.ms", 6000);
      break;
  }
  return all;
}

Properties Forced(const KafkaSettings& settings, const ClientOptions& options) {
  Properties all = {{"bootstrap.servers", settings.brokers}};
  if (!settings.client_id.empty()) all.emplace_back("client.id", settings.client_id);
  if (options.role == ClientRole::kProducer) {
    all.emplace_back("enable.idempotence", "true");
    all.emplace_back("acks", "all");
    // Otherwise librdkafka places records without a key itself and does not ask Producer, which
    // places them by their idempotency key.
    all.emplace_back("sticky.partitioning.linger.ms", "0");
    // Producer's own bounds come first; these leave it room.
    all.emplace_back("queue.buffering.max.messages",
                     absl::StrCat(options.max_in_flight_messages + 1000));
    all.emplace_back("queue.buffering.max.kbytes",
                     absl::StrCat((options.max_in_flight_bytes >> 10) * 2 + (16 << 10)));
    return all;
  }
  all.emplace_back("auto.offset.reset", "error");
  all.emplace_back("enable.partition.eof", "true");
  all.emplace_back("enable.auto.commit", "false");
  all.emplace_back("enable.auto.offset.store", "false");
  if (options.role == ClientRole::kCommitter) all.emplace_back("group.id", settings.group_id);
  return all;
}

absl::Status SetProperty(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char text[512] = "";
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof(text)) == RD_KAFKA_CONF_OK)
    return absl::OkStatus();
  // librdkafka quotes the value that it refuses.
  return absl::InvalidArgumentError(
      absl::StrCat("kafka.properties: ", name, ": ",
                   IsSecret(name) ? "librdkafka refused the value (a secret, not shown)" : text));
}

// For clients whose settings name none.
const std::shared_ptr<log::RateLimited>& DefaultLimit() {
  static const auto* const limit = new std::shared_ptr<log::RateLimited>(
      std::make_shared<log::RateLimited>(Clock::Real(), std::chrono::seconds(10), 64));
  return *limit;
}

}  // namespace

absl::StatusOr<ConfHandle> BuildConf(const KafkaSettings& settings, const ClientOptions& options) {
  if (settings.brokers.find_first_not_of(" ,\t") == std::string::npos)
    return absl::InvalidArgumentError("kafka.brokers is empty: expected host:port[,host:port...]");
  for (const Reserved& reserved : kReserved) {
    if (settings.properties.contains(std::string(reserved.name)))
      return absl::InvalidArgumentError(absl::StrCat(
          "kafka.properties: ", Abs(reserved.name), " can't be set here: ", Abs(reserved.instead)));
  }
  ConfHandle conf(rd_kafka_conf_new());
  for (const auto& [name, value] : Defaults(settings, options)) {
    if (absl::Status status = SetProperty(conf.get(), name, value); !status.ok()) return status;
  }
  for (const auto& [name, value] : settings.properties) {
    if (absl::Status status = SetProperty(conf.get(), name, value); !status.ok()) return status;
  }
  for (const auto& [name, value] : Forced(settings, options)) {
    if (absl::Status status = SetProperty(conf.get(), name, value); !status.ok()) return status;
  }
  return conf;
}

absl::Status CheckSettings(const KafkaSettings& settings) {
  for (ClientRole role : {ClientRole::kReader, ClientRole::kProber, ClientRole::kProducer}) {
    absl::StatusOr<ConfHandle> conf = BuildConf(settings, {.role = role});
    if (!conf.ok()) return conf.status();
    // Some rules span properties and are only looked at when an instance is made.
    auto client =
        KafkaClient::Create(role == ClientRole::kProducer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                            settings, *std::move(conf));
    if (!client.ok()) return client.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<KafkaClient>> KafkaClient::Create(rd_kafka_type_t type,
                                                                 const KafkaSettings& settings,
                                                                 ConfHandle conf) {
  std::unique_ptr<KafkaClient> client(new KafkaClient());
  client->log_limit_ = settings.log_limit != nullptr ? settings.log_limit : DefaultLimit();
  rd_kafka_conf_set_log_cb(conf.get(), &KafkaClient::OnLog);
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  char text[512] = "";
  rd_kafka_t* raw = rd_kafka_new(type, conf.get(), text, sizeof(text));
  if (raw == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("kafka.properties: ", text));
  }
  (void)conf.release();  // rd_kafka_new took it
  client->client_.reset(raw);
  return client;
}

KafkaClient::~KafkaClient() { client_.reset(); }

std::string KafkaClient::LastProblem() const {
  MutexLock lock(mutex_);
  return problem_;
}

void KafkaClient::ClearProblem() {
  MutexLock lock(mutex_);
  problem_.clear();
}

// Called from librdkafka's own threads.
void KafkaClient::OnLog(const rd_kafka_t* client, int level, const char* facility,
                        const char* text) {
  std::string_view words(text);
  if (words.starts_with("[thrd:")) {
    const size_t end = words.find("]: ");
    if (end != std::string_view::npos) words.remove_prefix(end + 3);
  }
  const std::string_view kind(facility);
  // One set of properties serves producers and consumers: this warning would only say that.
  const bool expected =
      kind == "CONFWARN" && (absl::StrContains(Abs(words), "is a producer property") ||
                             absl::StrContains(Abs(words), "is a consumer property"));
  if (expected || level >= 7) {
    log::Debug("kafka client", {{"kind", kind}, {"detail", words}});
    return;
  }
  auto* self = static_cast<KafkaClient*>(rd_kafka_opaque(client));
  if (self != nullptr && level <= 4 && kind != "CONFWARN") {
    MutexLock lock(self->mutex_);
    self->problem_.assign(words);
  }
  const auto& limit = self != nullptr ? self->log_limit_ : DefaultLimit();
  limit->Log(level <= 4 ? log::Level::kWarn : log::Level::kInfo, kind, "kafka client",
             {{"kind", kind}, {"detail", words}});
}

}  // namespace spillway::ingest
