#include "tools/load/inflate_cache.h"

#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <functional>

namespace spillway::load {
namespace {

constexpr size_t kEntries = 256;
constexpr size_t kLargest = 64 << 20;
// What a sender takes off the end of a message (RFC 7692, section 7.2.1).
constexpr std::string_view kTail("\x00\x00\xFF\xFF", 4);

}  // namespace

InflateCache::InflateCache() : stream_(std::make_unique<z_stream_s>()), entries_(kEntries) {
  if (inflateInit2(stream_.get(), -15) != Z_OK) std::abort();  // out of memory
}

InflateCache::~InflateCache() { inflateEnd(stream_.get()); }

std::optional<std::string_view> InflateCache::Inflate(std::string_view compressed) {
  Entry& entry = entries_[std::hash<std::string_view>()(compressed) % kEntries];
  if (!entry.compressed.empty() && entry.compressed == compressed) return entry.message;
  entry.compressed.clear();
  if (!Run(compressed, &entry.message)) return std::nullopt;
  entry.compressed.assign(compressed);
  return entry.message;
}

bool InflateCache::Run(std::string_view compressed, std::string* message) {
  inflateReset(stream_.get());
  size_t size = 0;
  message->resize(std::max<size_t>(message->capacity(), 1024));
  for (const std::string_view part : {compressed, kTail}) {
    // zlib does not write to its input.
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream_->avail_in = static_cast<uInt>(part.size());
    while (true) {
      if (size == message->size()) {
        if (size >= kLargest) return false;
        message->resize(size * 2);
      }
      stream_->next_out = reinterpret_cast<Bytef*>(message->data() + size);
      stream_->avail_out = static_cast<uInt>(message->size() - size);
      const int result = inflate(stream_.get(), Z_SYNC_FLUSH);
      size = message->size() - stream_->avail_out;
      if (result == Z_STREAM_END) break;
      if (result != Z_OK && result != Z_BUF_ERROR) return false;
      if (stream_->avail_out != 0) break;
    }
  }
  message->resize(size);
  return true;
}

}  // namespace spillway::load
