#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "services/edge/ws/byte_stream.h"
#include "services/edge/ws/event_loop.h"

namespace spillway::edge::ws {

// The peer of a FakeStream, which outlives it.
struct FakePeer {
  std::string to_read;    // what the connection reads next
  bool end = false;       // ... and then the end
  bool broken = false;    // every call fails
  size_t room = 1 << 30;  // what the "kernel" still takes
  std::string written;
  int writes = 0;
  size_t largest_gather = 0;
  bool write_shut = false;
  bool closed = false;
};

class FakeStream final : public ByteStream {
 public:
  explicit FakeStream(FakePeer& peer) : peer_(peer) {}
  ~FakeStream() override { peer_.closed = true; }

  int fd() const override { return 7; }
  IoResult Read(char* data, size_t size) override {
    if (peer_.broken) return {IoResult::Status::kError, 0};
    if (peer_.to_read.empty()) {
      return {peer_.end ? IoResult::Status::kEnd : IoResult::Status::kWouldBlock, 0};
    }
    const size_t taken = peer_.to_read.copy(data, size);
    peer_.to_read.erase(0, taken);
    return {IoResult::Status::kOk, taken};
  }
  IoResult Write(const iovec* pieces, size_t count) override {
    if (peer_.broken) return {IoResult::Status::kError, 0};
    if (peer_.room == 0) return {IoResult::Status::kWouldBlock, 0};
    ++peer_.writes;
    peer_.largest_gather = std::max(peer_.largest_gather, count);
    size_t taken = 0;
    for (size_t i = 0; i < count && peer_.room > 0; ++i) {
      const size_t part = std::min(pieces[i].iov_len, peer_.room);
      if (record) peer_.written.append(static_cast<const char*>(pieces[i].iov_base), part);
      taken += part;
      peer_.room -= part;
    }
    return {IoResult::Status::kOk, taken};
  }
  void ShutdownWrite() override { peer_.write_shut = true; }

  bool record = true;

 private:
  FakePeer& peer_;
};

class FakeLoop final : public EventLoop {
 public:
  bool Watch(int, Connection* connection) override {
    watched = connection;
    return can_watch;
  }
  void WatchWrites(int, Connection*, bool on) override { writes_watched = on; }
  void Unwatch(int) override { watched = nullptr; }
  void RequestTurn() override { turn_requested = true; }

  Connection* watched = nullptr;
  bool can_watch = true;
  bool writes_watched = false;
  bool turn_requested = false;
};

}  // namespace spillway::edge::ws
