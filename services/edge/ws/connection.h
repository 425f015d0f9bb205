#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/edge/session/transport.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/backlog.h"
#include "services/edge/ws/byte_stream.h"
#include "services/edge/ws/close_codes.h"
#include "services/edge/ws/extension.h"
#include "services/edge/ws/frame_codec.h"
#include "services/edge/ws/send_scratch.h"

namespace spillway::edge::ws {

class ConnectionSet;

struct ConnectionOptions {
  size_t max_message_bytes =
      64 * 1024;  // of the client's messages, inflated; above: closed with 1009
  // Of what waits. At the bound events give way as their channels' policies say; where none can the
  // connection is closed as a slow consumer.
  BacklogLimits backlog;
  // The longest that the kernel takes nothing of what waits: then the same. 0: for ever.
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds close_timeout{5000};  // from a close frame queued to the end
};

// One WebSocket connection after the handshake, the server's end. Its frames leave when the set's
// turn ends.
//
// Ending: (1) open; (2) closing: our close frame is queued, the peer's awaited; (3) finishing:
// nothing more is wanted from the peer, what is queued leaves; (4) ended. The handler hears
// OnClosed when the outcome is known, (3) at the latest, and is destroyed then.
//
// Belongs to one worker thread, which alone may call it; owned by its ConnectionSet, which destroys
// it at the end of the turn in which it ended.
class Connection final : public Transport, private FrameSink, private GapFrames {
 public:
  Connection(ConnectionSet& set, std::unique_ptr<ByteStream> stream,
             std::unique_ptr<TransportHandler> handler, const ConnectionOptions& options,
             const std::optional<DeflateAgreement>& deflate);
  ~Connection() override;

  // Transport.
  void Send(const Frame& frame, const ChannelTraits* traits) override;
  void Close(uint16_t code, std::string_view reason) override;
  size_t backlog_bytes() const override { return scratch_bytes_ + backlog_.bytes(); }
  size_t backlog_messages() const override { return scratch_messages_ + backlog_.messages(); }
  std::chrono::milliseconds backlog_age() const override;

  // Keeps a frame made for this connection alone alive until the turn's end, as Send() wants it.
  void Keep(Ref<Frame> frame);

  // Null once OnClosed was called.
  TransportHandler* handler() const { return handler_.get(); }
  // Whether permessage-deflate was negotiated, so that frames with RSV1 may be sent ...
  bool compresses() const { return deflate_window_bits_ != 0; }
  // ... compressed with a window of at most so many bits; 0 without it.
  int deflate_window_bits() const override { return deflate_window_bits_; }
  bool open() const { return state_ == State::kOpen; }
  size_t held_input_bytes() const { return codec_.held_bytes(); }

  // For the event loop.
  void HandleReadable(char* buffer, size_t size);
  void HandleWritable();

  // Ends at once, without a close frame; the handler hears `code`.
  void Abort(const CloseCode& code);

 private:
  friend class ConnectionSet;

  enum class State : uint8_t { kOpen, kClosing, kFinishing, kEnded };

  // For the set: within its turn.
  void Open(std::string_view answer, char* leftover, size_t size);
  void Flush();
  bool Settle();  // tells of the end; true: to be destroyed
  void NotifyWritable();

  // FrameSink.
  void OnMessage(std::string_view payload, bool text) override;
  void OnPing(std::string_view payload) override;
  void OnPong(std::string_view payload) override;
  void OnClose(uint16_t code, std::string_view reason) override;

  // GapFrames.
  Ref<Frame> MakeGap(const ChannelTraits& channel, const LostEvents& lost) override;

  void TakeInput(char* data, size_t size);

  bool ScratchIsFull(size_t more) const;
  bool AboveLowWatermark() const;
  void Queue(const Frame& frame, const ChannelTraits* traits);
  void QueueClose(uint16_t code, std::string_view reason);
  void FlushScratch();
  void ForgetScratch();
  void KeepRest(uint32_t node, size_t sent);
  void CountWrite(const IoResult& result);
  void SetBlocked(bool blocked);
  void SetWriteTimeout();
  void AfterWrite();

  void FailSlow(std::string_view reason);
  void Finish(uint16_t code, std::string_view reason);
  void OutputDrained();
  void OnTimeout();
  void Lose();
  void End();

  ConnectionSet& set_;
  const ConnectionOptions& options_;
  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<TransportHandler> handler_;
  FrameCodec codec_;
  Backlog backlog_;
  SendScratch::List scratch_;
  size_t scratch_bytes_ = 0;
  size_t scratch_messages_ = 0;
  // While open: of writing, set while blocked. Afterwards: of closing.
  Timer timer_ = Timer::Of<&Connection::OnTimeout>(this);
  std::string outcome_reason_;
  uint16_t outcome_code_ = kCloseAbnormal.code;
  const uint8_t deflate_window_bits_;
  State state_ = State::kOpen;
  bool peer_closed_ = false;  // its close frame came
  bool blocked_ = false;      // the kernel is full: the backlog is not empty, or was a moment ago
  bool write_shut_ = false;
  bool dirty_ = false;         // in the set's list of connections to flush
  bool attention_ = false;     // in the set's list of connections to settle
  bool was_high_ = false;      // the backlog has been above the low watermark
  bool writable_due_ = false;  // in the set's list of connections to tell
};

}  // namespace spillway::edge::ws
