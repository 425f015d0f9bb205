// Session: what a client's commands do.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/channel/channel_hash.h"
#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

// Of a client's pattern: holding it against rules costs more with each.
constexpr size_t kMostWildcards = 8;

}  // namespace

void Session::Run(const Command& command) {
  const MonoTime now = context_.clock.Now();
  switch (command.type) {
    case Command::Type::kPong:
      return;  // heard is all
    case Command::Type::kPing:
      Send(endpoint_.dialect().EncodePong(command.id, ToUnixMillis(context_.clock.WallNow())));
      return;
    case Command::Type::kSubscribe:
    case Command::Type::kUpdate:
    case Command::Type::kUnsubscribe:
    case Command::Type::kPublish:
      break;
    case Command::Type::kAck:
      return Acknowledge(command);  // also of channels that the endpoint chose
    case Command::Type::kConnect:
      SendError(command.id, "already_connected",
                "this connection has been let in already: another token comes by refresh");
      return CountMisuse(now);
    case Command::Type::kRefresh:
      return Refresh(command, now);
  }
  if (!endpoint_.options().commands) {
    SendError(
        command.id, "commands_disabled",
        "this endpoint chooses the channels itself and takes neither subscriptions nor events");
    CountMisuse(now);
  } else if (command.type == Command::Type::kPublish) {
    Publish(command, now);
  } else if (command.type == Command::Type::kSubscribe) {
    Subscribe(command, now);
  } else if (command.type == Command::Type::kUpdate) {
    Update(command);
  } else {
    Unsubscribe(command);
  }
}

namespace {

// Where the client was, by the channel's index; null: it does not say.
std::vector<std::unique_ptr<Resume>> ResumesOf(const Command& command) {
  std::vector<std::unique_ptr<Resume>> resumes(command.channels.size());
  for (const size_t channel : command.resumed) resumes[channel] = std::make_unique<Resume>();
  for (const ClaimedPosition& one : command.positions) {
    resumes[one.channel]->push_back({.source = std::string(one.source),
                                     .pending = one.pending,
                                     .offset = one.offset,
                                     .fingerprint = one.fingerprint,
                                     .fingerprint_at = one.fingerprint_at});
  }
  return resumes;
}

}  // namespace

void Session::Subscribe(const Command& command, MonoTime now) {
  bool misuse = false;
  // With those that the command asks for.
  size_t patterns = std::any_of(command.channels.begin(), command.channels.end(), IsChannelPattern)
                        ? context_.hub.PatternCount(this)
                        : 0;
  std::vector<std::unique_ptr<Resume>> resumes = ResumesOf(command);
  for (size_t i = 0; i < command.channels.size(); ++i) {
    const std::string_view channel = command.channels[i];
    if (!IsName(command.id, channel, &patterns, &misuse)) continue;
    if (!TakeSubscribe(command.id, channel, now)) continue;
    const ChannelPolicy::Verdict verdict = endpoint_.policy().Check(channel, grants_);
    if (!verdict.allowed) {
      if (context_.events != nullptr) {
        context_.events->OnDenied(*this, "subscribe_refused", "not_allowed", channel);
      }
      if (IsChannelPattern(channel)) {
        SendError(command.id, "pattern_not_allowed",
                  "this client may not subscribe to the pattern: to channels, or to a narrower one",
                  channel);
        misuse = true;  // to find out costs more than for a channel
      } else {
        SendError(command.id, "not_allowed", "this client may not subscribe to the channel",
                  channel);
      }
      continue;
    }
    const Frequency frequency = command.frequency.value_or(verdict.frequency);
    if (!MayHave(command.id, channel, frequency)) continue;
    Join(command.id, channel, command.snapshot.value_or(verdict.snapshot), frequency, now,
         std::move(resumes[i]));
  }
  if (misuse) CountMisuse(now);
}

bool Session::IsName(std::optional<int64_t> id, std::string_view channel, size_t* patterns,
                     bool* misuse) {
  const bool is_pattern = IsChannelPattern(channel);
  absl::Status status = ValidateChannelName(channel);
  if (is_pattern) {
    const auto pattern = ChannelPattern::Parse(channel);
    status = pattern.status();
    if (pattern.ok() && pattern->wildcards() > kMostWildcards) {
      status = absl::InvalidArgumentError(
          absl::StrCat("a channel pattern has at most ", kMostWildcards, " wildcards"));
    }
  }
  if (!status.ok()) {
    SendError(id, "bad_channel", Std(status.message()), channel);
    *misuse = true;
    return false;
  }
  // Before the rules: to hold many against them costs more than to ask.
  if (!is_pattern || ++*patterns <= context_.limits.max_patterns) return true;
  context_.counters.patterns_refused.Add();
  SendError(id, "too_many_patterns",
            absl::StrCat("a connection may have ", context_.limits.max_patterns,
                         " subscriptions to patterns: unsubscribe from others first"),
            channel);
  return false;
}

// Whether it may have the channel or not: what is refused costs, too.
bool Session::TakeSubscribe(std::optional<int64_t> id, std::string_view channel, MonoTime now) {
  const auto [index, rate] = endpoint_.policy().RateOf(channel);
  if (rate.limits() && !place_.user.TakeByRule(now, index, rate)) {
    context_.counters.subscribes_limited_channel.Add();
  } else if (!place_.user.TakeSubscribe(now)) {
    context_.counters.subscribes_limited_user.Add();
  } else {
    return true;
  }
  SendError(id, "subscribe_rate_limited",
            "too many subscriptions in a short time: wait, then ask for fewer at once", channel);
  return false;
}

bool Session::MayHave(std::optional<int64_t> id, std::string_view channel, Frequency frequency) {
  if (endpoint_.policy().MayHave(channel, frequency)) return true;
  SendError(id, "frequency_fixed",
            absl::StrCat("the channel's frequency is ",
                         Abs(NameOf(endpoint_.policy().FrequencyOf(channel))),
                         " for everyone: leave 'frequency' out"),
            channel);
  return false;
}

bool Session::Join(std::optional<int64_t> id, std::string_view channel, bool snapshot,
                   Frequency frequency, MonoTime now, std::unique_ptr<const Resume> resume) {
  if (subscriptions_ >= context_.limits.max_subscriptions) {
    context_.counters.subscriptions_refused.Add();
    SendError(id, "too_many_subscriptions",
              absl::StrCat("a connection may have ", context_.limits.max_subscriptions,
                           " subscriptions: unsubscribe from others first"),
              channel);
    return false;
  }
  // Before the call, which may answer at once.
  if (id.has_value()) pending_ids_.push_back({ChannelHash(channel), *id});
  const auto result =
      context_.hub.Subscribe(this, channel, snapshot && endpoint_.dialect().has_snapshots(), now,
                             frequency, std::move(resume));
  if (result != HubShard::SubscribeResult::kOk) {
    if (id.has_value()) pending_ids_.pop_back();
    if (result == HubShard::SubscribeResult::kAlready) {
      SendError(id, "already_subscribed", "this connection is subscribed to the channel already",
                channel);
    } else {
      SendError(id, "too_many_node_patterns",
                "the clients of this node have too many different patterns: try again later, or "
                "subscribe to channels",
                channel);
    }
    return false;
  }
  ++subscriptions_;
  context_.counters.subscribed.Add();
  return true;
}

void Session::Update(const Command& command) {
  for (std::string_view channel : command.channels) {
    if (!MayHave(command.id, channel, *command.frequency)) continue;
    if (!context_.hub.SetFrequency(this, channel, *command.frequency)) {
      SendError(command.id, "not_subscribed", "this connection is not subscribed to the channel",
                channel);
      continue;
    }
    Send(endpoint_.dialect().EncodeUpdated(command.id, channel, *command.frequency),
         context_.hub.TraitsOf(channel));
  }
}

void Session::Unsubscribe(const Command& command) {
  for (std::string_view channel : command.channels) {
    if (End(command.id, channel)) continue;
    SendError(command.id, "not_subscribed", "this connection is not subscribed to the channel",
              channel);
  }
}

bool Session::End(std::optional<int64_t> id, std::string_view channel) {
  const ChannelTraits* traits = context_.hub.TraitsOf(channel);
  if (!context_.hub.Unsubscribe(this, channel)) return false;
  --subscriptions_;
  TakePendingId(channel);
  if (acks_ != nullptr) acks_->Forget(ChannelHash(channel));
  context_.counters.unsubscribed.Add();
  Send(endpoint_.dialect().EncodeUnsubscribed(id, channel), traits);
  return true;
}

Session::ByOperator Session::CanSubscribe(std::string_view channel, size_t more) const {
  if (closing_ || !open_ || context_.hub.IsSubscribed(this, channel)) return ByOperator::kAlreadySo;
  return subscriptions_ + more < context_.limits.max_subscriptions ? ByOperator::kDone
                                                                   : ByOperator::kTooMany;
}

Session::ByOperator Session::CanUnsubscribe(std::string_view channel) const {
  return !closing_ && open_ && context_.hub.IsSubscribed(this, channel) ? ByOperator::kDone
                                                                        : ByOperator::kAlreadySo;
}

Session::ByOperator Session::SubscribeByOperator(std::string_view channel) {
  const ByOperator can = CanSubscribe(channel, 0);
  if (can == ByOperator::kDone) {
    Join({}, channel, endpoint_.policy().SnapshotOf(channel),
         endpoint_.policy().FrequencyOf(channel), context_.clock.Now());
  }
  return can;
}

Session::ByOperator Session::UnsubscribeByOperator(std::string_view channel) {
  const ByOperator can = CanUnsubscribe(channel);
  if (can == ByOperator::kDone) End({}, channel);
  return can;
}

void Session::Acknowledge(const Command& command) {
  if (acks_ == nullptr) acks_ = std::make_unique<AckTracker>();
  for (const std::string_view channel : command.channels) {
    if (context_.hub.IsSubscribed(this, channel)) continue;
    SendError(command.id, "not_subscribed", "this connection is not subscribed to the channel",
              channel);
  }
  for (const Acknowledgement& one : command.acknowledged) {
    acks_->OnAck(ChannelHash(one.channel), one.slot, one.offset);
  }
}

std::optional<int64_t> Session::TakePendingId(std::string_view channel) {
  if (pending_ids_.empty()) return std::nullopt;
  const uint64_t hash = ChannelHash(channel);
  for (PendingId& pending : pending_ids_) {
    if (pending.channel != hash) continue;
    const int64_t id = pending.id;
    pending = pending_ids_.back();
    pending_ids_.pop_back();
    if (pending_ids_.empty()) pending_ids_.shrink_to_fit();
    return id;
  }
  return std::nullopt;
}

}  // namespace spillway::edge
