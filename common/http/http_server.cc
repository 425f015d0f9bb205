#include "common/http/http_server.h"

#include <netinet/tcp.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/http/http_connection.h"

namespace spillway::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

}  // namespace

// The server's thread and what it owns.
class HttpServer::Impl final : private HttpConnectionHost {
 public:
  Impl(const HttpServerOptions& wanted, Routes table) {
    options = wanted;
    routes = std::move(table);
  }

  absl::Status Bind();
  void Run() {
    thread_ = std::thread([this] { context->run(); });
  }
  void Stop(std::chrono::milliseconds grace);
  uint16_t port() const { return port_; }
  uint64_t rejected() const { return rejected_.load(std::memory_order_relaxed); }

 private:
  void Accept();
  void OnAccepted(HttpSocket socket);
  void Forget(HttpConnection* connection) override;
  void CloseAll();

  Acceptor acceptor_{*context};
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      timer_{*context};
  std::set<std::shared_ptr<HttpConnection>> connections_;  // the server's thread only
  uint16_t port_ = 0;
  std::atomic<uint64_t> rejected_{0};
  std::thread thread_;
};

absl::Status HttpServer::Impl::Bind() {
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options.host, "' is not an IP address to serve HTTP on"));
  }
  const tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot serve HTTP on ", options.host, ":",
                                               options.port, ": ", error.message()));
  }
  port_ = acceptor_.local_endpoint(error).port();
  Accept();
  return absl::OkStatus();
}

void HttpServer::Impl::Accept() {
  acceptor_.async_accept(*context, [this](error_code error, HttpSocket socket) {
    if (stopping || error == asio::error::operation_aborted) return;
    if (!error) {
      OnAccepted(std::move(socket));
      return Accept();
    }
    // Out of descriptors: the next try would fail at once, so it waits.
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([this](error_code cancelled) {
      if (!cancelled && !stopping) Accept();
    });
  });
}

void HttpServer::Impl::OnAccepted(HttpSocket socket) {
  if (connections_.size() >= options.max_connections) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return;  // closes it
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  // A stream may have nothing to send for long: that its peer has vanished shows by this alone.
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  for (const auto& [name, value] :
       {std::pair(TCP_KEEPIDLE, 30), {TCP_KEEPINTVL, 10}, {TCP_KEEPCNT, 3}}) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof(value));
  }
  auto connection =
      std::make_shared<HttpConnection>(static_cast<HttpConnectionHost*>(this), std::move(socket));
  connections_.insert(connection);
  connection->Read();
}

void HttpServer::Impl::Forget(HttpConnection* connection) {
  connections_.erase(connection->shared_from_this());
  if (stopping && connections_.empty()) timer_.cancel();  // nothing left to wait for
}

void HttpServer::Impl::CloseAll() {
  const auto connections = connections_;
  for (const auto& connection : connections) connection->Close();
}

void HttpServer::Impl::Stop(std::chrono::milliseconds grace) {
  if (!thread_.joinable()) return;
  asio::post(*context, [this, grace] {
    stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    const auto connections = connections_;
    for (const auto& connection : connections) {
      if (!connection->answering()) connection->Close();
    }
    if (connections_.empty()) {
      timer_.cancel();
      return;
    }
    timer_.expires_after(grace);
    timer_.async_wait([this](error_code) { CloseAll(); });
  });
  // The loop ends when nothing is left to wait for.
  thread_.join();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { Stop(std::chrono::milliseconds(0)); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              Routes routes) {
  auto impl = std::make_unique<Impl>(options, std::move(routes));
  if (absl::Status status = impl->Bind(); !status.ok()) return status;
  impl->Run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port(); }
uint64_t HttpServer::rejected() const { return impl_->rejected(); }
void HttpServer::Stop(std::chrono::milliseconds grace) { impl_->Stop(grace); }

}  // namespace spillway::http
