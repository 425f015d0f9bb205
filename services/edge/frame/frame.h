#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/ref_counted.h"

namespace spillway::edge {

enum class Opcode : uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

// What a frame carries, for those who queue it.
struct FrameMeta {
  bool event = false;     // one live event of a channel, and nothing else
  uint32_t slot = 0;      // of an event: its SlotNumber ...
  int64_t offset = 0;     // ... and offset
  uint64_t key_hash = 0;  // of an event: of its slot and key; 0: it has no key
};

// One finished, unmasked WebSocket frame (RFC 6455, section 5.2), header included, ready for the
// socket. Built once and shared by every connection it goes to; immutable, so any thread may read
// it. A single allocation holds the count, the size and the bytes.
class Frame final : public RefCounted<Frame> {
 public:
  // A FIN frame with this payload. `rsv1` marks a payload compressed by permessage-deflate (RFC
  // 7692).
  static Ref<Frame> Make(Opcode opcode, std::string_view payload, bool rsv1 = false);
  // No frame at all, but what goes out before the first one: the answer to the handshake.
  static Ref<Frame> MakeHandshake(std::string_view answer);
  // Header only, payload to be filled in by the caller through payload_data() before it is shared.
  static Ref<Frame> MakeUninitialised(Opcode opcode, size_t payload_size, bool rsv1 = false);

  std::string_view bytes() const { return {data(), size_}; }
  std::string_view payload() const { return {data() + header_size_, size_ - header_size_}; }
  char* payload_data() { return const_cast<char*>(data()) + header_size_; }
  // The payload is compressed by permessage-deflate.
  bool compressed() const { return (static_cast<uint8_t>(data()[0]) & 0x40) != 0; }
  Opcode opcode() const { return static_cast<Opcode>(static_cast<uint8_t>(data()[0]) & 0x0F); }
  // Then it has neither of the two.
  bool handshake() const { return handshake_; }

  FrameMeta meta() const { return {event_, slot_, offset_, key_hash_}; }
  // Before the frame is shared.
  void set_meta(const FrameMeta& meta) {
    event_ = meta.event;
    slot_ = meta.slot;
    offset_ = meta.offset;
    key_hash_ = meta.key_hash;
  }

  static void Destroy(const Frame* frame);

 private:
  Frame(uint32_t size, uint8_t header_size) : size_(size), header_size_(header_size) {}
  ~Frame() = default;
  static Frame* Allocate(size_t size, size_t header_size);
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }

  uint32_t size_;
  uint8_t header_size_;
  bool event_ = false;
  bool handshake_ = false;
  uint32_t slot_ = 0;
  int64_t offset_ = 0;
  uint64_t key_hash_ = 0;
};

}  // namespace spillway::edge
