#include "services/edge/session/session.h"

#include <algorithm>
#include <chrono>

#include "common/channel/channel_hash.h"
#include "common/channel/channel_name.h"

namespace spillway::edge {
namespace {

double SecondsBetween(MonoTime from, MonoTime to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Session::Session(SessionContext& context, const Endpoint& endpoint, SessionIdentity identity,
                 ConnectionPlace place)
    : context_(context),
      endpoint_(endpoint),
      user_id_(std::move(identity.user_id)),
      ip_(std::move(identity.ip)),
      grants_(std::move(identity.grants)),
      token_(std::move(identity.token)),
      labels_(context.labels.Of(std::move(identity.labels))),
      place_(std::move(place)),
      variant_(endpoint.variant()) {
  if (!identity.channels.empty() || !identity.correlation_id.empty()) {
    extra_ = std::make_unique<Extra>(
        Extra{std::move(identity.channels), std::move(identity.correlation_id)});
  }
  id_ = identity.id[0] == 0 ? NewConnectionId(context_.random) : identity.id;
}

Session::~Session() { Leave(); }

void Session::OnOpen(Transport* transport) {
  const MonoTime now = context_.clock.Now();
  transport_ = transport;
  open_ = true;
  opened_ = last_heard_ = now;
  connected_ms_ = ToUnixMillis(context_.clock.WallNow());
  context_.registry.Add(this);
  variant_ = context_.variants.FormFor(endpoint_.variant(), transport->deflate_window_bits());
  context_.variants[variant()].in_use.fetch_add(1, std::memory_order_relaxed);
  context_.counters.opened.Add();
  context_.counters.connections.Add(1);
  // It can be found from here on. Who was blocked since the upgrade was checked is found now.
  if (context_.events != nullptr) context_.events->OnOpened(*this);
  if (context_.blocks != nullptr && CloseIfBlocked(*context_.blocks)) return;

  const HeartbeatOptions& heartbeat = endpoint_.options().heartbeat;
  Send(endpoint_.dialect().EncodeConnected({.connection_id = id(),
                                            .user_id = user_id(),
                                            .node = context_.node_id,
                                            .heartbeat_ms = heartbeat.interval.count(),
                                            .now_ms = connected_ms_,
                                            .expires_ms = token_.expires()}));
  std::vector<std::string> channels;
  if (extra_ != nullptr) {
    channels.swap(extra_->channels);
    if (extra_->correlation_id.empty()) extra_.reset();
  }
  for (const std::string& channel : channels) {
    Join({}, channel, endpoint_.policy().SnapshotOf(channel),
         endpoint_.policy().FrequencyOf(channel), now);
  }
  next_ping_ = now + heartbeat.interval;
  SetHeartbeat(now);
}

namespace {

// What a connection lives by, and what costs next to nothing: no other client's messages stop it.
bool KeepsAlive(Command::Type type) {
  return type == Command::Type::kPong || type == Command::Type::kAck ||
         type == Command::Type::kRefresh;
}

}  // namespace

void Session::OnMessage(std::string_view payload, bool text) {
  if (closing_) return;
  const MonoTime now = context_.clock.Now();
  last_heard_ = now;
  ++messages_received_;
  context_.counters.messages_received.Add();
  if (!TakeMessage(now)) {
    context_.counters.rate_limited.Add();
    SendError({}, "rate_limited", "too many messages: send fewer, this one was ignored");
    CountMisuse(now);
    return;
  }
  if (!endpoint_.dialect().Parse(payload, text, &context_.command, &context_.failure)) {
    const ParseFailure& failure = context_.failure;
    SendError(failure.id, failure.code, failure.message);
    CountMisuse(now);
    return;
  }
  if (!KeepsAlive(context_.command.type) && !TakeNodeMessage(now)) {
    // Others' doing, maybe: not held against this client.
    context_.counters.node_rate_limited.Add();
    SendError(context_.command.id, "node_rate_limited",
              "this node takes no more messages at the moment: send it again in a while");
    return;
  }
  Run(context_.command);
}

bool Session::TakeOwn(MonoTime now) {
  const Rate& rate = context_.limits.messages;
  if (!rate.limits()) return true;
  const std::optional<MonoTime> next = rate.Take(rate_reached_, now);
  if (next.has_value()) rate_reached_ = *next;
  return next.has_value();
}

bool Session::TakeMessage(MonoTime now) {
  if (!TakeOwn(now)) return false;
  if (place_.user.TakeMessage(now)) return true;
  context_.counters.user_rate_limited.Add();
  return false;
}

bool Session::TakeControl() {
  if (closing_) return false;
  const MonoTime now = context_.clock.Now();
  last_heard_ = now;
  if (TakeOwn(now)) return true;
  context_.counters.rate_limited.Add();
  CountMisuse(now);
  return false;
}

bool Session::TakeNodeMessage(MonoTime now) {
  const Rate& rate = context_.limits.node_messages;
  if (!rate.limits()) return true;
  const std::optional<MonoTime> next = rate.Take(context_.node_rate_reached, now);
  if (next.has_value()) context_.node_rate_reached = *next;
  return next.has_value();
}

void Session::OnSubscribed(std::string_view channel, const std::vector<PositionEntry>& position,
                           bool snapshot, Frequency frequency) {
  Send(endpoint_.dialect().EncodeSubscribed({.id = TakePendingId(channel),
                                             .channel = channel,
                                             .snapshot = snapshot,
                                             .frequency = frequency,
                                             .position = &position}),
       context_.hub.TraitsOf(channel));
}

void Session::OnSnapshot(const SnapshotPiece& piece) {
  std::vector<Ref<Frame>>& frames = context_.frames;
  endpoint_.dialect().EncodeSnapshot({.channel = piece.channel,
                                      .events = &piece.events,
                                      .last = piece.last,
                                      .position = &piece.position,
                                      .complete = piece.complete,
                                      .since_us = piece.since_us},
                                     &frames);
  const bool compress = VariantFor(piece.channel) != endpoint_.variant();
  const ChannelTraits* traits = context_.hub.TraitsOf(piece.channel);
  for (Ref<Frame>& frame : frames) {
    if (compress) {
      Send(std::move(frame), traits);
    } else {
      SendAsItIs(std::move(frame), traits);
    }
  }
  frames.clear();
}

void Session::OnSnapshotFailed(std::string_view channel,
                               const std::vector<PositionEntry>& position) {
  const ChannelTraits* traits = context_.hub.TraitsOf(channel);
  SendError({}, "snapshot_unavailable",
            "the snapshot could not be had in time; live events follow: subscribe again to retry",
            channel, traits);
  Send(endpoint_.dialect().EncodeCheckpoint(channel, position), traits);
}

void Session::SendFrame(const Frame& frame, const ChannelTraits* traits) {
  ++messages_sent_;
  context_.counters.messages_sent.Add();
  if (frame.compressed()) context_.counters.messages_compressed.Add();
  if (acks_ != nullptr) [[unlikely]] {
    const FrameMeta meta = frame.meta();
    if (meta.event && traits != nullptr && meta.slot != kNoSlot)
      acks_->OnSent(traits->hash, meta.slot, meta.offset, context_.clock.Now());
  }
  transport_->Send(frame, traits);
}

bool Session::CanPull() const {
  return transport_->backlog_bytes() <= context_.limits.low_backlog_bytes &&
         transport_->backlog_messages() <= context_.limits.low_backlog_messages;
}

VariantId Session::VariantFor(std::string_view channel) const {
  if (variant_ == endpoint_.variant() || endpoint_.policy().CompressOf(channel)) return variant_;
  return endpoint_.variant();
}

void Session::Send(Ref<Frame> frame, const ChannelTraits* traits) {
  if (frame) SendAsItIs(context_.variants.Packed(variant_, std::move(frame)), traits);
}

void Session::SendAsItIs(Ref<Frame> frame, const ChannelTraits* traits) {
  if (!frame) return;
  SendFrame(*frame, traits);
  context_.keep(std::move(frame));
}

void Session::SendError(std::optional<int64_t> id, std::string_view code, std::string_view message,
                        std::string_view channel, const ChannelTraits* traits) {
  context_.counters.errors_sent.Add();
  Send(endpoint_.dialect().EncodeError({.id = id,
                                        .code = code,
                                        .message = message,
                                        .channel = channel.substr(0, kMaxChannelBytes)}),
       traits);
}

void Session::CountMisuse(MonoTime now) {
  context_.counters.bad_messages.Add();
  const SessionLimits& limits = context_.limits;
  const auto at = static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now - opened_).count());
  if (misuse_ == 0 ||
      std::chrono::milliseconds(at - misuse_since_ms_) > limits.bad_message_window) {
    misuse_ = 0;
    misuse_since_ms_ = at;
  }
  ++misuse_;
  if (limits.max_bad_messages == 0 || misuse_ < limits.max_bad_messages) return;
  context_.counters.misuse_closes.Add();
  if (context_.events != nullptr) {
    context_.events->OnDenied(*this, "misuse_closed", kCloseBadCommand.name, {});
  }
  Close(kCloseBadCommand.code, "too many bad messages");
}

void Session::OnPong() { TakeControl(); }

bool Session::OnPing() { return TakeControl(); }

void Session::OnWritable() {
  if (!closing_) context_.hub.OnWritable(this, context_.clock.Now());
}

Ref<Frame> Session::EncodeGap(const ChannelTraits& channel, const LostEvents& lost) {
  ++messages_sent_;
  context_.counters.messages_sent.Add();
  return endpoint_.dialect().EncodeGap(channel.name,
                                       {.slot = lost.slot,
                                        .source = context_.hub.SourceOf(lost.slot),
                                        .from = lost.from,
                                        .to = lost.to,
                                        .reason = "slow",
                                        .count = lost.slot == kNoSlot ? lost.count : 0});
}

void Session::OnHeartbeat() {
  if (!CheckToken()) return;
  const HeartbeatOptions& heartbeat = endpoint_.options().heartbeat;
  const MonoTime now = context_.clock.Now();
  if (heartbeat.timeout.count() > 0 && now - last_heard_ >= heartbeat.timeout) {
    context_.counters.heartbeat_failures.Add();
    Close(kCloseHeartbeatTimeout.code, "no pong in time");
    return;
  }
  if (heartbeat.interval.count() > 0 && now >= next_ping_) {
    context_.counters.pings_sent.Add();
    if (heartbeat.message) {
      Send(endpoint_.dialect().EncodePing(ToUnixMillis(context_.clock.WallNow())));
    }
    if (heartbeat.protocol) Send(Frame::Make(Opcode::kPing, {}));
    next_ping_ += heartbeat.interval;
    // After a long stall one ping is due, not all that were missed.
    if (next_ping_ <= now) next_ping_ = now + heartbeat.interval;
  }
  SetHeartbeat(now);
}

void Session::SetHeartbeat(MonoTime now) {
  const HeartbeatOptions& heartbeat = endpoint_.options().heartbeat;
  MonoTime next = NextTokenCheck(now);
  if (heartbeat.interval.count() > 0) next = std::min(next, next_ping_);
  if (heartbeat.timeout.count() > 0) next = std::min(next, last_heard_ + heartbeat.timeout);
  if (next == MonoTime::max() || closing_) return;
  context_.wheel.Set(heartbeat_, std::chrono::ceil<std::chrono::milliseconds>(
                                     std::max(next - now, MonoTime::duration::zero())));
}

void Session::TellMoving(std::chrono::milliseconds within, std::string_view address) {
  if (open_ && !closing_) Send(endpoint_.dialect().EncodeMoving(within.count(), address));
}

void Session::TellStaying() {
  if (open_ && !closing_) Send(endpoint_.dialect().EncodeStaying());
}

void Session::TellClosing(std::optional<std::chrono::milliseconds> after) {
  if (!open_ || closing_) return;
  Send(endpoint_.dialect().EncodeClosing(after.has_value() ? std::optional<int64_t>(after->count())
                                                           : std::nullopt));
}

bool Session::Close(uint16_t code, std::string_view reason) {
  if (closing_ || !open_) return false;
  closing_ = true;
  heartbeat_.Cancel();
  if (extra_ != nullptr) extra_->refreshing.reset();
  context_.hub.Remove(this);
  subscriptions_ = 0;
  EndPublishing(/*tell=*/true);
  transport_->Close(code, reason);
  return true;
}

void Session::OnClosed(uint16_t code, std::string_view reason) {
  if (open_ && context_.events != nullptr) context_.events->OnClosed(*this, code, reason);
  Leave();
}

void Session::Leave() {
  if (!open_) return;
  open_ = false;
  closing_ = true;
  heartbeat_.Cancel();
  if (extra_ != nullptr) extra_->refreshing.reset();
  EndPublishing(/*tell=*/false);
  context_.hub.Remove(this);
  context_.registry.Remove(this);
  context_.variants[variant()].in_use.fetch_sub(1, std::memory_order_relaxed);
  context_.counters.closed.Add();
  context_.counters.connections.Add(-1);
  context_.counters.duration_seconds.Observe(SecondsBetween(opened_, context_.clock.Now()));
  place_ = ConnectionPlace();
}

SessionInfo Session::Info() const {
  SessionInfo info;
  info.id = std::string(id());
  info.correlation_id = std::string(correlation_id());
  info.user_id = user_id();
  info.ip = ip();
  info.dialect = endpoint_.dialect().name();
  info.endpoint = endpoint_.options().path;
  info.connected_ms = connected_ms_;
  info.subscriptions = subscriptions_;
  info.messages_sent = messages_sent_;
  info.messages_received = messages_received_;
  info.lag = Lag();
  return info;
}

SessionLag Session::Lag() const {
  SessionLag lag;
  if (open_) {
    lag.backlog_bytes = transport_->backlog_bytes();
    lag.backlog_messages = transport_->backlog_messages();
    lag.backlog_age = transport_->backlog_age();
  }
  if (acks_ == nullptr) return lag;
  lag.acknowledges = true;
  lag.unacknowledged = acks_->events();
  if (const auto oldest = acks_->oldest(); oldest.has_value()) {
    lag.unacknowledged_age =
        std::chrono::duration_cast<std::chrono::milliseconds>(context_.clock.Now() - *oldest);
  }
  return lag;
}

std::vector<std::string> Session::Channels() const {
  std::vector<std::string> channels = context_.hub.ChannelsOf(this);
  std::sort(channels.begin(), channels.end());
  return channels;
}

std::vector<SessionPosition> Session::PositionsIn(const std::string& channel) const {
  std::vector<SessionPosition> positions;
  const uint64_t hash = ChannelHash(channel);
  for (const PositionEntry& entry : context_.hub.PositionOf(this, channel)) {
    SessionPosition& position = positions.emplace_back();
    position.channel = channel;
    position.source = std::string(entry.source);
    position.pending = entry.pending;
    position.delivered = entry.offset;
    if (acks_ != nullptr) position.acknowledged = acks_->AckedOf(hash, entry.slot);
  }
  return positions;
}

}  // namespace spillway::edge
