#include "services/edge/frame/frame.h"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "services/edge/frame/frame_header.h"

namespace spillway::edge {

Ref<Frame> Frame::Make(Opcode opcode, std::string_view payload, bool rsv1) {
  Ref<Frame> frame = MakeUninitialised(opcode, payload.size(), rsv1);
  if (!payload.empty()) std::memcpy(frame->payload_data(), payload.data(), payload.size());
  return frame;
}

Ref<Frame> Frame::MakeUninitialised(Opcode opcode, size_t payload_size, bool rsv1) {
  const size_t header_size = ServerHeaderSize(payload_size);
  // Every source of payloads is bounded far below this: a larger one is a bug of ours, and a size
  // cut to 32 bits would be sent as a corrupt stream.
  if (payload_size > std::numeric_limits<uint32_t>::max() - header_size) std::abort();
  const size_t size = header_size + payload_size;
  Frame* const frame = Allocate(size, header_size);
  WriteServerHeader(const_cast<char*>(frame->data()), opcode, payload_size, rsv1);
  return Ref<Frame>::Adopt(frame);
}

Ref<Frame> Frame::MakeHandshake(std::string_view answer) {
  Frame* const frame = Allocate(answer.size(), 0);
  frame->handshake_ = true;
  std::memcpy(frame->payload_data(), answer.data(), answer.size());
  return Ref<Frame>::Adopt(frame);
}

Frame* Frame::Allocate(size_t size, size_t header_size) {
  void* memory = ::operator new(sizeof(Frame) + size);
  return new (memory) Frame(static_cast<uint32_t>(size), static_cast<uint8_t>(header_size));
}

void Frame::Destroy(const Frame* frame) {
  frame->~Frame();
  ::operator delete(const_cast<Frame*>(frame));
}

}  // namespace spillway::edge
