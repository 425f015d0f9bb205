#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct z_stream_s;

namespace spillway::load {

// Inflates messages of permessage-deflate without context takeover, and remembers some: a server
// that compresses once sends the same bytes to many clients, and comparing is cheaper than
// inflating. One thread.
class InflateCache {
 public:
  InflateCache();
  ~InflateCache();
  InflateCache(const InflateCache&) = delete;
  InflateCache& operator=(const InflateCache&) = delete;

  // The message; valid until the next call. Nothing if it is corrupt, or more than 64 MiB.
  std::optional<std::string_view> Inflate(std::string_view compressed);

 private:
  struct Entry {
    std::string compressed;
    std::string message;
  };

  bool Run(std::string_view compressed, std::string* message);

  std::unique_ptr<z_stream_s> stream_;
  std::vector<Entry> entries_;
};

}  // namespace spillway::load
