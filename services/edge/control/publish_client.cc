#include "services/edge/control/publish_client.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/channel/channel_hash.h"
#include "common/rpc/credentials.h"
#include "spillway/v1/publish.pb.h"

namespace spillway::edge {
namespace {

constexpr char kPublishBatch[] = "/spillway.v1.PublishService/PublishBatch";

// Codes of an ingest that has not published anything, nor will.
constexpr std::array<std::string_view, 11> kRefusals = {"publish_disabled",
                                                        "publish_missing_kind",
                                                        "publish_bad_topic",
                                                        "publish_bad_channels",
                                                        "publish_bad_idempotency_key",
                                                        "publish_bad_payload",
                                                        "publish_unknown_topic",
                                                        "publish_denied",
                                                        "publish_not_allowed",
                                                        "publish_rejected",
                                                        "publish_bad_batch"};

// Its length stands before it, so that no two lists of texts make the same whole.
void AppendPart(std::string* whole, std::string_view part) {
  absl::StrAppend(whole, part.size(), ":");
  whole->append(part);
}

v1::Publication ToProto(const Publication& from) {
  v1::Publication to;
  if (!from.target->durable()) {
    v1::EphemeralPublication& ephemeral = *to.mutable_ephemeral();
    ephemeral.add_channels(from.channel);
    ephemeral.set_type(from.target->event);
    ephemeral.set_key(from.key);
    ephemeral.set_payload(from.data);
    ephemeral.set_encoding(v1::PAYLOAD_ENCODING_JSON);
    return to;
  }
  v1::DurablePublication& durable = *to.mutable_durable();
  durable.set_topic(from.target->topic);
  // One partition for a channel: what is published to it keeps its order.
  durable.set_key(from.channel);
  durable.set_value(from.data);
  auto& headers = *durable.mutable_headers();
  headers[kChannelHeader] = from.channel;
  headers[kRestHeader] = from.rest;
  if (!from.user_id.empty()) headers[kUserHeader] = from.user_id;
  if (!from.key.empty()) headers[kKeyHeader] = from.key;
  to.set_idempotency_key(IdempotencyKeyOf(from));
  return to;
}

PublishAnswer AnswerOf(const v1::PublishResult& result) {
  PublishAnswer answer;
  const std::string& code = result.error_code();
  if (result.status() == 0) {
    answer.outcome = PublishOutcome::kPublished;
    answer.duplicate = result.duplicate();
    answer.topic = result.position().topic();
    answer.partition = result.position().partition();
    answer.offset = result.position().offset();
  } else if (code == "publish_timeout") {
    answer.outcome = PublishOutcome::kUnknown;
  } else if (code == "publish_busy") {
    answer.outcome = PublishOutcome::kBusy;
  } else if (code == "publish_unavailable") {
    answer.outcome = PublishOutcome::kUnavailable;
  } else if (code == "publish_too_large") {
    answer.outcome = PublishOutcome::kTooLarge;
  } else if (std::find(kRefusals.begin(), kRefusals.end(), code) != kRefusals.end()) {
    answer.outcome = PublishOutcome::kFailed;
  } else {
    // One that is yet to come may say anything.
    answer.outcome = PublishOutcome::kUnknown;
  }
  return answer;
}

// What may have been published is not taken back by what another try says, unless that it was.
void Settle(PublishAnswer* answer, PublishAnswer next) {
  if (answer->outcome == PublishOutcome::kUnknown && next.outcome != PublishOutcome::kPublished) {
    return;
  }
  *answer = std::move(next);
}

// Of a call that was not answered.
PublishOutcome OutcomeOf(const grpc::Status& status) {
  switch (status.error_code()) {
    // Before anything of it was looked at: who calls, what, and how large it is.
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::UNIMPLEMENTED:
      return PublishOutcome::kFailed;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return PublishOutcome::kBusy;
    default:
      return PublishOutcome::kUnknown;
  }
}

}  // namespace

std::string IdempotencyKeyOf(const Publication& publication) {
  if (publication.idempotency_key.empty()) return "";
  std::string whole;
  // Whoever has no name is a user of its own.
  AppendPart(&whole, publication.user_id);
  AppendPart(&whole, publication.user_id.empty() ? publication.connection : "");
  AppendPart(&whole, publication.channel);
  AppendPart(&whole, publication.idempotency_key);
  const rpc::TokenDigest digest = rpc::DigestOf(whole);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string IngestFor(uint64_t place, const std::vector<std::string>& ingests,
                      const std::vector<std::string>& tried) {
  const std::string* best = nullptr;
  uint64_t most = 0;
  for (const std::string& ingest : ingests) {
    if (std::find(tried.begin(), tried.end(), ingest) != tried.end()) continue;
    const uint64_t score = ChannelHash(absl::StrCat(place, " ", ingest));
    if (best != nullptr && score <= most) continue;
    best = &ingest;
    most = score;
  }
  return best == nullptr ? "" : *best;
}

struct PublishClient::Attempt {
  uint64_t place = 0;
  std::shared_ptr<const Batch> batch;
  std::vector<PublishAnswer> answers;
  std::vector<size_t> left;  // of the batch, to be asked for
  std::vector<std::string> tried;
  v1::PublishBatchResponse response;
  MonoTime deadline;
  Done done;
};

void PublishClient::Publish(uint64_t place, std::shared_ptr<const Batch> batch, Done done) {
  const auto attempt = std::make_shared<Attempt>();
  attempt->place = place;
  attempt->answers.resize(batch->size());
  for (size_t i = 0; i < batch->size(); ++i) attempt->left.push_back(i);
  attempt->batch = std::move(batch);
  attempt->deadline = clock_.Now() + options_.timeout;
  attempt->done = std::move(done);
  Try(attempt);
}

void PublishClient::Try(const std::shared_ptr<Attempt>& attempt) {
  const auto time =
      std::chrono::duration_cast<std::chrono::milliseconds>(attempt->deadline - clock_.Now());
  const std::string address = attempt->left.empty() || time.count() <= 0
                                  ? std::string()
                                  : IngestFor(attempt->place, ingests_(), attempt->tried);
  if (address.empty()) return attempt->done(std::move(attempt->answers));
  attempt->tried.push_back(address);
  v1::PublishBatchRequest request;
  for (const size_t i : attempt->left) *request.add_publications() = ToProto((*attempt->batch)[i]);
  calls_.Call(
      address, kPublishBatch, request, &attempt->response, time,
      [this, attempt, address](const grpc::Status& status) {
        OnStatus(*attempt, address, status);
        Try(attempt);
      },
      /*actor=*/"", attempt->batch->front().correlation_id);
}

// Sets answers, and what is left to be asked of another ingest.
void PublishClient::OnStatus(Attempt& attempt, const std::string& address,
                             const grpc::Status& status) {
  const std::vector<size_t> asked = std::exchange(attempt.left, {});
  if (NodeCalls::WasNotSent(status)) return;  // what was known of them still holds
  const v1::PublishBatchResponse response = std::exchange(attempt.response, {});
  const bool answered = status.ok() && response.results_size() == static_cast<int>(asked.size());
  if (!status.ok() && OutcomeOf(status) == PublishOutcome::kFailed) {
    Log(attempt, address, status.error_message());
  }
  for (size_t i = 0; i < asked.size(); ++i) {
    const Publication& publication = (*attempt.batch)[asked[i]];
    PublishAnswer& answer = attempt.answers[asked[i]];
    bool again = false;
    if (answered) {
      const v1::PublishResult& result = response.results(static_cast<int>(i));
      PublishAnswer next = AnswerOf(result);
      const PublishOutcome outcome = next.outcome;
      Settle(&answer, std::move(next));
      again = result.error_code() == "publish_disabled";  // on that ingest
      if (outcome == PublishOutcome::kFailed ||
          (outcome == PublishOutcome::kUnknown && result.error_code() != "publish_timeout")) {
        Log(attempt, address, absl::StrCat(result.error_code(), ": ", result.message()));
      }
    } else {
      const PublishOutcome outcome = status.ok() ? PublishOutcome::kUnknown : OutcomeOf(status);
      Settle(&answer, {.outcome = outcome});
      again = outcome == PublishOutcome::kUnknown && publication.target->durable() &&
              !publication.idempotency_key.empty();
    }
    if (again) attempt.left.push_back(asked[i]);
  }
}

// Clients are told no more than that it failed: what topics there are is none of their business.
void PublishClient::Log(const Attempt& attempt, const std::string& address,
                        const std::string& why) {
  const PublishTarget& target = *attempt.batch->front().target;
  log_.Warn(absl::StrCat(address, " ", target.topic, " ", why.substr(0, why.find(':'))),
            "an ingest refused what a client published",
            {{"ingest", address}, {"topic", target.topic}, {"detail", why}});
}

}  // namespace spillway::edge
