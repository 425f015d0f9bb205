#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "services/edge/frame/deflate.h"
#include "services/edge/frame/frame.h"

namespace spillway::edge {

// What may be asked of permessage-deflate for outgoing frames, the same for all of a process.
struct CompressionOptions {
  static constexpr size_t kDefaultThreshold = 256;
  static constexpr int kDefaultLevel = 3;

  // Payloads below this many bytes go out as they are.
  size_t threshold = kDefaultThreshold;
  int level = kDefaultLevel;  // zlib's 1 (fast) to 9 (small)
};

// One thread's deflaters, each made when it is first needed. The window and the tables fit the
// payload, since resetting them for each message costs more than a short message itself: up to
// kSmallPayload bytes a deflater of 12 bits, above one of 15. A receiver that agreed to less than
// 15 bits gets 9: but for payloads that fit that window, which are the same either way.
//
// Holds at most 268 + 32 + 20 KiB of zlib state and their output buffers (Deflater). Belongs to one
// thread.
class Compressor {
 public:
  // What receivers agreed to: as much as one may, or the least.
  static constexpr int kWideWindowBits = Deflater::kMaxWindowBits;
  static constexpr int kNarrowWindowBits = Deflater::kMinWindowBits;
  // No distance within so short a payload exceeds the narrow window.
  static constexpr size_t kNarrowPayload = size_t{1} << kNarrowWindowBits;

  explicit Compressor(int level);
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // The calling thread's own, made at its first call, gone with the thread. A call with another
  // level makes a new one.
  static Compressor& OfThisThread(int level);

  // The same message compressed (RSV1), for receivers with a window of `window_bits`, one of the
  // two above; null if that would not be smaller. `plain` is a text or binary frame.
  Ref<Frame> Compress(const Frame& plain, int window_bits);

  int level() const { return level_; }

 private:
  Deflater& DeflaterFor(size_t payload_size, int window_bits);

  const int level_;
  std::unique_ptr<Deflater> small_;
  std::unique_ptr<Deflater> large_;
  std::unique_ptr<Deflater> narrow_;
};

}  // namespace spillway::edge
