#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/edge/session/admission.h"
#include "services/edge/session/client_check.h"
#include "services/edge/session/close_codes.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session.h"
#include "services/edge/session/session_context.h"
#include "services/edge/session/transport.h"
#include "services/edge/timer/timing_wheel.h"

namespace spillway::edge {

// A connection whose client has yet to say who it is, by the dialect's connect message: that, and
// nothing else, is taken, within the endpoint's message_timeout. While the authentication service
// is asked about it, a few messages more are held for it. Then it is a session, to which everything
// is handed on.
//
// Belongs to one worker thread. Owned by its connection; must not outlive its context.
class AwaitedSession final : public TransportHandler {
 public:
  // What a client may send while it is checked; with more it is closed.
  static constexpr size_t kMaxHeld = 16;
  static constexpr size_t kMaxHeldBytes = 32 * 1024;
  // Pings and pongs until it is a session; one more, and it is closed.
  static constexpr uint8_t kMaxControlFrames = 16;

  // What is known of the client by its upgrade request.
  struct Client {
    ClientRequest request;
    ConnectionPlace place;
    ConnectionGate::Slot unauthenticated;
    std::string correlation_id = {};  // that it gave
  };

  // `limits` null: there are none. Both outlive this.
  AwaitedSession(SessionContext& context, const Endpoint& endpoint, ConnectionLimits* limits,
                 Client client);

  void OnOpen(Transport* transport) override;
  void OnMessage(std::string_view payload, bool text) override;
  void OnPong() override;
  bool OnPing() override;
  Ref<Frame> EncodeGap(const ChannelTraits& channel, const LostEvents& lost) override;
  void OnWritable() override;
  void OnClosed(uint16_t code, std::string_view reason) override;

  // As the session's will be.
  std::string_view correlation_id() const {
    if (session_ != nullptr) return session_->correlation_id();
    return client_.correlation_id.empty() ? TextOf(id_) : std::string_view(client_.correlation_id);
  }
  // For tests; null: it is still awaited.
  Session* session() { return session_.get(); }

 private:
  struct Checking {
    std::optional<int64_t> id;
    ClientCheck check;
    std::vector<std::pair<std::string, bool>> held = {};  // messages, whether text
    size_t held_bytes = 0;
  };

  void OnTimeout();
  bool TakeControl();
  void Hold(std::string_view payload, bool text);
  void Connect(std::optional<int64_t> id, std::string_view token);
  void OnChecked();
  // Tells the client why, and closes.
  void Refuse(std::optional<int64_t> id, std::string_view code, std::string_view message,
              const CloseCode& close);

  SessionContext& context_;
  const Endpoint& endpoint_;
  ConnectionLimits* const limits_;
  Client client_;
  const ConnectionId id_;
  Transport* transport_ = nullptr;
  Timer timer_ = Timer::Of<&AwaitedSession::OnTimeout>(this);
  std::unique_ptr<Checking> checking_;  // from its message until it is decided
  std::unique_ptr<Session> session_;
  bool ended_ = false;
  uint8_t control_frames_ = 0;
};

}  // namespace spillway::edge
