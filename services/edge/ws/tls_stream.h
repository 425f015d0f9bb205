#pragma once

#include <cstddef>
#include <memory>

#include "services/edge/ws/byte_stream.h"
#include "services/edge/ws/counters.h"

using SSL = struct ssl_st;

namespace spillway::edge::ws {

// The server's end of TLS over a socket: shakes hands while it is read, then carries bytes.
//
// OpenSSL neither reads nor writes the socket. A read takes what the socket has, once, into a
// buffer of the thread, and all of it is decrypted before the call returns; a write encrypts
// records into another one, which leaves with one system call. So nothing that epoll does not
// know of waits inside, and a connection at rest holds no buffer. What the kernel does not take of
// records is kept (kMaxHeld bytes at most) and leaves first; until then the last byte that is in
// it is reported as not taken, so that the caller waits for the socket as it would without TLS.
//
// With the kernel's TLS the handshake is OpenSSL's on the socket, and bytes then go to the socket
// as they are.
class TlsStream final : public ByteStream {
 public:
  // Of Read(): room for what one record may hold beside what is read.
  static constexpr size_t kLeastRead = 32 * 1024;
  static constexpr size_t kMaxHeld = 128 * 1024;

  // Takes both over; `ssl` is fresh. `kernel`: kTLS is to be used if it can be.
  TlsStream(SSL* ssl, int fd, bool kernel, WorkerCounters& counters);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  int fd() const override { return fd_; }
  // `size` is at least kLeastRead.
  IoResult Read(char* data, size_t size) override;
  IoResult Write(const iovec* pieces, size_t count) override;
  void ShutdownWrite() override;
  bool wants_write() const override { return held_ != nullptr || handshake_writes_; }

 private:
  struct Held;  // records that the kernel did not take yet

  bool Receive(size_t room, IoResult* result);
  size_t Decrypt(char* data, size_t size);
  bool Encrypt(const char* data, size_t size);
  void Judge(int returned);
  void FinishHandshake();
  void UseThreadBuffers();
  bool Flush();
  void SayGoodbye();
  IoResult Ended() const;

  SSL* const ssl_;
  WorkerCounters& counters_;
  std::unique_ptr<Held> held_;
  const int fd_;
  const bool try_kernel_;
  bool shaken_ = false;            // the handshake is done
  bool failed_ = false;            // nothing can follow in either direction
  bool ended_ = false;             // the peer will send nothing more
  bool said_goodbye_ = false;      // our close_notify is out
  bool socket_reads_ = false;      // OpenSSL reads the socket itself (kTLS)
  bool kernel_writes_ = false;     // the kernel encrypts
  bool handshake_writes_ = false;  // the handshake waits for room in the socket
  bool owes_ = false;              // the last byte given was encrypted, and not reported
};

}  // namespace spillway::edge::ws
