#include "services/edge/ws/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "services/edge/ws/tls_bio.h"

namespace spillway::edge::ws {

struct TlsStream::Held {
  std::string bytes;
  size_t sent = 0;
};

TlsStream::TlsStream(SSL* ssl, int fd, bool kernel, WorkerCounters& counters)
    : ssl_(ssl), counters_(counters), fd_(fd), try_kernel_(kernel) {
  SSL_set_accept_state(ssl_);
  socket_reads_ = try_kernel_ && SSL_set_fd(ssl_, fd) == 1;
  if (!socket_reads_) UseThreadBuffers();
}

TlsStream::~TlsStream() {
  SayGoodbye();
  SSL_free(ssl_);
  ::close(fd_);
}

void TlsStream::UseThreadBuffers() {
  BIO* const bio = NewTlsBio();
  SSL_set_bio(ssl_, bio, bio);
  failed_ = bio == nullptr;
  socket_reads_ = false;
}

// --- Reading

IoResult TlsStream::Ended() const {
  return {failed_ ? IoResult::Status::kError : IoResult::Status::kEnd, 0};
}

IoResult TlsStream::Read(char* data, size_t size) {
  if (failed_ || ended_) return Ended();
  if (held_ != nullptr && !Flush()) return Ended();
  IoResult result;
  // Decrypted, it is no more than what is read now and what was there of a record already.
  if (!socket_reads_ && !Receive(size - kMaxTlsRecord - 1, &result)) return result;
  ERR_clear_error();  // left by another's use of OpenSSL, it would be taken for this stream's
  const size_t got = Decrypt(data, size);
  if (!shaken_ && SSL_is_init_finished(ssl_) == 1) FinishHandshake();
  if (!ThreadTlsBuffers().output.empty()) Flush();  // of the handshake, or an alert
  if (got == 0) {
    return failed_ || ended_ ? Ended() : IoResult{IoResult::Status::kWouldBlock, 0};
  }
  // It is told by the next call, which epoll has to ask for.
  if (failed_ || ended_) ::shutdown(fd_, SHUT_RD);
  return {IoResult::Status::kOk, got};
}

// Takes what the socket has. False: nothing to decrypt.
bool TlsStream::Receive(size_t room, IoResult* result) {
  TlsBuffers& buffers = ThreadTlsBuffers();
  ssize_t received;
  do {
    received = ::recv(fd_, buffers.input, std::min(room, sizeof buffers.input), MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received > 0) {
    buffers.unread = {buffers.input, static_cast<size_t>(received)};
    return true;
  }
  if (received == 0) {
    ended_ = true;
  } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
    *result = {IoResult::Status::kWouldBlock, 0};
    return false;
  } else {
    failed_ = true;
  }
  *result = Ended();
  return false;
}

// Until OpenSSL wants more than was received.
size_t TlsStream::Decrypt(char* data, size_t size) {
  size_t got = 0;
  // With room for a record OpenSSL never keeps a part of one that it decrypted.
  while (size - got > kMaxTlsRecord || (!socket_reads_ && size > got)) {
    const int n = SSL_read(ssl_, data + got, static_cast<int>(size - got));
    if (n <= 0) {
      Judge(n);
      break;
    }
    got += static_cast<size_t>(n);
  }
  ThreadTlsBuffers().unread = {};
  return got;
}

void TlsStream::Judge(int returned) {
  handshake_writes_ = false;
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
      break;
    case SSL_ERROR_WANT_WRITE:  // the kernel's TLS only
      handshake_writes_ = true;
      break;
    case SSL_ERROR_ZERO_RETURN:  // close_notify
      ended_ = true;
      break;
    default:
      failed_ = true;
      if (!shaken_) counters_.tls_failures.Add();
  }
  ERR_clear_error();
}

void TlsStream::FinishHandshake() {
  shaken_ = true;
  counters_.tls_handshakes.Add();
  if (SSL_session_reused(ssl_) == 1) counters_.tls_resumptions.Add();
  if (!socket_reads_) return;
  kernel_writes_ = BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0;
  const bool kernel_reads = BIO_get_ktls_recv(SSL_get_rbio(ssl_)) != 0;
  if (!kernel_writes_ && !kernel_reads && !failed_ && !ended_) UseThreadBuffers();
}

// --- Writing

IoResult TlsStream::Write(const iovec* pieces, size_t count) {
  if (failed_ || !shaken_) return {IoResult::Status::kError, 0};
  if (kernel_writes_) return WriteSocket(fd_, pieces, count);
  if (held_ != nullptr) {
    if (!Flush()) return Ended();
    if (held_ != nullptr) return {IoResult::Status::kWouldBlock, 0};
  }
  ERR_clear_error();
  TlsBuffers& buffers = ThreadTlsBuffers();
  size_t taken = 0;
  size_t gathered = 0;                                // bytes of the next record
  size_t skip = std::exchange(owes_, false) ? 1 : 0;  // it is encrypted already
  for (size_t i = 0; i < count && held_ == nullptr; ++i) {
    std::string_view piece(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    if (skip > 0 && !piece.empty()) {
      piece.remove_prefix(1);
      taken += std::exchange(skip, 0);
    }
    while (!piece.empty() && held_ == nullptr) {
      const size_t part = std::min(piece.size(), kMaxTlsRecord - gathered);
      const bool whole = part == kMaxTlsRecord;  // a record by itself: no copy
      if (!whole) std::memcpy(buffers.plain + gathered, piece.data(), part);
      gathered += part;
      if (gathered == kMaxTlsRecord) {
        if (!Encrypt(whole ? piece.data() : buffers.plain, gathered)) return Ended();
        gathered = 0;
        if (buffers.output.size() >= TlsBuffers::kSend && !Flush()) return Ended();
      }
      piece.remove_prefix(part);
      taken += part;
    }
  }
  if (gathered > 0 && !Encrypt(buffers.plain, gathered)) return Ended();
  if (!buffers.output.empty() && !Flush()) return Ended();
  if (held_ == nullptr) return {IoResult::Status::kOk, taken};
  owes_ = true;
  if (taken == 1) return {IoResult::Status::kWouldBlock, 0};
  return {IoResult::Status::kOk, taken - 1};
}

// Into the thread's buffer: the socket is not in it, so OpenSSL takes all or fails. One record,
// more for a client that asked for smaller ones.
bool TlsStream::Encrypt(const char* data, size_t size) {
  while (size > 0) {
    const int n = SSL_write(ssl_, data, static_cast<int>(size));
    if (n <= 0) {
      failed_ = true;
      ERR_clear_error();
      return false;
    }
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Sends what is held, then the thread's buffer; what the kernel does not take is held. False: the
// stream failed.
bool TlsStream::Flush() {
  std::string& output = ThreadTlsBuffers().output;
  Held* const held = held_.get();
  if (held != nullptr) {
    held->bytes.append(output);
    output.clear();
  }
  std::string& bytes = held != nullptr ? held->bytes : output;
  size_t sent = held != nullptr ? held->sent : 0;
  while (sent < bytes.size()) {
    const iovec piece{bytes.data() + sent, bytes.size() - sent};
    const IoResult result = WriteSocket(fd_, &piece, 1);
    if (result.status == IoResult::Status::kWouldBlock) break;
    if (result.status != IoResult::Status::kOk) {
      failed_ = true;
      break;
    }
    sent += result.bytes;
  }
  if (failed_ || sent == bytes.size()) {
    held_.reset();
  } else if (held == nullptr) {
    held_ = std::make_unique<Held>();
    held_->bytes.assign(bytes, sent);
  } else {
    held->sent = sent;
    if (bytes.size() - sent > kMaxHeld) failed_ = true;
  }
  output.clear();
  return !failed_;
}

// --- Ending

void TlsStream::SayGoodbye() {
  if (!shaken_ || failed_ || said_goodbye_) return;
  said_goodbye_ = true;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
  Flush();
}

void TlsStream::ShutdownWrite() {
  SayGoodbye();
  ::shutdown(fd_, SHUT_WR);
}

}  // namespace spillway::edge::ws
