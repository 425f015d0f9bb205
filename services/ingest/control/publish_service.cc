#include "services/ingest/control/publish_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/channel/channel_name.h"
#include "services/ingest/control/publish_stream.h"
#include "services/ingest/kafka/idempotency_key.h"

namespace spillway::ingest {
namespace {

constexpr char kPublishService[] = "spillway.v1.PublishService";

// As Kafka has them.
bool IsTopicName(std::string_view topic) {
  return !topic.empty() && topic.size() <= 249 &&
         std::all_of(topic.begin(), topic.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

v1::PublishResult Refusal(grpc::StatusCode status, std::string code, std::string message) {
  v1::PublishResult result;
  result.set_status(static_cast<int>(status));
  result.set_error_code(std::move(code));
  result.set_message(std::move(message));
  return result;
}

v1::PublishResult FromKafka(const absl::Status& status) {
  const std::string words(status.message());
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "publish_busy",
                     absl::StrCat("too much is waiting for Kafka; try again later: ", words));
    case absl::StatusCode::kDeadlineExceeded:
      return Refusal(grpc::StatusCode::DEADLINE_EXCEEDED, "publish_timeout",
                     absl::StrCat("Kafka did not confirm in time; the record may or may not have "
                                  "been written: ",
                                  words));
    case absl::StatusCode::kNotFound:
      return Refusal(grpc::StatusCode::NOT_FOUND, "publish_unknown_topic",
                     absl::StrCat("create the topic first: ", words));
    case absl::StatusCode::kPermissionDenied:
      return Refusal(grpc::StatusCode::PERMISSION_DENIED, "publish_denied",
                     absl::StrCat("Kafka does not let this ingest write there: ", words));
    case absl::StatusCode::kInvalidArgument:
      return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_rejected", words);
    default:
      return Refusal(grpc::StatusCode::UNAVAILABLE, "publish_unavailable", words);
  }
}

grpc::Status ToStatus(const v1::PublishResult& result) {
  if (result.status() == 0) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(result.status()),
          absl::StrCat(result.error_code(), ": ", result.message())};
}

}  // namespace

PublishService::PublishService(Options options, const Clock& clock, LinkHub& hub,
                               Producer* producer, const rpc::Access* access)
    : options_(std::move(options)),
      clock_(clock),
      hub_(hub),
      producer_(producer),
      access_(access),
      recent_({}, clock) {}

namespace {

v1::PublishResult PublishedAt(const std::string& topic, const ProducedAt& at) {
  v1::PublishResult result;
  result.mutable_position()->set_topic(topic);
  result.mutable_position()->set_partition(at.partition);
  result.mutable_position()->set_offset(at.offset);
  return result;
}

}  // namespace

std::optional<v1::PublishResult> PublishService::CheckDurable(
    const v1::Publication& publication) const {
  const v1::DurablePublication& durable = publication.durable();
  if (producer_ == nullptr) {
    return Refusal(grpc::StatusCode::FAILED_PRECONDITION, "publish_disabled",
                   "this ingest does not write to Kafka");
  }
  if (!IsTopicName(durable.topic())) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_bad_topic",
                   "durable.topic must be a Kafka topic name: 1 to 249 letters, digits and . _ -");
  }
  if (publication.idempotency_key().size() > kMaxIdempotencyKeyBytes) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_bad_idempotency_key",
                   absl::StrCat("idempotency_key has ", publication.idempotency_key().size(),
                                " bytes, at most ", kMaxIdempotencyKeyBytes, " are allowed"));
  }
  if (durable.headers().contains(kIdempotencyHeader)) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_bad_idempotency_key",
                   "set publication.idempotency_key: the header idempotency_key is made of it");
  }
  if (durable.value().size() > options_.max_message_bytes) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_too_large",
                   absl::StrCat("the value has ", durable.value().size(), " bytes, at most ",
                                options_.max_message_bytes,
                                " are allowed (ingest.publish.max_message_bytes)"));
  }
  return std::nullopt;
}

std::optional<v1::PublishResult> PublishService::CheckEphemeral(
    const v1::EphemeralPublication& ephemeral) const {
  if (ephemeral.channels().empty() ||
      ephemeral.channels_size() > static_cast<int>(options_.max_channels)) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_bad_channels",
                   absl::StrCat("name 1 to ", options_.max_channels, " channels"));
  }
  for (const std::string& channel : ephemeral.channels()) {
    if (const absl::Status status = ValidateChannelName(channel); !status.ok()) {
      return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_bad_channels",
                     std::string(status.message()));
    }
  }
  const size_t most = std::min(options_.max_message_bytes, options_.max_ephemeral_bytes);
  const size_t size = ephemeral.payload().size() + ephemeral.type().size() + ephemeral.key().size();
  if (size > most) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_too_large",
                   absl::StrCat("payload, type and key have ", size, " bytes, at most ", most,
                                " are allowed (ingest.publish.max_message_bytes, "
                                "ingest.limits.ephemeral_queue_bytes)"));
  }
  const auto encoding = ephemeral.encoding();
  if ((encoding == v1::PAYLOAD_ENCODING_UNSPECIFIED || encoding == v1::PAYLOAD_ENCODING_JSON) &&
      !IsJson(ephemeral.payload())) {
    return Refusal(
        grpc::StatusCode::INVALID_ARGUMENT, "publish_bad_payload",
        "the payload is not JSON; say so with ephemeral.encoding if it is not meant to be");
  }
  return std::nullopt;
}

PublishService::Publisher PublishService::PublisherOf(
    const grpc::CallbackServerContext& context) const {
  const rpc::Caller caller = rpc::CallerOf(access_, context, kPublishService);
  return {.grant = caller.principal == nullptr ? nullptr : options_.grants.Of(*caller.principal),
          .name = caller.name(),
          .address = caller.address,
          .correlation_id = caller.correlation_id};
}

// By what its caller may do. Nothing is allocated unless it is refused.
std::optional<v1::PublishResult> PublishService::CheckGrant(
    const Publisher& publisher, const v1::Publication& publication) const {
  const auto refused = [&publisher](const char* what, const std::string& name) {
    return Refusal(
        grpc::StatusCode::PERMISSION_DENIED, "publish_not_allowed",
        absl::StrCat(publisher.name.empty() ? "the caller" : publisher.name,
                     " may not publish to the ", what, " ", name, " (ingest.publish.callers)"));
  };
  if (publication.has_durable()) {
    const std::string& topic = publication.durable().topic();
    if (std::find(options_.reserved_topics.begin(), options_.reserved_topics.end(), topic) !=
        options_.reserved_topics.end()) {
      return Refusal(grpc::StatusCode::PERMISSION_DENIED, "publish_not_allowed",
                     "the control topic and the audit topic are written by edges alone");
    }
    if (publisher.grant == nullptr || !publisher.grant->AllowsTopic(topic)) {
      return refused("topic", topic);
    }
    return std::nullopt;
  }
  for (const std::string& channel : publication.ephemeral().channels()) {
    if (publisher.grant == nullptr || !publisher.grant->AllowsChannel(channel)) {
      return refused("channel", channel);
    }
  }
  return std::nullopt;
}

void PublishService::PublishOne(const Publisher& publisher, const v1::Publication& publication,
                                std::function<void(v1::PublishResult)> done) {
  std::optional<v1::PublishResult> refusal;
  if (!options_.enabled) {
    refusal = Refusal(grpc::StatusCode::FAILED_PRECONDITION, "publish_disabled",
                      "publishing is turned off (ingest.publish.enabled)");
  } else if (publication.has_durable()) {
    refusal = CheckDurable(publication);
  } else if (publication.has_ephemeral()) {
    refusal = CheckEphemeral(publication.ephemeral());
  } else {
    refusal = Refusal(grpc::StatusCode::INVALID_ARGUMENT, "publish_missing_kind",
                      "set publication.durable or publication.ephemeral");
  }
  // Behind the others: what is checked here is a name of a channel, and short enough for an answer.
  if (!refusal.has_value()) refusal = CheckGrant(publisher, publication);
  if (refusal.has_value()) {
    ++counters_.refused;
    if (on_refused_) on_refused_(publisher, publication, *refusal);
    done(*std::move(refusal));
    return;
  }
  if (publication.has_ephemeral()) {
    const v1::EphemeralPublication& ephemeral = publication.ephemeral();
    v1::Event event;
    *event.mutable_channels() = ephemeral.channels();
    event.set_type(ephemeral.type());
    event.set_key(ephemeral.key());
    event.set_payload(ephemeral.payload());
    event.set_encoding(ephemeral.encoding() == v1::PAYLOAD_ENCODING_UNSPECIFIED
                           ? v1::PAYLOAD_ENCODING_JSON
                           : ephemeral.encoding());
    event.set_event_time_us(ephemeral.event_time_us() != 0 ? ephemeral.event_time_us()
                                                           : ToUnixMicros(clock_.WallNow()));
    v1::PublishResult result;
    result.set_edges(hub_.PublishEphemeral(event));
    ++counters_.ephemeral;
    done(std::move(result));
    return;
  }
  const v1::DurablePublication& durable = publication.durable();
  ProduceRequest request;
  request.topic = durable.topic();
  if (!durable.key().empty()) request.key = durable.key();
  request.value = durable.value();
  for (const auto& [name, value] : durable.headers()) request.headers.emplace_back(name, value);
  if (!publication.idempotency_key().empty()) {
    if (const auto before = recent_.Find(durable.topic(), publication.idempotency_key());
        before.has_value()) {
      ++counters_.duplicates;
      v1::PublishResult result = PublishedAt(durable.topic(), *before);
      result.set_duplicate(true);
      return done(std::move(result));
    }
    request.headers.emplace_back(kIdempotencyHeader, publication.idempotency_key());
    request.idempotency_key = publication.idempotency_key();
  }
  // Shared: whether Kafka's client accepts it is known only after the callback was given away.
  auto shared = std::make_shared<std::function<void(v1::PublishResult)>>(std::move(done));
  const absl::Status accepted = producer_->Produce(
      request, [this, shared, topic = durable.topic(),
                key = publication.idempotency_key()](absl::StatusOr<ProducedAt> produced) {
        if (!produced.ok()) {
          ++counters_.refused;
          (*shared)(FromKafka(produced.status()));
          return;
        }
        ++counters_.durable;
        if (!key.empty()) recent_.Add(topic, key, *produced);
        (*shared)(PublishedAt(topic, *produced));
      });
  if (!accepted.ok()) {
    ++counters_.refused;
    (*shared)(FromKafka(accepted));
  }
}

grpc::ServerUnaryReactor* PublishService::Publish(grpc::CallbackServerContext* context,
                                                  const v1::PublishRequest* request,
                                                  v1::PublishResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  PublishOne(PublisherOf(*context), request->publication(),
             [reactor, response](v1::PublishResult result) {
               const grpc::Status status = ToStatus(result);
               *response->mutable_result() = std::move(result);
               reactor->Finish(status);
             });
  return reactor;
}

grpc::ServerUnaryReactor* PublishService::PublishBatch(grpc::CallbackServerContext* context,
                                                       const v1::PublishBatchRequest* request,
                                                       v1::PublishBatchResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const int count = request->publications_size();
  if (count == 0 || count > options_.max_batch) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT,
                     absl::StrCat("publish_bad_batch: a batch holds 1 to ", options_.max_batch,
                                  " publications, this one ", count)});
    return reactor;
  }
  for (int i = 0; i < count; ++i) response->add_results();
  // Each answer goes to its own place; the last one ends the call.
  auto left = std::make_shared<std::atomic<int>>(count);
  const Publisher publisher = PublisherOf(*context);
  for (int i = 0; i < count; ++i) {
    PublishOne(publisher, request->publications(i), [=](v1::PublishResult result) {
      *response->mutable_results(i) = std::move(result);
      if (left->fetch_sub(1, std::memory_order_acq_rel) == 1) reactor->Finish(grpc::Status::OK);
    });
  }
  return reactor;
}

grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>*
PublishService::PublishStream(grpc::CallbackServerContext* context) {
  return NewPublishStream(*this, PublisherOf(*context));
}

}  // namespace spillway::ingest
