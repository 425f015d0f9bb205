#include "services/edge/net/http_session.h"

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "services/edge/net/http_target.h"
#include "services/edge/net/worker.h"
#include "services/edge/timer/timing_wheel.h"
#include "services/edge/ws/byte_stream.h"
#include "services/edge/ws/handshake.h"

namespace spillway::edge::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::string_view kExtensions = "sec-websocket-extensions";

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// Owned by its own pending operation; one is pending at a time.
class HttpSession final : public HttpSocket, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(TcpSocket socket, Worker& worker, const HttpRoutes& routes, Acceptor& acceptor)
      : socket_(std::move(socket)),
        worker_(worker),
        routes_(routes),
        acceptor_(acceptor),
        buffer_(worker.options().max_header_bytes + worker.options().max_body_bytes) {
    error_code ignored;
    const auto peer = socket_.remote_endpoint(ignored);
    if (!ignored) remote_ip_ = peer.address().to_string();
    worker_.AddHttpSocket(this);
  }
  ~HttpSession() override { worker_.RemoveHttpSocket(this); }

  void CloseSocket() override {
    error_code ignored;
    socket_.close(ignored);
  }

  void Read() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(worker_.options().max_header_bytes));
    parser_->body_limit(worker_.options().max_body_bytes);
    worker_.wheel().Set(timer_, worker_.options().handshake_timeout);
    beast::http::async_read(socket_, buffer_, *parser_,
                            [self = shared_from_this()](const error_code& error, size_t) {
                              self->worker_.RunTurn([&] { self->OnRead(error); });
                            });
  }

 private:
  using BeastResponse = beast::http::response<beast::http::string_body>;

  void OnTimeout() {
    worker_.mutable_counters().handshake_timeouts.Add();
    CloseSocket();  // the pending operation fails and lets go of this
  }

  void OnRead(const error_code& error) {
    if (error) return OnBadRead(error);
    http::Request request;
    if (!TakeRequest(&request)) {
      return Respond(ws::JsonError(400, "bad_target", "the request target must be a path"), false);
    }
    if (ws::IsUpgradeRequest(request)) return Upgrade(request);
    worker_.mutable_counters().http_requests.Add();
    const bool keep_alive = parser_->get().keep_alive();
    http::Response response = routes_.Serve(request);
    Respond(std::move(response), keep_alive, request.method == "HEAD");
  }

  void OnBadRead(const error_code& error) {
    namespace http = beast::http;
    timer_.Cancel();
    if (error.category() != make_error_code(http::error::end_of_stream).category() ||
        error == http::error::end_of_stream || error == http::error::partial_message) {
      return;  // the client went away, or the timeout closed the socket
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Respond(ws::JsonError(431, "headers_too_large", "the request headers are too large"),
                     false);
    }
    if (error == http::error::body_limit) {
      return Respond(ws::JsonError(413, "body_too_large", "the request body is too large"), false);
    }
    Respond(ws::JsonError(400, "bad_request", "this is not a valid HTTP/1.1 request"), false);
  }

  bool TakeRequest(http::Request* request) {
    auto& message = parser_->get();
    request->method = View(message.method_string());
    request->remote_ip = remote_ip_;
    for (const auto& field : message) {
      std::string name(View(field.name_string()));
      for (char& c : name) c = Lower(c);
      request->headers.emplace_back(std::move(name), View(field.value()));
    }
    request->body = std::move(message.body());
    return ParseTarget(View(message.target()), request);
  }

  void Upgrade(const http::Request& request) {
    std::optional<http::Response> refusal =
        ws::CheckUpgrade(request, parser_->get().version() >= 11);
    UpgradeDecision decision;
    if (!refusal) {
      decision = acceptor_.OnUpgrade(request, worker_.index());
      refusal = std::move(decision.refusal);
    }
    if (refusal) {
      worker_.mutable_counters().upgrades_refused.Add();
      return Respond(*std::move(refusal), false);
    }
    handler_ = std::move(decision.handler);
    if (worker_.options().deflate) deflate_ = ws::NegotiateDeflate(Extensions(request));
    switching_ =
        ws::SwitchingProtocols(request.Header("sec-websocket-key"), decision.subprotocol, deflate_);
    asio::async_write(socket_, asio::buffer(switching_),
                      [self = shared_from_this()](const error_code& error, size_t) {
                        self->worker_.RunTurn([&] { self->OnSwitched(error); });
                      });
  }

  static std::string Extensions(const http::Request& request) {
    std::string all;
    for (const auto& [name, value] : request.headers) {
      if (name == kExtensions) all += (all.empty() ? "" : ",") + value;
    }
    return all;
  }

  void OnSwitched(error_code error) {
    timer_.Cancel();
    if (error) return;
    socket_.native_non_blocking(true, error);
    const int fd = socket_.release(error);
    if (error) return;
    const auto leftover = buffer_.data();
    worker_.connections().Add(std::make_unique<ws::SocketStream>(fd), std::move(handler_), deflate_,
                              static_cast<char*>(leftover.data()), leftover.size());
  }

  void Respond(http::Response from, bool keep_alive, bool head = false) {
    response_.emplace();
    response_->result(static_cast<unsigned>(from.status));
    response_->version(11);
    response_->set(beast::http::field::content_type, from.content_type);
    for (const auto& [name, value] : from.headers) response_->insert(name, value);
    response_->keep_alive(keep_alive);
    response_->content_length(from.body.size());
    if (!head) response_->body() = std::move(from.body);
    worker_.wheel().Set(timer_, worker_.options().handshake_timeout);
    beast::http::async_write(
        socket_, *response_,
        [self = shared_from_this(), keep_alive](const error_code& error, size_t) {
          self->worker_.RunTurn([&] {
            self->response_.reset();
            if (error) {
              self->timer_.Cancel();
            } else if (keep_alive) {
              self->Read();
            } else {
              self->Drain();
            }
          });
        });
  }

  // Reads to the end before the socket is closed: a reset would take the response away from a
  // client that is still sending. The timer that runs already bounds it.
  void Drain() {
    error_code ignored;
    socket_.shutdown(TcpSocket::shutdown_send, ignored);
    socket_.async_read_some(asio::buffer(drained_),
                            [self = shared_from_this()](const error_code& error, size_t) {
                              self->worker_.RunTurn([&] {
                                if (error) {
                                  self->timer_.Cancel();
                                } else {
                                  self->Drain();
                                }
                              });
                            });
  }

  TcpSocket socket_;
  Worker& worker_;
  const HttpRoutes& routes_;
  Acceptor& acceptor_;
  beast::flat_buffer buffer_;
  std::string remote_ip_;
  Timer timer_ = Timer::Of<&HttpSession::OnTimeout>(this);
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::optional<BeastResponse> response_;
  std::unique_ptr<TransportHandler> handler_;
  std::optional<ws::DeflateAgreement> deflate_;
  std::string switching_;
  std::array<char, 1024> drained_;
};

}  // namespace

void ServeHttp(TcpSocket socket, Worker& worker, const HttpRoutes& routes, Acceptor& acceptor) {
  const auto session = std::make_shared<HttpSession>(std::move(socket), worker, routes, acceptor);
  worker.RunTurn([&] { session->Read(); });
}

}  // namespace spillway::edge::net
