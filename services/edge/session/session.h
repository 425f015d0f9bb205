#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "common/base/clock.h"
#include "services/edge/hub/subscriber.h"
#include "services/edge/session/ack_tracker.h"
#include "services/edge/session/admission.h"
#include "services/edge/session/close_codes.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_context.h"
#include "services/edge/session/session_registry.h"
#include "services/edge/session/transport.h"
#include "services/edge/timer/timing_wheel.h"

namespace spillway::edge {

// How far a session is behind.
struct SessionLag {
  size_t backlog_bytes = 0;
  size_t backlog_messages = 0;
  std::chrono::milliseconds backlog_age{0};  // since when something has waited without a pause
  bool acknowledges = false;
  size_t unacknowledged = 0;                        // events sent since the first acknowledgement
  std::chrono::milliseconds unacknowledged_age{0};  // of the oldest of them
};

// A session as operators see it.
struct SessionInfo {
  std::string id;
  std::string user_id;
  std::string ip;
  std::string_view dialect;
  std::string_view endpoint;  // path
  std::string correlation_id;
  int64_t connected_ms = 0;  // Unix
  size_t subscriptions = 0;
  uint64_t messages_sent = 0;
  uint64_t messages_received = 0;
  SessionLag lag;
};

// Where a session is in one slot that feeds a channel of its.
struct SessionPosition {
  std::string channel;
  std::string source;  // "topic/partition@incarnation"
  bool pending = false;
  // Everything up to here was given to the connection, whose backlog may still hold some of it.
  int64_t delivered = -1;
  std::optional<int64_t> acknowledged = {};
};

// One client's connection between its transport and the hub: says hello, subscribes to what the
// endpoint gives to everyone, takes commands, keeps the heartbeat. Knows no protocol (the dialect
// does) and no socket.
//
// Belongs to one worker thread, which alone may call it. Owned by its connection, which destroys it
// after OnClosed; must not outlive its context.
class Session final : public TransportHandler, public Subscriber {
 public:
  Session(SessionContext& context, const Endpoint& endpoint, SessionIdentity identity,
          ConnectionPlace place);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // TransportHandler.
  void OnOpen(Transport* transport) override;
  void OnMessage(std::string_view payload, bool text) override;
  void OnPong() override;
  bool OnPing() override;
  void OnWritable() override;
  Ref<Frame> EncodeGap(const ChannelTraits& channel, const LostEvents& lost) override;
  void OnClosed(uint16_t code, std::string_view reason) override;

  // Subscriber.
  VariantId variant() const override { return variant_; }
  VariantId VariantFor(std::string_view channel) const override;
  void SendFrame(const Frame& frame, const ChannelTraits* traits) override;
  void Keep(Ref<Frame> frame) override { context_.keep(std::move(frame)); }
  bool CanPull() const override;
  void OnSubscribed(std::string_view channel, const std::vector<PositionEntry>& position,
                    bool snapshot, Frequency frequency) override;
  void OnSnapshot(const SnapshotPiece& piece) override;
  void OnSnapshotFailed(std::string_view channel,
                        const std::vector<PositionEntry>& position) override;

  // Ends the subscriptions and then the connection. False if it is already ending. Not from within
  // a call of the hub.
  bool Close(uint16_t code, std::string_view reason);
  // Tells the client that it will be closed within that time, and where to go on (empty: anywhere).
  void TellMoving(std::chrono::milliseconds within, std::string_view address);
  // That it will not be, after all.
  void TellStaying();
  // That it is about to be closed, and not to come back before that time; unset: at all.
  void TellClosing(std::optional<std::chrono::milliseconds> after);

  // Ends the connection if it is kept out by an operator, and then says so.
  bool CloseIfBlocked(const Blocks& blocks);
  // Whether it is kept out, and not ending already.
  bool IsBlocked(const Blocks& blocks) const;

  // What an operator has the client subscribe to, or no longer, whatever the rules say; it is told
  // as if it had asked, without an id.
  enum class ByOperator { kDone, kAlreadySo, kTooMany };  // kAlreadySo: or it is ending
  ByOperator SubscribeByOperator(std::string_view channel);
  ByOperator UnsubscribeByOperator(std::string_view channel);
  // What these would say, if it had so many subscriptions `more`.
  ByOperator CanSubscribe(std::string_view channel, size_t more) const;
  ByOperator CanUnsubscribe(std::string_view channel) const;

  // Hexadecimal; nobody can guess it.
  std::string_view id() const { return {id_.data(), id_.size()}; }
  // Of the request that it began with (common/base/correlation_id.h).
  std::string_view correlation_id() const {
    return extra_ == nullptr || extra_->correlation_id.empty()
               ? id()
               : std::string_view(extra_->correlation_id);
  }
  const std::string& user_id() const { return user_id_; }
  const std::string& ip() const { return ip_; }
  const Endpoint& endpoint() const { return endpoint_; }
  // As they were when it connected.
  const LabelList& labels() const { return labels_.labels(); }
  // It was told to end.
  bool ending() const { return closing_; }
  SessionInfo Info() const;
  SessionLag Lag() const;
  // By name.
  std::vector<std::string> Channels() const;
  // In all slots that feed the channel.
  std::vector<SessionPosition> PositionsIn(const std::string& channel) const;

 private:
  friend class SessionRegistry;

  // A subscription that was not answered yet; its channel by ChannelHash().
  struct PendingId {
    uint64_t channel;
    int64_t id;
  };

  // Its client's place at the desk.
  struct Publishing final : public PublishListener {
    explicit Publishing(Session& of) : session(of), ticket(of.context_.publishes->Enter(this)) {}
    void OnPublished(const PublishReceipt& receipt, const PublishAnswer& answer) override {
      session.OnPublished(receipt, answer);
    }
    Session& session;
    const uint64_t ticket;
  };

  // A token that is to take the other's place, while the service is asked about it.
  struct Refreshing {
    std::optional<int64_t> id;
    Candidate candidate;
    AuthTicket ticket = {};
  };

  // What few sessions have.
  struct Extra {
    std::vector<std::string> channels = {};  // subscribed to on connect, until it is open
    std::string correlation_id = {};  // that its client gave; empty: the connection's id will do
    std::unique_ptr<Refreshing> refreshing = nullptr;
    std::unique_ptr<Publishing> publishing = nullptr;  // null: it has published nothing
  };

  // Control frames are messages of this connection, of no user and no node: libraries send them by
  // themselves.
  bool TakeControl();
  bool TakeOwn(MonoTime now);
  bool TakeMessage(MonoTime now);
  bool TakeNodeMessage(MonoTime now);
  // False: too many; the client was told.
  bool TakeSubscribe(std::optional<int64_t> id, std::string_view channel, MonoTime now);
  void Run(const Command& command);
  void Subscribe(const Command& command, MonoTime now);
  void Update(const Command& command);
  void Unsubscribe(const Command& command);
  // False: it is not subscribed.
  bool End(std::optional<int64_t> id, std::string_view channel);
  void Acknowledge(const Command& command);
  void Publish(const Command& command, MonoTime now);
  void OnPublished(const PublishReceipt& receipt, const PublishAnswer& answer);
  // Leaves the desk; `tell`: with a word to the client about all that is not answered.
  void EndPublishing(bool tell);
  void RefusePublish(std::optional<int64_t> id, std::string_view channel, PublishOutcome why);
  void Refresh(const Command& command, MonoTime now);
  void OnAsked(std::optional<int64_t> id, Candidate candidate, const AuthVerdict& verdict);
  void RefuseRefresh(std::optional<int64_t> id, const Refusal& refusal, MonoTime now);
  void Replace(std::optional<int64_t> id, Candidate candidate, const AuthVerdict* verdict,
               MonoTime now);
  // Ends the subscriptions that the client may have no longer; `own`: what the endpoint gives.
  void EndUnallowed(const std::vector<std::string>& own);
  // False: the token has expired, and with it the connection.
  bool CheckToken();
  // When to look at it again; max: never.
  MonoTime NextTokenCheck(MonoTime now) const;
  // Whether it can be a channel, or one more pattern of this connection; else the client was told,
  // and *misuse is set if the fault is its own. `patterns`: that this command has asked for.
  bool IsName(std::optional<int64_t> id, std::string_view channel, size_t* patterns, bool* misuse);
  // False: already subscribed, or too many; the client was told.
  bool Join(std::optional<int64_t> id, std::string_view channel, bool snapshot, Frequency frequency,
            MonoTime now, std::unique_ptr<const Resume> resume = nullptr);
  // False: the channel has another one for all; the client was told.
  bool MayHave(std::optional<int64_t> id, std::string_view channel, Frequency frequency);
  std::optional<int64_t> TakePendingId(std::string_view channel);

  // Compresses it if the connection does and it is worth it. `traits`: of the channel that it is
  // about, so that it keeps its place among that channel's.
  void Send(Ref<Frame> frame, const ChannelTraits* traits = nullptr);
  void SendAsItIs(Ref<Frame> frame, const ChannelTraits* traits);
  void SendError(std::optional<int64_t> id, std::string_view code, std::string_view message,
                 std::string_view channel = {}, const ChannelTraits* traits = nullptr);
  void CountMisuse(MonoTime now);

  void OnHeartbeat();
  void SetHeartbeat(MonoTime now);
  void Leave();

  // What a frame that is sent touches comes first.
  SessionContext& context_;
  Transport* transport_ = nullptr;
  uint64_t messages_sent_ = 0;
  std::unique_ptr<AckTracker> acks_;  // null: it never acknowledged anything
  const Endpoint& endpoint_;
  const std::string user_id_;
  const std::string ip_;
  ChannelPolicy::Grants grants_;
  SessionToken token_;
  const LabelSets::Share labels_;
  std::unique_ptr<Extra> extra_;  // null: it has nothing of it
  ConnectionId id_;
  SessionRegistry::Links user_links_;
  SessionRegistry::Links ip_links_;
  ConnectionPlace place_;
  absl::InlinedVector<PendingId, 1> pending_ids_;
  Timer heartbeat_ = Timer::Of<&Session::OnHeartbeat>(this);
  MonoTime opened_;
  MonoTime last_heard_;
  MonoTime next_ping_;
  MonoTime rate_reached_;  // the bucket is empty until then
  int64_t connected_ms_ = 0;
  uint64_t messages_received_ = 0;
  uint32_t subscriptions_ = 0;
  uint32_t misuse_ = 0;
  uint32_t misuse_since_ms_ = 0;  // since it opened; begins anew after 49 days
  VariantId variant_;             // of the endpoint, in the form that the connection agreed to
  bool open_ = false;             // between OnOpen and OnClosed
  bool closing_ = false;          // Close() was called
  bool warned_ = false;           // that the token is about to expire
};

}  // namespace spillway::edge
