#include "common/http/http_server.h"

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/http/json_error.h"
#include "common/http/target.h"

namespace spillway::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using Stream = beast::basic_stream<tcp, asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

std::string ToString(beast::string_view text) { return std::string(text.data(), text.size()); }

// The plain form of a parsed request; nothing for a target that is none.
std::optional<Request> ToRequest(bhttp::request<bhttp::string_body>&& from,
                                 const std::string& remote_ip) {
  const beast::string_view text = from.target();
  auto target = ParseTarget(std::string_view(text.data(), text.size()));
  if (!target.has_value()) return std::nullopt;
  Request request;
  request.method = ToString(from.method_string());
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  for (const auto& field : from) {
    request.headers.emplace_back(absl::AsciiStrToLower(ToString(field.name_string())),
                                 ToString(field.value()));
  }
  request.body = std::move(from.body());
  request.remote_ip = remote_ip;
  return request;
}

}  // namespace

// The server's thread and what it owns.
class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, Routes routes)
      : options_(options), routes_(std::move(routes)) {}

  absl::Status Bind();
  void Run() {
    thread_ = std::thread([this] { context_.run(); });
  }
  void Stop(std::chrono::milliseconds grace);
  uint16_t port() const { return port_; }
  uint64_t rejected() const { return rejected_.load(std::memory_order_relaxed); }

 private:
  class Connection;

  void Accept();
  void OnAccepted(Socket socket);
  void Forget(Connection* connection);
  void CloseAll();

  const HttpServerOptions options_;
  const Routes routes_;
  asio::io_context context_{1};
  Acceptor acceptor_{context_};
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      timer_{context_};
  std::set<std::shared_ptr<Connection>> connections_;  // the server's thread only
  bool stopping_ = false;                              // the server's thread only
  uint16_t port_ = 0;
  std::atomic<uint64_t> rejected_{0};
  std::thread thread_;
};

// One connection: reads a request, answers it, and again. Lives on the server's thread, owned by
// its set.
class HttpServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Impl* server, Socket socket) : server_(server), stream_(std::move(socket)) {
    error_code ignored;
    const auto peer = stream_.socket().remote_endpoint(ignored);
    if (!ignored) remote_ip_ = peer.address().to_string();
  }

  void Read() {
    if (server_->stopping_) return Close();
    answering_ = false;
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(server_->options_.max_header_bytes));
    parser_->body_limit(server_->options_.max_body_bytes);
    stream_.expires_after(server_->options_.timeout);
    bhttp::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, size_t) { self->OnRead(error); });
  }

  bool answering() const { return answering_; }

  void Close() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
    server_->Forget(this);
  }

 private:
  void OnRead(error_code error) {
    if (!error) {
      const bool keep = parser_->get().keep_alive();
      auto request = ToRequest(parser_->release(), remote_ip_);
      if (!request.has_value()) {
        return Write(JsonError(400, "bad_request", "The request's path is not valid."), false,
                     false);
      }
      const bool head = request->method == "HEAD";
      return Write(server_->routes_.Dispatch(*request), keep, head);
    }
    if (error == bhttp::error::header_limit) {
      return Write(JsonError(431, "headers_too_large", "The request's headers are too large."),
                   false, false);
    }
    if (error == bhttp::error::body_limit) {
      return Write(JsonError(413, "body_too_large", "The request's body is too large."), false,
                   false);
    }
    // A peer that went away, or idled past the timeout, needs no answer; a broken request does.
    if (error.category() == bhttp::make_error_code(bhttp::error::bad_target).category() &&
        error != bhttp::error::end_of_stream && error != bhttp::error::partial_message) {
      return Write(JsonError(400, "bad_request", "This is not an HTTP/1.1 request."), false, false);
    }
    Close();
  }

  void Write(Response from, bool keep_alive, bool head) {
    answering_ = true;
    keep_alive = keep_alive && !server_->stopping_;
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(from.status));
    response_.set(bhttp::field::content_type, from.content_type);
    response_.set(bhttp::field::cache_control, "no-store");
    for (const auto& [name, value] : from.headers) response_.set(name, value);
    response_.keep_alive(keep_alive);
    response_.body() = std::move(from.body);
    response_.prepare_payload();
    if (head) response_.body().clear();  // the length stays the one that GET would have
    stream_.expires_after(server_->options_.timeout);
    bhttp::async_write(stream_, response_,
                       [self = shared_from_this(), keep_alive](error_code error, size_t) {
                         if (error) return self->Close();
                         if (!keep_alive) return self->Linger();
                         self->Read();
                       });
  }

  // Closing with unread input makes the kernel send a reset, which may overtake the answer (RFC
  // 9112, section 9.6): so what still comes is read and dropped, for a moment.
  void Linger() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLinger);
    Discard();
  }

  void Discard() {
    stream_.async_read_some(asio::buffer(discarded_),
                            [self = shared_from_this()](error_code error, size_t) {
                              if (error) return self->Close();
                              self->Discard();
                            });
  }

  static constexpr std::chrono::seconds kLinger{1};

  Impl* const server_;
  Stream stream_;
  std::string remote_ip_;
  beast::flat_buffer buffer_;
  std::optional<bhttp::request_parser<bhttp::string_body>> parser_;
  bhttp::response<bhttp::string_body> response_;
  std::array<char, 4096> discarded_;
  bool answering_ = false;
};

absl::Status HttpServer::Impl::Bind() {
  error_code error;
  const auto address = asio::ip::make_address(options_.host, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", options_.host, "' is not an IP address to serve HTTP on"));
  }
  const tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot serve HTTP on ", options_.host, ":",
                                               options_.port, ": ", error.message()));
  }
  port_ = acceptor_.local_endpoint(error).port();
  Accept();
  return absl::OkStatus();
}

void HttpServer::Impl::Accept() {
  acceptor_.async_accept(context_, [this](error_code error, Socket socket) {
    if (stopping_ || error == asio::error::operation_aborted) return;
    if (!error) {
      OnAccepted(std::move(socket));
      return Accept();
    }
    // Out of descriptors: the next try would fail at once, so it waits.
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([this](error_code cancelled) {
      if (!cancelled && !stopping_) Accept();
    });
  });
}

void HttpServer::Impl::OnAccepted(Socket socket) {
  if (connections_.size() >= options_.max_connections) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return;  // closes it
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto connection = std::make_shared<Connection>(this, std::move(socket));
  connections_.insert(connection);
  connection->Read();
}

void HttpServer::Impl::Forget(Connection* connection) {
  connections_.erase(connection->shared_from_this());
  if (stopping_ && connections_.empty()) timer_.cancel();  // nothing left to wait for
}

void HttpServer::Impl::CloseAll() {
  const auto connections = connections_;
  for (const auto& connection : connections) connection->Close();
}

void HttpServer::Impl::Stop(std::chrono::milliseconds grace) {
  if (!thread_.joinable()) return;
  asio::post(context_, [this, grace] {
    stopping_ = true;
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
