// Session: what a client publishes.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/strings.h"
#include "common/channel/channel_name.h"
#include "services/edge/session/publish_data.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

struct Words {
  std::string_view code;
  std::string_view text;
};

// Why it is not published, or not known to be (docs/protocol-json.md).
Words WordsFor(PublishOutcome outcome) {
  switch (outcome) {
    case PublishOutcome::kNotAllowed:
      return {"publish_not_allowed", "this client may not publish to the channel"};
    case PublishOutcome::kRateLimited:
      return {"publish_rate_limited", "too many in a short time: wait, then publish it again"};
    case PublishOutcome::kTooMany:
      return {"too_many_publishes",
              "too many of this connection are not answered yet: wait for answers, then publish it "
              "again"};
    case PublishOutcome::kTooManyNode:
      return {"too_many_node_publishes",
              "too many of all clients of this node are not answered yet: publish it again in a "
              "while"};
    case PublishOutcome::kBadData:
      return {"publish_bad_data",
              "'data' must be an object here, without the member in which the server says who "
              "published it"};
    case PublishOutcome::kTooLarge:
      return {"publish_too_large", "it is larger than the server takes"};
    case PublishOutcome::kBusy:
      return {"publish_busy", "too much waits to be written; nothing was published: again later"};
    case PublishOutcome::kUnavailable:
    case PublishOutcome::kLeft:
      return {"publish_unavailable",
              "it cannot be published at the moment; nothing was published: again later"};
    case PublishOutcome::kFailed:
      return {"publish_failed", "the server is not set up to publish there; nothing was published"};
    case PublishOutcome::kUnknown:
    case PublishOutcome::kPublished:
      break;
  }
  return {"publish_outcome_unknown",
          "it may have been published, or not: publishing it again may repeat it, unless it has an "
          "idempotency_key"};
}

}  // namespace

void Session::RefusePublish(std::optional<int64_t> id, std::string_view channel,
                            PublishOutcome why) {
  context_.counters.publishes[static_cast<size_t>(why)].Add();
  const Words words = WordsFor(why);
  SendError(id, words.code, words.text, channel);
}

void Session::Publish(const Command& command, MonoTime now) {
  const std::string_view channel = command.channels[0];
  if (const absl::Status status = ValidateChannelName(channel); !status.ok()) {
    SendError(command.id, "bad_channel", Std(status.message()), channel);
    return CountMisuse(now);
  }
  const ChannelPolicy& policy = endpoint_.policy();
  const ChannelPolicy::PublishVerdict verdict = policy.CheckPublish(channel, grants_);
  // Whether it may or not: what is refused costs, too.
  const auto& [index, rate] = verdict.rate;
  if ((rate.limits() && !place_.user.TakeByRule(now, index, rate)) ||
      !place_.user.TakePublish(now)) {
    return RefusePublish(command.id, channel, PublishOutcome::kRateLimited);
  }
  if (verdict.target == nullptr || context_.publishes == nullptr) {
    if (context_.events != nullptr) {
      context_.events->OnDenied(*this, "publish_refused", "publish_not_allowed", channel);
    }
    return RefusePublish(command.id, channel, PublishOutcome::kNotAllowed);
  }
  Publication publication{.target = verdict.target,
                          .channel = std::string(channel),
                          .rest = std::string(verdict.rest),
                          .user_id = user_id_,
                          .connection = std::string(id()),
                          .correlation_id = std::string(correlation_id()),
                          .key = std::string(command.key),
                          .data = {},
                          .idempotency_key = std::string(command.idempotency_key)};
  if (verdict.target->user_member.empty()) {
    publication.data = std::string(command.data);
  } else if (auto data = WithUser(command.data, verdict.target->user_member, user_id_)) {
    publication.data = *std::move(data);
  } else {
    RefusePublish(command.id, channel, PublishOutcome::kBadData);
    return CountMisuse(now);
  }
  if (extra_ == nullptr) extra_ = std::make_unique<Extra>();
  if (extra_->publishing == nullptr) extra_->publishing = std::make_unique<Publishing>(*this);
  PublishReceipt receipt{.id = command.id,
                         .channel = publication.channel,
                         .durable = verdict.target->durable(),
                         // Topics and how fast they grow are for those who read them.
                         .show_place = policy.Check(channel, grants_).allowed};
  const std::optional<PublishOutcome> refused = context_.publishes->Take(
      extra_->publishing->ticket, std::move(receipt), std::move(publication));
  if (refused.has_value()) RefusePublish(command.id, channel, *refused);
}

void Session::EndPublishing(bool tell) {
  if (extra_ == nullptr || extra_->publishing == nullptr) return;
  context_.publishes->Leave(extra_->publishing->ticket, tell);
  extra_->publishing.reset();
}

void Session::OnPublished(const PublishReceipt& receipt, const PublishAnswer& answer) {
  if (answer.outcome != PublishOutcome::kPublished) {
    const Words words = WordsFor(answer.outcome);
    return SendError(receipt.id, words.code, words.text, receipt.channel);
  }
  const bool show = receipt.show_place && receipt.durable;
  Send(endpoint_.dialect().EncodePublished(
      {.id = receipt.id,
       .channel = receipt.channel,
       .durable = receipt.durable,
       .duplicate = answer.duplicate,
       .topic = show ? std::string_view(answer.topic) : std::string_view(),
       .partition = answer.partition,
       .offset = answer.offset}));
}

}  // namespace spillway::edge
