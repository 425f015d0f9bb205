#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "services/edge/frame/deflate.h"

namespace spillway::edge {
struct FrameHeader;
}

namespace spillway::edge::ws {

// What a FrameCodec found. Payloads are unmasked and valid during the call only.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void OnMessage(std::string_view payload, bool text) = 0;
  virtual void OnPing(std::string_view payload) = 0;
  virtual void OnPong(std::string_view payload) = 0;
  // `code` is 1005 when the frame had none. The last call.
  virtual void OnClose(uint16_t code, std::string_view reason) = 0;
};

// Why a connection has to be failed (RFC 6455, section 7.1.7), with the code to close it with.
struct CodecFailure {
  uint16_t code;
  std::string_view reason;  // a literal
};

// Reads what a client sends: RFC 6455 frames, and permessage-deflate (RFC 7692) without context
// takeover. Incremental and free of sockets. Holds bytes only of an incomplete frame or message,
// and one pointer while there is none. Belongs to one connection, on its thread.
class FrameCodec {
 public:
  // `max_message_bytes`: of a whole message, inflated; a larger one fails with 1009. One in more
  // than 128 empty continuations fails with 1008.
  // `deflate`: RSV1 is allowed, the extension was negotiated.
  FrameCodec(size_t max_message_bytes, bool deflate);
  ~FrameCodec();
  FrameCodec(const FrameCodec&) = delete;
  FrameCodec& operator=(const FrameCodec&) = delete;

  // Takes the next bytes of the stream, which are unmasked in place, and calls `sink` for whatever
  // they complete. After a failure or a close frame the rest of the stream is ignored.
  std::optional<CodecFailure> Feed(char* data, size_t size, Inflater& inflater, FrameSink& sink);

  // Bytes of the incomplete message or frame.
  size_t held_bytes() const;

 private:
  struct Partial;
  struct Input {
    char* data;
    size_t size;
  };
  using Outcome = std::optional<CodecFailure>;

  bool ReadHeader(Input& in, FrameHeader* header, Outcome* outcome);
  Outcome CheckHeader(const FrameHeader& header);
  Outcome BeginFrame(Input& in, const FrameHeader& header, Inflater& inflater, FrameSink& sink);
  Outcome ContinueFrame(Input& in, Inflater& inflater, FrameSink& sink);
  Outcome FinishPartialMessage(Inflater& inflater, FrameSink& sink);
  Outcome DeliverControl(uint8_t opcode, std::string_view payload, FrameSink& sink);
  Outcome DeliverMessage(std::string_view payload, bool text, bool compressed, bool checked,
                         Inflater& inflater, FrameSink& sink);
  Partial& EnsurePartial();

  const size_t max_message_bytes_;
  const bool deflate_;
  bool done_ = false;
  std::unique_ptr<Partial> partial_;
};

// Applies a frame's mask in place; `offset` is the payload's position of data[0].
void Unmask(char* data, size_t size, const char mask[4], size_t offset);

}  // namespace spillway::edge::ws
