#include "services/edge/session/awaited_session.h"

#include <chrono>
#include <utility>

#include "services/edge/session/redirect.h"

namespace spillway::edge {
namespace {

// Longer than any service may take: its answer has a time limit of its own.
constexpr std::chrono::minutes kLongestCheck{3};

}  // namespace

AwaitedSession::AwaitedSession(SessionContext& context, const Endpoint& endpoint,
                               ConnectionLimits* limits, Client client)
    : context_(context),
      endpoint_(endpoint),
      limits_(limits),
      client_(std::move(client)),
      id_(NewConnectionId(context.random)) {}

void AwaitedSession::OnOpen(Transport* transport) {
  transport_ = transport;
  context_.wheel.Set(timer_, endpoint_.options().auth.message_timeout);
}

void AwaitedSession::OnMessage(std::string_view payload, bool text) {
  if (session_ != nullptr) return session_->OnMessage(payload, text);
  if (ended_) return;
  if (checking_ != nullptr) return Hold(payload, text);
  Command& command = context_.command;
  ParseFailure& failure = context_.failure;
  if (!endpoint_.dialect().Parse(payload, text, &command, &failure)) {
    context_.counters.bad_messages.Add();
    return Refuse(failure.id, failure.code, failure.message, kCloseBadCommand);
  }
  if (command.type != Command::Type::kConnect) {
    context_.counters.bad_messages.Add();
    return Refuse(command.id, "connect_first",
                  "the first message is connect: {\"type\":\"connect\",\"token\":\"...\"}",
                  kCloseUnauthorized);
  }
  Connect(command.id, command.token);
}

void AwaitedSession::Hold(std::string_view payload, bool text) {
  checking_->held_bytes += payload.size();
  if (checking_->held.size() < kMaxHeld && checking_->held_bytes <= kMaxHeldBytes) {
    checking_->held.emplace_back(payload, text);
    return;
  }
  context_.counters.bad_messages.Add();
  Refuse({}, "connect_first", "wait for connected before you send so much more",
         kCloseUnauthorized);
}

void AwaitedSession::Connect(std::optional<int64_t> id, std::string_view token) {
  context_.wheel.Set(timer_, kLongestCheck);
  checking_.reset(new Checking{.id = id,
                               .check = {endpoint_, context_, limits_, std::move(client_.place),
                                         std::move(client_.request)}});
  if (checking_->check.Begin(token, correlation_id(), [this] { OnChecked(); })) OnChecked();
}

void AwaitedSession::OnChecked() {
  timer_.Cancel();
  const std::unique_ptr<Checking> done = std::move(checking_);
  ClientCheck& check = done->check;
  SessionIdentity& identity = check.identity;
  if (check.refusal.has_value()) {
    client_.place = std::move(check.place);  // until it is gone
    const Refusal& refusal = *check.refusal;
    CountRefusal(refusal,
                 {.ip = check.ip(),
                  .endpoint = endpoint_.options().path,
                  .user_id = identity.user_id,
                  .correlation_id = correlation_id()},
                 context_, limits_);
    const bool later = refusal.status == 503 || refusal.status == 429;
    if (refusal.close != nullptr) {
      return Refuse(done->id, refusal.code, refusal.message, *refusal.close);
    }
    return Refuse(done->id, refusal.code, refusal.message,
                  later ? kCloseTryAgainLater : kCloseUnauthorized);
  }
  identity.id = id_;
  identity.correlation_id = std::move(client_.correlation_id);
  client_.unauthenticated = ConnectionGate::Slot();
  if (const auto owner = RedirectOf(identity, check.redirected(), context_)) {
    ended_ = true;
    client_.place = std::move(check.place);
    return Redirect(endpoint_, *owner, context_, *transport_);
  }
  session_ =
      std::make_unique<Session>(context_, endpoint_, std::move(identity), std::move(check.place));
  session_->OnOpen(transport_);
  for (const auto& [payload, text] : done->held) session_->OnMessage(payload, text);
}

void AwaitedSession::OnTimeout() {
  if (checking_ != nullptr) {
    return Refuse(checking_->id, "auth_service_unavailable",
                  "whether this client may connect was not found out in time: try again",
                  kCloseTryAgainLater);
  }
  context_.counters.connect_timeouts.Add();
  Refuse({}, "connect_timeout", "no connect message came in time", kCloseUnauthorized);
}

void AwaitedSession::Refuse(std::optional<int64_t> id, std::string_view code,
                            std::string_view message, const CloseCode& close) {
  ended_ = true;
  timer_.Cancel();
  if (checking_ != nullptr) client_.place = std::move(checking_->check.place);
  checking_.reset();
  context_.counters.errors_sent.Add();
  Ref<Frame> frame = endpoint_.dialect().EncodeError({.id = id, .code = code, .message = message});
  if (frame) {
    transport_->Send(*frame, nullptr);
    context_.keep(std::move(frame));
  }
  transport_->Close(close.code, code);
}

bool AwaitedSession::TakeControl() {
  if (ended_) return false;
  if (++control_frames_ <= kMaxControlFrames) return true;
  context_.counters.bad_messages.Add();
  Refuse({}, "connect_first", "the first message is connect, before so many pings and pongs",
         kCloseUnauthorized);
  return false;
}

void AwaitedSession::OnPong() {
  session_ != nullptr ? session_->OnPong() : static_cast<void>(TakeControl());
}

bool AwaitedSession::OnPing() { return session_ != nullptr ? session_->OnPing() : TakeControl(); }

Ref<Frame> AwaitedSession::EncodeGap(const ChannelTraits& channel, const LostEvents& lost) {
  return session_ == nullptr ? Ref<Frame>() : session_->EncodeGap(channel, lost);
}

void AwaitedSession::OnWritable() {
  if (session_ != nullptr) session_->OnWritable();
}

void AwaitedSession::OnClosed(uint16_t code, std::string_view reason) {
  ended_ = true;
  timer_.Cancel();
  checking_.reset();
  client_ = Client();
  if (session_ != nullptr) session_->OnClosed(code, reason);
}

}  // namespace spillway::edge
