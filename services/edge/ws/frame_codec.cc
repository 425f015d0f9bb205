#include "services/edge/ws/frame_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "services/edge/frame/frame_header.h"
#include "services/edge/ws/close_codes.h"
#include "services/edge/ws/utf8.h"

namespace spillway::edge::ws {
namespace {

CodecFailure ProtocolError(std::string_view reason) { return {kCloseProtocolError.code, reason}; }
CodecFailure TooBig() { return {kCloseTooBig.code, "message too big"}; }
CodecFailure NotUtf8() { return {kCloseInvalidPayload.code, "text is not UTF-8"}; }

// Frames of a message without a byte in them: they add to no bound of bytes.
constexpr uint32_t kMaxEmptyFrames = 128;

bool IsKnown(uint8_t opcode) { return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA); }

}  // namespace

// Between two frames of a message: the payload so far. Within a frame: that, too.
struct FrameCodec::Partial {
  bool idle() const { return header_size == 0 && !in_frame && !in_message; }

  std::array<char, kMaxFrameHeaderSize> header_bytes{};
  uint8_t header_size = 0;  // of an incomplete header

  bool in_frame = false;
  FrameHeader frame;
  uint64_t frame_got = 0;
  std::string control;  // payload of an incomplete control frame

  bool in_message = false;
  bool text = false;
  bool compressed = false;
  uint32_t empty_frames = 0;
  std::string message;
  Utf8Validator utf8;
};

FrameCodec::FrameCodec(size_t max_message_bytes, bool deflate)
    : max_message_bytes_(max_message_bytes), deflate_(deflate) {}

FrameCodec::~FrameCodec() = default;

size_t FrameCodec::held_bytes() const {
  return partial_ == nullptr
             ? 0
             : partial_->header_size + partial_->control.size() + partial_->message.size();
}

FrameCodec::Partial& FrameCodec::EnsurePartial() {
  if (partial_ == nullptr) partial_ = std::make_unique<Partial>();
  return *partial_;
}

FrameCodec::Outcome FrameCodec::Feed(char* data, size_t size, Inflater& inflater, FrameSink& sink) {
  Input in{data, size};
  Outcome outcome;
  while (!done_ && !outcome) {
    if (partial_ != nullptr && partial_->in_frame) {
      if (in.size == 0) break;
      outcome = ContinueFrame(in, inflater, sink);
    } else {
      FrameHeader header;
      if (!ReadHeader(in, &header, &outcome)) break;
      outcome = CheckHeader(header);
      if (!outcome) outcome = BeginFrame(in, header, inflater, sink);
    }
    if (partial_ != nullptr && partial_->idle()) partial_.reset();
  }
  if (outcome) done_ = true;
  if (done_) partial_.reset();
  return outcome;
}

// False: no whole header yet, or `outcome` says what is wrong with it.
bool FrameCodec::ReadHeader(Input& in, FrameHeader* header, Outcome* outcome) {
  HeaderParse parse;
  if (partial_ == nullptr || partial_->header_size == 0) {
    parse = ParseFrameHeader({in.data, in.size}, header);
    if (parse == HeaderParse::kNeedMore) {
      if (in.size > 0) {
        Partial& partial = EnsurePartial();
        std::memcpy(partial.header_bytes.data(), in.data, in.size);
        partial.header_size = static_cast<uint8_t>(in.size);
      }
      return false;
    }
    if (parse == HeaderParse::kOk) {
      in.data += header->header_size;
      in.size -= header->header_size;
    }
  } else {
    Partial& partial = *partial_;
    do {
      if (in.size == 0) return false;
      partial.header_bytes[partial.header_size++] = *in.data++;
      --in.size;
      parse = ParseFrameHeader({partial.header_bytes.data(), partial.header_size}, header);
    } while (parse == HeaderParse::kNeedMore);
    partial.header_size = 0;
  }
  if (parse == HeaderParse::kInvalidLength) {
    *outcome = ProtocolError("invalid frame length");
    return false;
  }
  return true;
}

FrameCodec::Outcome FrameCodec::CheckHeader(const FrameHeader& header) {
  const bool in_message = partial_ != nullptr && partial_->in_message;
  if (header.rsv2 || header.rsv3) return ProtocolError("reserved bit set");
  if (!IsKnown(header.opcode)) return ProtocolError("unknown opcode");
  if (!header.masked) return ProtocolError("frame is not masked");
  if (header.is_control()) {
    if (header.rsv1) return ProtocolError("reserved bit set");
    if (!header.fin) return ProtocolError("fragmented control frame");
    if (header.payload_size > kMaxControlPayload) return ProtocolError("control frame too long");
    return std::nullopt;
  }
  const bool continuation = header.opcode == static_cast<uint8_t>(Opcode::kContinuation);
  if (continuation && !in_message) return ProtocolError("continuation without a message");
  if (!continuation && in_message) return ProtocolError("message within a message");
  if (header.rsv1 && (!deflate_ || continuation)) return ProtocolError("reserved bit set");
  const size_t before = in_message ? partial_->message.size() : 0;
  if (header.payload_size > max_message_bytes_ - before) return TooBig();
  if (in_message && header.payload_size == 0 && ++partial_->empty_frames > kMaxEmptyFrames) {
    return CodecFailure{kClosePolicyViolation.code, "too many empty frames"};
  }
  return std::nullopt;
}

FrameCodec::Outcome FrameCodec::BeginFrame(Input& in, const FrameHeader& header, Inflater& inflater,
                                           FrameSink& sink) {
  const bool text = header.opcode == static_cast<uint8_t>(Opcode::kText);
  const bool whole_message =
      header.fin && header.opcode != static_cast<uint8_t>(Opcode::kContinuation);
  if (header.payload_size <= in.size && (header.is_control() || whole_message)) {
    // Usual: all of it is here, and is handed on from where it lies.
    const auto size = static_cast<size_t>(header.payload_size);
    Unmask(in.data, size, header.mask.data(), 0);
    const std::string_view payload(in.data, size);
    in.data += size;
    in.size -= size;
    if (header.is_control()) return DeliverControl(header.opcode, payload, sink);
    return DeliverMessage(payload, text, header.rsv1, /*checked=*/false, inflater, sink);
  }
  Partial& partial = EnsurePartial();
  partial.in_frame = true;
  partial.frame = header;
  partial.frame_got = 0;
  if (!header.is_control() && !partial.in_message) {
    partial.in_message = true;
    partial.text = text;
    partial.compressed = header.rsv1;
  }
  return ContinueFrame(in, inflater, sink);
}

FrameCodec::Outcome FrameCodec::ContinueFrame(Input& in, Inflater& inflater, FrameSink& sink) {
  Partial& partial = *partial_;
  const FrameHeader& frame = partial.frame;
  const auto size =
      static_cast<size_t>(std::min<uint64_t>(in.size, frame.payload_size - partial.frame_got));
  Unmask(in.data, size, frame.mask.data(), static_cast<size_t>(partial.frame_got));
  const std::string_view piece(in.data, size);
  in.data += size;
  in.size -= size;
  partial.frame_got += size;
  if (frame.is_control()) {
    partial.control.append(piece);
  } else {
    partial.message.append(piece);
    if (partial.text && !partial.compressed && !partial.utf8.Feed(piece)) return NotUtf8();
  }
  if (partial.frame_got < frame.payload_size) return std::nullopt;

  partial.in_frame = false;
  if (frame.is_control()) {
    const std::string payload = std::exchange(partial.control, std::string());
    return DeliverControl(frame.opcode, payload, sink);
  }
  return frame.fin ? FinishPartialMessage(inflater, sink) : std::nullopt;
}

FrameCodec::Outcome FrameCodec::FinishPartialMessage(Inflater& inflater, FrameSink& sink) {
  const std::unique_ptr<Partial> whole = std::move(partial_);
  if (whole->text && !whole->compressed && !whole->utf8.complete()) return NotUtf8();
  return DeliverMessage(whole->message, whole->text, whole->compressed, /*checked=*/true, inflater,
                        sink);
}

FrameCodec::Outcome FrameCodec::DeliverMessage(std::string_view payload, bool text, bool compressed,
                                               bool checked, Inflater& inflater, FrameSink& sink) {
  if (compressed) {
    const Inflater::Result result = inflater.Inflate(payload, max_message_bytes_);
    if (result.status == Inflater::Status::kTooBig) return TooBig();
    if (result.status == Inflater::Status::kCorrupt) {
      return CodecFailure{kCloseInvalidPayload.code, "invalid compressed data"};
    }
    payload = result.payload;
    checked = false;
  }
  if (text && !checked && !IsUtf8(payload)) return NotUtf8();
  sink.OnMessage(payload, text);
  return std::nullopt;
}

FrameCodec::Outcome FrameCodec::DeliverControl(uint8_t opcode, std::string_view payload,
                                               FrameSink& sink) {
  if (opcode == static_cast<uint8_t>(Opcode::kPing)) {
    sink.OnPing(payload);
  } else if (opcode == static_cast<uint8_t>(Opcode::kPong)) {
    sink.OnPong(payload);
  } else if (payload.empty()) {
    done_ = true;
    sink.OnClose(kCloseNoStatus.code, {});
  } else {
    if (payload.size() == 1) return ProtocolError("invalid close frame");
    const auto code = static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 |
                                            static_cast<uint8_t>(payload[1]));
    if (!IsSendableCloseCode(code)) return ProtocolError("invalid close code");
    if (!IsUtf8(payload.substr(2))) {
      return CodecFailure{kCloseInvalidPayload.code, "close reason is not UTF-8"};
    }
    done_ = true;
    sink.OnClose(code, payload.substr(2));
  }
  return std::nullopt;
}

void Unmask(char* data, size_t size, const char mask[4], size_t offset) {
  char key[8];
  for (size_t i = 0; i < 8; ++i) key[i] = mask[(offset + i) & 3];
  uint64_t wide;
  std::memcpy(&wide, key, 8);
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, 8);
    word ^= wide;
    std::memcpy(data + i, &word, 8);
  }
  for (; i < size; ++i) data[i] = static_cast<char>(data[i] ^ key[i & 7]);
}

}  // namespace spillway::edge::ws
