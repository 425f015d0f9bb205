#include "services/edge/ws/byte_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace spillway::edge::ws {
namespace {

IoResult Judge(ssize_t result) {
  if (result >= 0) return {IoResult::Status::kOk, static_cast<size_t>(result)};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoResult::Status::kWouldBlock, 0};
  return {IoResult::Status::kError, 0};
}

}  // namespace

IoResult WriteSocket(int fd, const iovec* pieces, size_t count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = count;
  ssize_t result;
  do {
    result = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (result < 0 && errno == EINTR);
  return Judge(result);
}

SocketStream::~SocketStream() { ::close(fd_); }

IoResult SocketStream::Read(char* data, size_t size) {
  ssize_t result;
  do {
    result = ::recv(fd_, data, size, 0);
  } while (result < 0 && errno == EINTR);
  if (result == 0) return {IoResult::Status::kEnd, 0};
  return Judge(result);
}

IoResult SocketStream::Write(const iovec* pieces, size_t count) {
  return WriteSocket(fd_, pieces, count);
}

void SocketStream::ShutdownWrite() { ::shutdown(fd_, SHUT_WR); }

}  // namespace spillway::edge::ws
