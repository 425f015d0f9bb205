#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/edge/frame/channel_traits.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge {

// The session's view of its connection's output. Implemented by the WebSocket connection (ws/) and
// by fakes in tests. Belongs to one worker thread, which alone may call it.
class Transport {
 public:
  virtual ~Transport() = default;

  // Queues a whole frame; everything queued in one turn of the worker's loop leaves in one gather
  // write at the turn's end. Never blocks, never calls back into the handler, and does nothing
  // after Close() or once the peer is gone. A connection whose backlog passes its bound is closed
  // as a slow consumer (close_codes.h), which the handler learns by OnClosed in a later turn. The
  // caller keeps `frame` and `traits` alive until the end of the turn; what could not leave by then
  // is referenced by the backlog. `traits` are those of the channel that the frame belongs to;
  // null: it belongs to none.
  virtual void Send(const Frame& frame, const ChannelTraits* traits) = 0;

  // Sends what is queued, then a close frame (RFC 6455, section 5.5.1), and ends the connection
  // when the peer answers or the close timeout passes. `reason` is cut to 123 bytes at a UTF-8
  // boundary.
  virtual void Close(uint16_t code, std::string_view reason) = 0;

  // Bytes and messages queued and not yet taken by the kernel.
  virtual size_t backlog_bytes() const = 0;
  virtual size_t backlog_messages() const = 0;

  // How long something has waited there without a pause; zero: nothing does.
  virtual std::chrono::milliseconds backlog_age() const { return std::chrono::milliseconds(0); }

  // What frames with RSV1 may be compressed with: a window of so many bits. 0: no such frames,
  // permessage-deflate was not negotiated.
  virtual int deflate_window_bits() const { return 0; }
};

// Events of one channel that a connection did not send, because its peer read too slowly.
struct LostEvents {
  uint32_t slot = 0;  // SlotNumber; kNoSlot: they never were in Kafka
  int64_t from = 0;   // offsets, both included; of a slot only
  int64_t to = 0;
  uint32_t count = 0;  // of the events
};

// What a connection tells the layer above. Called on the connection's worker thread only.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;

  // The connection is open; `transport` outlives the handler.
  virtual void OnOpen(Transport* transport) = 0;
  // A whole message, inflated and (text) checked as UTF-8. `payload` is valid during the call only.
  virtual void OnMessage(std::string_view payload, bool text) = 0;
  // A protocol-level pong (RFC 6455, section 5.5.3).
  virtual void OnPong() = 0;
  // The same of a ping. False: it is one too many, and is not answered.
  virtual bool OnPing() { return true; }
  // The frame that tells of them, in their place. Asked for where frames were sent under traits of
  // a policy that drops; null: there is none.
  virtual Ref<Frame> EncodeGap(const ChannelTraits& channel, const LostEvents& lost) {
    static_cast<void>(channel);
    static_cast<void>(lost);
    return {};
  }
  // The backlog fell below its low watermark (half of the bound) after having been above it.
  virtual void OnWritable() = 0;
  // Last call: the connection is gone. `code` is the peer's close code, ours, or 1006 without a
  // close frame.
  virtual void OnClosed(uint16_t code, std::string_view reason) = 0;
};

}  // namespace spillway::edge
