#include "services/edge/net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/log/log.h"
#include "common/net/ip_address.h"

namespace spillway::edge::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn
// A wake-up: during a storm of connects, those who are connected are not to wait for all of it.
constexpr int kMaxAccepts = 64;
constexpr std::chrono::milliseconds kFirstRest{50};
constexpr std::chrono::milliseconds kLongestRest{2000};

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The socket address of an IP address in text; its length, 0 if it is none.
socklen_t MakeAddress(const std::string& ip, uint16_t port, sockaddr_storage* out) {
  *out = {};
  auto* v4 = reinterpret_cast<sockaddr_in*>(out);
  if (::inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof *v4;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(out);
  if (::inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof *v6;
  }
  return 0;
}

uint16_t PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&bound)->sin_port
                                          : reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
}

}  // namespace

std::string IpText(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    return IpAddress::OfV4(reinterpret_cast<const uint8_t*>(&v4.sin_addr)).ToString();
  }
  IpAddress::Bytes bytes;
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr, bytes.size());
  return IpAddress(bytes).ToString();
}

Listener::Listener(Poller& poller, TimingWheel& wheel, ws::WorkerCounters& counters,
                   OnSocket on_socket)
    : poller_(poller),
      wheel_(wheel),
      counters_(counters),
      on_socket_(std::move(on_socket)),
      rest_(kFirstRest) {}

Listener::~Listener() { Close(); }

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const Options& options, Poller& poller,
                                                         TimingWheel& wheel,
                                                         ws::WorkerCounters& counters,
                                                         OnSocket on_socket) {
  std::unique_ptr<Listener> listener(new Listener(poller, wheel, counters, std::move(on_socket)));
  if (absl::Status status = listener->Bind(options); !status.ok()) return status;
  return listener;
}

absl::Status Listener::Bind(const Options& options) {
  sockaddr_storage address;
  const socklen_t size = MakeAddress(options.address, options.port, &address);
  if (size == 0) {
    return absl::InvalidArgumentError("not an IP address to listen on: '" + options.address + "'");
  }
  const std::string where = options.address + " port " + std::to_string(options.port);
  const auto failed = [&where](const char* what) {
    return absl::UnavailableError(what + where + ": " + std::generic_category().message(errno));
  };
  fd_ = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return failed("no socket for ");
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return failed("SO_REUSEPORT is refused for ");
  }
  // Accepted sockets inherit both.
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.notsent_lowat_bytes > 0) {
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &options.notsent_lowat_bytes,
                 sizeof options.notsent_lowat_bytes);
  }
  if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd_, kBacklog) != 0) {
    return failed("cannot listen on ");
  }
  port_ = PortOf(fd_);
  if (!poller_.Add(fd_, this, 0)) return failed("cannot watch ");
  return absl::OkStatus();
}

void Listener::Accept() {
  if (fd_ >= 0) poller_.Change(fd_, this, EPOLLIN);
}

void Listener::OnReady(uint32_t) {
  for (int i = 0; i < kMaxAccepts && fd_ >= 0; ++i) {
    sockaddr_storage peer;
    socklen_t size = sizeof peer;
    const int client =
        ::accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (IsShortage(errno)) return Rest(errno);
      continue;  // any other error is of that one client
    }
    rest_ = kFirstRest;
    counters_.accepted.Add();
    on_socket_(client, peer);
  }
}

void Listener::Rest(int error) {
  counters_.accept_pauses.Add();
  log::Warn("cannot accept connections; raise the limit of open files?",
            {{"port", port_},
             {"error", std::generic_category().message(error)},
             {"pause_ms", rest_.count()}});
  poller_.Change(fd_, this, 0);
  wheel_.Set(rest_timer_, rest_);
  rest_ = std::min(rest_ * 2, kLongestRest);
}

void Listener::Close() {
  if (fd_ < 0) return;
  ::close(fd_);  // which takes it out of the poller, too
  fd_ = -1;
  rest_timer_.Cancel();
}

}  // namespace spillway::edge::net
