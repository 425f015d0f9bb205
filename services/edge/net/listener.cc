#include "services/edge/net/listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log/log.h"

namespace spillway::edge::net {
namespace {

using boost::system::error_code;

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn
constexpr std::chrono::milliseconds kFirstRest{50};
constexpr std::chrono::milliseconds kLongestRest{2000};

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Listener::Listener(IoContext& io, ws::WorkerCounters& counters, OnSocket on_socket)
    : io_(io),
      counters_(counters),
      on_socket_(std::move(on_socket)),
      acceptor_(io),
      rest_timer_(io),
      rest_(kFirstRest) {}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(IoContext& io, const std::string& address,
                                                         uint16_t port,
                                                         ws::WorkerCounters& counters,
                                                         OnSocket on_socket) {
  std::unique_ptr<Listener> listener(new Listener(io, counters, std::move(on_socket)));
  if (absl::Status status = listener->Bind(address, port); !status.ok()) return status;
  return listener;
}

absl::Status Listener::Bind(const std::string& address, uint16_t port) {
  error_code error;
  const auto ip = boost::asio::ip::make_address(address, error);
  if (error) return absl::InvalidArgumentError("not an IP address to listen on: '" + address + "'");
  const Tcp::endpoint endpoint(ip, port);
  const std::string where = address + " port " + std::to_string(port);
  acceptor_.open(endpoint.protocol(), error);
  if (error) return absl::UnavailableError("no socket for " + where + ": " + error.message());
  const int on = 1;
  acceptor_.set_option(TcpAcceptor::reuse_address(true), error);
  if (::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return absl::UnavailableError("SO_REUSEPORT is refused for " + where);
  }
  acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (error) return absl::UnavailableError("cannot listen on " + where + ": " + error.message());
  port_ = acceptor_.local_endpoint(error).port();
  return absl::OkStatus();
}

void Listener::Accept() {
  acceptor_.async_accept(io_.get_executor(), [this](const error_code& error, TcpSocket socket) {
    OnAccept(error, std::move(socket));
  });
}

void Listener::OnAccept(const error_code& error, TcpSocket socket) {
  if (!acceptor_.is_open()) return;
  if (error && IsShortage(error.value())) return Rest(error);
  if (!error) {
    rest_ = kFirstRest;
    counters_.accepted.Add();
    on_socket_(std::move(socket));
  }
  Accept();  // any other error is of that one client
}

void Listener::Rest(const error_code& error) {
  counters_.accept_pauses.Add();
  log::Warn("cannot accept connections; raise the limit of open files?",
            {{"port", port_}, {"error", error.message()}, {"pause_ms", rest_.count()}});
  rest_timer_.expires_after(rest_);
  rest_ = std::min(rest_ * 2, kLongestRest);
  rest_timer_.async_wait([this](const error_code& cancelled) {
    if (!cancelled && acceptor_.is_open()) Accept();
  });
}

void Listener::Close() {
  error_code ignored;
  acceptor_.close(ignored);
  rest_timer_.cancel();
}

}  // namespace spillway::edge::net
