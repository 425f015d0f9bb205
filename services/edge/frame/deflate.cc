#include "services/edge/frame/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace spillway::edge {
namespace {

constexpr std::string_view kTail("\x00\x00\xFF\xFF", 4);
// Buffers above this are given back after the message that needed them.
constexpr size_t kKeptCapacity = 256 * 1024;
constexpr size_t kInflateChunk = 16 * 1024;

Bytef* Bytes(std::string_view data) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
}

}  // namespace

Deflater::Deflater(int window_bits, int level, int memory_level)
    : stream_(std::make_unique<z_stream_s>()) {
  // Negative window bits: a raw stream, without zlib's header. Fails for wrong arguments or no
  // memory only.
  if (deflateInit2(stream_.get(), level, Z_DEFLATED, -window_bits, memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    std::abort();
  }
}

Deflater::~Deflater() { deflateEnd(stream_.get()); }

std::string_view Deflater::Compress(std::string_view payload) {
  if (out_.capacity() > kKeptCapacity) std::string().swap(out_);
  deflateReset(stream_.get());
  // deflateBound is for Z_FINISH; a sync flush adds an empty stored block of at most 6 bytes.
  const size_t bound = deflateBound(stream_.get(), payload.size()) + 16;
  // Never shrunk in between: growing again would clear it again.
  if (out_.size() < bound) out_.resize(bound);
  stream_->next_in = Bytes(payload);
  stream_->avail_in = static_cast<uInt>(payload.size());
  size_t produced = 0;
  for (;;) {
    stream_->next_out = Bytes(out_) + produced;
    stream_->avail_out = static_cast<uInt>(out_.size() - produced);
    deflate(stream_.get(), Z_SYNC_FLUSH);
    produced = out_.size() - stream_->avail_out;
    if (stream_->avail_out > 0) break;  // flushed whole
    out_.resize(out_.size() * 2);
  }
  return std::string_view(out_).substr(0, produced - kTail.size());
}

Inflater::Inflater() : stream_(std::make_unique<z_stream_s>()) {
  // The largest window reads what was made with any.
  if (inflateInit2(stream_.get(), -MAX_WBITS) != Z_OK) std::abort();
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

Inflater::Result Inflater::Inflate(std::string_view data, size_t limit) {
  if (out_.capacity() > kKeptCapacity) std::string().swap(out_);
  out_size_ = 0;
  inflateReset(stream_.get());
  Status status = Run(data, limit);
  if (status == Status::kOk) status = Run(kTail, limit);
  if (status != Status::kOk) return {status, {}};
  return {Status::kOk, std::string_view(out_).substr(0, out_size_)};
}

Inflater::Status Inflater::Run(std::string_view data, size_t limit) {
  stream_->next_in = Bytes(data);
  stream_->avail_in = static_cast<uInt>(data.size());
  for (;;) {
    if (out_size_ == out_.size()) out_.resize(std::max(kInflateChunk, out_.size() * 2));
    stream_->next_out = Bytes(out_) + out_size_;
    // Room for one byte more than allowed is enough to know.
    const size_t room = std::min(out_.size() - out_size_, limit - out_size_ + 1);
    stream_->avail_out = static_cast<uInt>(room);
    const int result = inflate(stream_.get(), Z_SYNC_FLUSH);
    const bool filled = stream_->avail_out == 0;
    out_size_ += room - stream_->avail_out;
    if (out_size_ > limit) return Status::kTooBig;
    if (result == Z_STREAM_END) {
      // A final block inside the message (section 7.2.3.5) is legal: what follows starts afresh.
      inflateReset(stream_.get());
      if (stream_->avail_in == 0) return Status::kOk;
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return Status::kCorrupt;
    if (stream_->avail_in == 0 && !filled) return Status::kOk;
    // No progress although there is input and room cannot happen; leave rather than spin.
    if (result == Z_BUF_ERROR && !filled) return Status::kCorrupt;
  }
}

}  // namespace spillway::edge
