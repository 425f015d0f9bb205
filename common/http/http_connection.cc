#include "common/http/http_connection.h"

#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/http/json_error.h"
#include "common/http/target.h"
#include "common/log/log.h"

namespace spillway::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

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

class HttpAnswer final : public Exchange {
 public:
  HttpAnswer(std::shared_ptr<asio::io_context> context, std::weak_ptr<HttpConnection> connection,
             uint64_t turn)
      : context_(std::move(context)), connection_(std::move(connection)), turn_(turn) {}

  void Respond(Response response) override {
    Post([turn = turn_, response = std::move(response)](HttpConnection& connection) {
      connection.Respond(turn, response);
    });
  }
  void Begin(Response head) override {
    Post([turn = turn_, head = std::move(head)](HttpConnection& connection) {
      connection.Begin(turn, head);
    });
  }
  void Write(std::string piece, std::function<void()> written) override {
    Post([turn = turn_, piece = std::move(piece), written = std::move(written)](
             HttpConnection& connection) { connection.Add(turn, piece, written); });
  }
  void End() override {
    Post([turn = turn_](HttpConnection& connection) { connection.End(turn); });
  }
  void OnGone(std::function<void()> gone) override {
    if (const auto connection = connection_.lock()) connection->OnGone(std::move(gone));
  }

 private:
  template <typename What>
  void Post(What what) {
    asio::post(*context_, [connection = connection_, what = std::move(what)] {
      if (const auto there = connection.lock()) what(*there);
    });
  }

  const std::shared_ptr<asio::io_context> context_;
  const std::weak_ptr<HttpConnection> connection_;
  const uint64_t turn_;
};

}  // namespace

HttpConnection::HttpConnection(HttpConnectionHost* server, HttpSocket socket)
    : server_(server), stream_(std::move(socket)) {
  error_code ignored;
  const auto peer = stream_.socket().remote_endpoint(ignored);
  if (!ignored) remote_ip_ = peer.address().to_string();
}

void HttpConnection::Read() {
  if (server_->stopping) return Close();
  answering_ = false;
  ++turn_;
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(server_->options.max_header_bytes));
  parser_->body_limit(server_->options.max_body_bytes);
  stream_.expires_after(server_->options.timeout);
  bhttp::async_read(stream_, buffer_, *parser_,
                    [self = shared_from_this()](error_code error, size_t) { self->OnRead(error); });
}

void HttpConnection::Close() {
  ++turn_;
  written_.clear();
  if (const auto gone = std::exchange(gone_, nullptr); gone != nullptr) gone();
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  stream_.close();
  server_->Forget(this);
}

void HttpConnection::Respond(uint64_t turn, Response response) {
  if (turn != turn_ || streaming_) return;
  ++turn_;
  gone_ = nullptr;
  Write(std::move(response), keep_, head_);
}

void HttpConnection::Begin(uint64_t turn, const Response& head) {
  if (turn != turn_ || streaming_) return;
  streaming_ = true;
  out_ = absl::StrCat("HTTP/1.1 ", head.status, " OK\r\nContent-Type: ", head.content_type,
                      "\r\nCache-Control: no-store\r\nConnection: close\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n");
  Flush();
}

void HttpConnection::Add(uint64_t turn, std::string_view piece, std::function<void()> written) {
  if (turn != turn_ || !streaming_ || ending_) return;
  absl::StrAppend(&out_, absl::Hex(piece.size()), "\r\n",
                  absl::string_view(piece.data(), piece.size()), "\r\n");
  written_.push_back(std::move(written));
  Flush();
}

void HttpConnection::End(uint64_t turn) {
  if (turn != turn_ || !streaming_) return;
  ending_ = true;
  gone_ = nullptr;
  out_ += "0\r\n\r\n";
  Flush();
}

void HttpConnection::Watch() {
  stream_.socket().async_wait(
      tcp::socket::wait_read, [self = shared_from_this(), turn = turn_](error_code error) {
        if (error || turn != self->turn_) return;
        char one = 0;
        const ssize_t got =
            ::recv(self->stream_.socket().native_handle(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
        // Nothing may follow a request that is answered in pieces: it would hide that the peer
        // goes.
        const bool surplus = got > 0 && self->streaming_;
        if (got == 0 || surplus || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
          self->Close();
        }
      });
}

void HttpConnection::Flush() {
  if (!sending_.empty() || out_.empty()) return;
  sending_ = std::exchange(out_, {});
  stream_.expires_after(server_->options.timeout);
  asio::async_write(stream_, asio::buffer(sending_),
                    [self = shared_from_this()](error_code error, size_t) {
                      self->sending_.clear();
                      if (error) return self->Close();
                      self->stream_.expires_never();
                      for (const auto& written : std::exchange(self->written_, {})) written();
                      if (!self->out_.empty()) return self->Flush();
                      if (self->ending_) self->Linger();
                    });
}

void HttpConnection::OnRead(error_code error) {
  if (!error) {
    const bool keep = parser_->get().keep_alive();
    auto request = ToRequest(parser_->release(), remote_ip_);
    if (!request.has_value()) {
      return Write(JsonError(400, "bad_request", "The request's path is not valid."), false, false);
    }
    // Handled as a GET, and answered without its body.
    const bool head = request->method == "HEAD";
    if (head) request->method = "GET";
    if (const AsyncHandler* later = server_->routes.FindAsync(*request); later != nullptr) {
      return Later(*later, *request, keep, head);
    }
    return Write(server_->routes.Dispatch(*request), keep, head);
  }
  if (error == bhttp::error::header_limit) {
    return Write(JsonError(431, "headers_too_large", "The request's headers are too large."), false,
                 false);
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

void HttpConnection::Write(Response from, bool keep_alive, bool head) {
  answering_ = true;
  keep_alive = keep_alive && !server_->stopping;
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
  stream_.expires_after(server_->options.timeout);
  bhttp::async_write(stream_, response_,
                     [self = shared_from_this(), keep_alive](error_code error, size_t) {
                       if (error) return self->Close();
                       if (!keep_alive) return self->Linger();
                       self->Read();
                     });
}

void HttpConnection::Linger() {
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLinger);
  Discard();
}

void HttpConnection::Discard() {
  stream_.async_read_some(asio::buffer(discarded_),
                          [self = shared_from_this()](error_code error, size_t) {
                            if (error) return self->Close();
                            self->Discard();
                          });
}

void HttpConnection::Later(const AsyncHandler& handler, const Request& request, bool keep,
                           bool head) {
  answering_ = true;
  keep_ = keep;
  head_ = head;
  stream_.expires_never();
  Watch();
  const uint64_t turn = turn_;
  try {
    handler(request, std::make_shared<HttpAnswer>(server_->context, weak_from_this(), turn));
  } catch (const std::exception& error) {
    log::Error("http handler failed", {{"path", request.path}, {"error", error.what()}});
    Respond(turn, JsonError(500, "internal", "The request failed; the server's log says why."));
  }
}

}  // namespace spillway::http
