#pragma once

#include <sys/uio.h>

#include <cstddef>

namespace spillway::edge::ws {

struct IoResult {
  enum class Status { kOk, kWouldBlock, kEnd, kError };
  Status status = Status::kOk;
  size_t bytes = 0;  // of kOk
};

// The non-blocking byte stream below a connection: a socket, or TLS over one. Owned by its
// connection, on whose thread it is used.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // What to watch for readiness.
  virtual int fd() const = 0;
  // kOk with 1 to `size` bytes.
  virtual IoResult Read(char* data, size_t size) = 0;
  // kOk with the number taken, perhaps fewer than given.
  virtual IoResult Write(const iovec* pieces, size_t count) = 0;
  // Tells the peer that nothing more follows.
  virtual void ShutdownWrite() = 0;
  // Whether something of its own waits for room in the socket: to be read again once there is.
  virtual bool wants_write() const { return false; }
};

// Most pieces of one Write (Linux: UIO_MAXIOV).
inline constexpr size_t kMaxPieces = 1024;

// Write() of a socket.
IoResult WriteSocket(int fd, const iovec* pieces, size_t count);

// A connected, non-blocking socket, which it owns.
class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(int fd) : fd_(fd) {}
  ~SocketStream() override;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  int fd() const override { return fd_; }
  IoResult Read(char* data, size_t size) override;
  IoResult Write(const iovec* pieces, size_t count) override;
  void ShutdownWrite() override;

 private:
  int fd_;
};

}  // namespace spillway::edge::ws
