#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace spillway::edge {

// permessage-deflate (RFC 7692) with both *_no_context_takeover: every message stands alone, so one
// compressor and one decompressor serve all connections of a thread, and a compressed frame can be
// shared. Each object belongs to one thread; its worker (or tool) owns it.

// Compresses whole messages. Holds up to 268 KiB of zlib state (15 window bits, memory level 8).
class Deflater {
 public:
  static constexpr int kMinWindowBits = 9;  // zlib cannot make raw streams with 8
  static constexpr int kMaxWindowBits = 15;

  // `level`: zlib's 1 (fast) to 9 (small). `window_bits`: at most what every receiver agreed to.
  explicit Deflater(int window_bits = kMaxWindowBits, int level = 6, int memory_level = 8);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The payload of a frame with RSV1: without the tail 00 00 FF FF (section 7.2.1).
  // Valid until the next call. Holds an output buffer of up to about the largest payload's size;
  // one above 256 KiB is given back with the next message.
  std::string_view Compress(std::string_view payload);

 private:
  std::unique_ptr<z_stream_s> stream_;
  std::string out_;
};

// Decompresses whole messages, to no more than a limit. Holds about 40 KiB of zlib state.
class Inflater {
 public:
  enum class Status { kOk, kCorrupt, kTooBig };
  struct Result {
    Status status = Status::kOk;
    std::string_view payload;  // valid until the next call
  };

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // `data` as it came, without the tail. kTooBig as soon as more than `limit` bytes would come out,
  // whatever the input promises: the time is bounded by its size and `limit`.
  Result Inflate(std::string_view data, size_t limit);

  // Of the output: at most twice the largest limit used (but for the first chunk of 16 KiB); above
  // 256 KiB it is given back with the next message.
  size_t held_bytes() const { return out_.capacity(); }

 private:
  Status Run(std::string_view data, size_t limit);

  std::unique_ptr<z_stream_s> stream_;
  std::string out_;
  size_t out_size_ = 0;
};

}  // namespace spillway::edge
