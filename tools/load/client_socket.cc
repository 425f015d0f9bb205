#include "tools/load/client_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace spillway::load {

ClientSocket::ClientSocket(ClientSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      tls_(std::exchange(other.tls_, nullptr)),
      unwritten_(std::move(other.unwritten_)) {}

bool ClientSocket::Connect(const Target& target, uint32_t source, int buffer) {
  fd_ = socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
  if (source != 0 && target.address.ss_family == AF_INET) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(source);
    // A port is taken when the target is known, so that targets do not share one set of ports.
    setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) return false;
  }
  return connect(fd_, reinterpret_cast<const sockaddr*>(&target.address), target.address_size) ==
             0 ||
         errno == EINPROGRESS;
}

int ClientSocket::ConnectError() const {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

ClientSocket::Status ClientSocket::Handshake() {
  if (tls_ == nullptr) return Status::kOk;
  const int result = SSL_do_handshake(tls_);
  if (result == 1) return Status::kOk;
  const int error = SSL_get_error(tls_, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Status::kWait
                                                                       : Status::kClosed;
}

ClientSocket::Status ClientSocket::Read(char* data, size_t size, size_t* got, bool* more) {
  if (tls_ == nullptr) {
    ssize_t result;
    do {
      result = recv(fd_, data, size, 0);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return errno == EAGAIN ? Status::kWait : Status::kClosed;
    if (result == 0) return Status::kClosed;
    *got = static_cast<size_t>(result);
    // Less than asked for was all there was; what comes later wakes us again.
    *more = *got == size;
    return Status::kOk;
  }
  // Whole TLS records, as many as there is room for.
  *got = 0;
  *more = false;
  while (*got < size) {
    ERR_clear_error();
    size_t part = 0;
    const int result = SSL_read_ex(tls_, data + *got, size - *got, &part);
    if (result == 1) {
      *got += part;
      continue;
    }
    const int error = SSL_get_error(tls_, result);
    const bool closed = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
    if (*got == 0) return closed ? Status::kClosed : Status::kWait;
    *more = closed;  // so that the next call tells
    return Status::kOk;
  }
  *more = true;
  return Status::kOk;
}

ssize_t ClientSocket::Send(std::string_view data) {
  if (tls_ != nullptr) {
    ERR_clear_error();
    size_t sent = 0;
    const int result = SSL_write_ex(tls_, data.data(), data.size(), &sent);
    if (result == 1) return static_cast<ssize_t>(sent);
    const int error = SSL_get_error(tls_, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  while (true) {
    const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return -1;
  }
}

ClientSocket::Status ClientSocket::Write(std::string_view data) {
  if (unwritten_ == nullptr) {
    while (!data.empty()) {
      const ssize_t sent = Send(data);
      if (sent < 0) return Status::kClosed;
      if (sent == 0) break;
      data.remove_prefix(static_cast<size_t>(sent));
    }
    if (data.empty()) return Status::kOk;
    unwritten_ = std::make_unique<std::string>();
  }
  unwritten_->append(data);
  return Status::kWait;
}

ClientSocket::Status ClientSocket::Flush() {
  if (unwritten_ == nullptr) return Status::kOk;
  const std::unique_ptr<std::string> unwritten = std::move(unwritten_);
  return Write(*unwritten);
}

void ClientSocket::Close() {
  if (tls_ != nullptr) SSL_free(tls_);
  tls_ = nullptr;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  unwritten_.reset();
}

}  // namespace spillway::load
