#include "services/edge/session/awaited_session.h"

#include <utility>

#include "services/edge/session/client_check.h"

namespace spillway::edge {

AwaitedSession::AwaitedSession(SessionContext& context, const Endpoint& endpoint,
                               ConnectionLimits* limits, Client client)
    : context_(context), endpoint_(endpoint), limits_(limits), client_(std::move(client)) {}

void AwaitedSession::OnOpen(Transport* transport) {
  transport_ = transport;
  context_.wheel.Set(timer_, endpoint_.options().auth.message_timeout);
}

void AwaitedSession::OnMessage(std::string_view payload, bool text) {
  if (session_ != nullptr) return session_->OnMessage(payload, text);
  if (ended_) return;
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

void AwaitedSession::Connect(std::optional<int64_t> id, std::string_view token) {
  SessionIdentity identity;
  const std::optional<Refusal> refusal =
      CheckClient(endpoint_, token, std::move(client_.params), client_.ip, context_, limits_,
                  &identity, &client_.place);
  if (refusal.has_value()) {
    CountRefusal(*refusal, client_.ip, context_, limits_);
    const bool later = refusal->status == 503 || refusal->status == 429;
    if (refusal->close != nullptr) {
      return Refuse(id, refusal->code, refusal->message, *refusal->close);
    }
    return Refuse(id, refusal->code, refusal->message,
                  later ? kCloseTryAgainLater : kCloseUnauthorized);
  }
  timer_.Cancel();
  client_.unauthenticated = ConnectionGate::Slot();
  session_ =
      std::make_unique<Session>(context_, endpoint_, std::move(identity), std::move(client_.place));
  session_->OnOpen(transport_);
}

void AwaitedSession::OnTimeout() {
  context_.counters.connect_timeouts.Add();
  Refuse({}, "connect_timeout", "no connect message came in time", kCloseUnauthorized);
}

void AwaitedSession::Refuse(std::optional<int64_t> id, std::string_view code,
                            std::string_view message, const CloseCode& close) {
  ended_ = true;
  timer_.Cancel();
  context_.counters.errors_sent.Add();
  Ref<Frame> frame = endpoint_.dialect().EncodeError({.id = id, .code = code, .message = message});
  if (frame) {
    transport_->Send(*frame, nullptr);
    context_.keep(std::move(frame));
  }
  transport_->Close(close.code, code);
}

void AwaitedSession::OnPong() {
  if (session_ != nullptr) session_->OnPong();
}

Ref<Frame> AwaitedSession::EncodeGap(const ChannelTraits& channel, const LostEvents& lost) {
  return session_ == nullptr ? Ref<Frame>() : session_->EncodeGap(channel, lost);
}

void AwaitedSession::OnWritable() {
  if (session_ != nullptr) session_->OnWritable();
}

void AwaitedSession::OnClosed(uint16_t code, std::string_view reason) {
  ended_ = true;
  timer_.Cancel();
  client_ = Client();
  if (session_ != nullptr) session_->OnClosed(code, reason);
}

}  // namespace spillway::edge
