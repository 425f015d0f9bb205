#include "services/edge/net/http_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "services/edge/net/response_text.h"
#include "services/edge/net/worker.h"
#include "services/edge/ws/handshake.h"

namespace spillway::edge::net {
namespace {

constexpr std::string_view kExtensions = "sec-websocket-extensions";

std::string Extensions(const http::Request& request) {
  std::string all;
  for (const auto& [name, value] : request.headers) {
    if (name == kExtensions) all += (all.empty() ? "" : ",") + value;
  }
  return all;
}

}  // namespace

HttpSession::HttpSession(std::unique_ptr<ws::ByteStream> stream, std::string remote_ip,
                         Worker& worker, const HttpRoutes& routes, Acceptor& acceptor)
    : stream_(std::move(stream)),
      worker_(worker),
      routes_(routes),
      acceptor_(acceptor),
      remote_ip_(std::move(remote_ip)) {}

void HttpSession::Start() {
  StartTimer();
  const WorkerOptions& options = worker_.options();
  if (options.proxy_protocol && options.trusted_proxies.Trust(remote_ip_)) {
    state_ = State::kProxyHeader;
    proxy_header_ = std::make_unique<ProxyHeader>();
    return ReadProxyHeader();
  }
  ReadSome();  // the request is here already more often than not
}

void HttpSession::OnReady(uint32_t) {
  switch (state_) {
    case State::kProxyHeader:
      return ReadProxyHeader();
    case State::kReading:
      return ReadSome();
    case State::kDeciding:
      return End();  // it hung up: nothing else is watched
    case State::kWriting:
      return ContinueWrite();
    case State::kDraining:
      return Drain();
    case State::kEnded:
      return;
  }
}

void HttpSession::OnTimeout() {
  if (state_ <= State::kDeciding) worker_.mutable_counters().handshake_timeouts.Add();
  End();
}

// --- Requests

// From the socket itself: TLS begins behind it. Never more than belongs to it.
void HttpSession::ReadProxyHeader() {
  for (;;) {
    const std::span<char> buffer = worker_.receive_buffer();
    const size_t size = std::min(proxy_header_->wanted(), buffer.size());
    const ssize_t got = ::recv(stream_->fd(), buffer.data(), size, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Await(Poller::kReads);
    if (got <= 0) return End();
    const auto result = proxy_header_->Feed({buffer.data(), static_cast<size_t>(got)});
    if (result == ProxyHeader::Result::kMore) continue;
    if (result == ProxyHeader::Result::kBad) {
      worker_.mutable_counters().bad_proxy_headers.Add();
      return End();
    }
    if (proxy_header_->client().has_value()) remote_ip_ = proxy_header_->client()->ToString();
    proxy_header_.reset();
    state_ = State::kReading;
    return ReadSome();
  }
}

void HttpSession::ReadSome() {
  const std::span<char> buffer = worker_.receive_buffer();
  const ws::IoResult result = stream_->Read(buffer.data(), buffer.size());
  switch (result.status) {
    case ws::IoResult::Status::kWouldBlock:
      return Await(stream_->wants_write() ? Poller::kReads | Poller::kWrites : Poller::kReads);
    case ws::IoResult::Status::kEnd:
      return End();
    case ws::IoResult::Status::kError:
      return Drain();  // a TLS alert may be on its way out
    case ws::IoResult::Status::kOk:
      break;
  }
  if (input_.empty()) return TakeInput(buffer.data(), result.bytes);
  input_.append(buffer.data(), result.bytes);
  std::string input = std::exchange(input_, {});
  TakeInput(input.data(), input.size());
}

// As many requests as are whole, one after the other.
void HttpSession::TakeInput(char* data, size_t size) {
  do {
    if (!parser_) {
      parser_.emplace(RequestParser::Limits{.header_bytes = worker_.options().max_header_bytes,
                                            .body_bytes = worker_.options().max_body_bytes});
    }
    size_t consumed = 0;
    const RequestParser::Result result = parser_->Feed(data, size, &consumed);
    data += consumed;
    size -= consumed;
    if (result == RequestParser::Result::kMore) {
      input_.assign(data, size);
      return Await(Poller::kReads);
    }
    if (result == RequestParser::Result::kDone) {
      Answer();
    } else {
      Refuse(result);
    }
    parser_.reset();
    if (state_ == State::kDeciding) {
      input_.assign(data, size);
      return Await(Poller::kHangUps);
    }
    if (next_ == Next::kSwitch) return Switch(data, size);
    if (!WriteSome()) {
      // What is given may be the worker's buffer, or a string that ends with this call.
      if (state_ == State::kWriting) input_.assign(data, size);
      return;
    }
  } while (AfterWrite(size > 0));
}

void HttpSession::Refuse(RequestParser::Result result) {
  http::Response response;
  switch (result) {
    case RequestParser::Result::kBadTarget:
      response = ws::JsonError(400, "bad_target", "the request target must be a path");
      break;
    case RequestParser::Result::kHeaderLimit:
      response = ws::JsonError(431, "headers_too_large", "the request headers are too large");
      break;
    case RequestParser::Result::kBodyLimit:
      response = ws::JsonError(413, "body_too_large", "the request body is too large");
      break;
    default:
      response = ws::JsonError(400, "bad_request", "this is not a valid HTTP/1.1 request");
  }
  Respond(response, Next::kClose);
}

void HttpSession::Answer() {
  http::Request& request = parser_->request();
  request.remote_ip = worker_.options().trusted_proxies.ClientOf(remote_ip_, request);
  if (ws::IsUpgradeRequest(request)) return Upgrade(request);
  worker_.mutable_counters().http_requests.Add();
  const Next next = parser_->keep_alive() ? Next::kRead : Next::kClose;
  Respond(routes_.Serve(request), next, request.method == "HEAD");
}

void HttpSession::Upgrade(const http::Request& request) {
  if (auto wrong = ws::CheckUpgrade(request, parser_->http11())) {
    worker_.mutable_counters().upgrades_refused.Add();
    return Respond(*wrong, Next::kClose);
  }
  UpgradeDecision decision = acceptor_.OnUpgrade(request, worker_.index());
  std::optional<ws::DeflateAgreement> deflate;
  if (worker_.options().deflate && decision.deflate) {
    deflate = ws::NegotiateDeflate(Extensions(request));
  }
  const std::string_view key = request.Header("sec-websocket-key");
  if (decision.pending == nullptr) return Decide(std::move(decision), key, deflate);
  pending_ = {std::move(decision.pending), std::string(key), deflate};
  state_ = State::kDeciding;
  worker_.SetDeciding(*this, true);
  StartTimer();
  pending_->upgrade->Await([this](UpgradeDecision later) { OnDecided(std::move(later)); });
}

void HttpSession::OnDecided(UpgradeDecision decision) {
  // Its upgrade is what calls: it ends when nothing is left to do here.
  const std::optional<Pending> pending = std::move(pending_);
  pending_.reset();
  state_ = State::kReading;
  worker_.SetDeciding(*this, false);
  Decide(std::move(decision), pending->key, pending->deflate);
  std::string early = std::exchange(input_, {});
  if (next_ == Next::kSwitch) return Switch(early.data(), early.size());
  if (WriteSome()) AfterWrite(false);
}

void HttpSession::Decide(UpgradeDecision decision, std::string_view key,
                         const std::optional<ws::DeflateAgreement>& deflate) {
  if (decision.refusal) {
    worker_.mutable_counters().upgrades_refused.Add();
    return Respond(*decision.refusal, Next::kClose);
  }
  handler_ = std::move(decision.handler);
  deflate_ = deflate;
  // Leaves with the connection's first frames.
  output_ = ws::SwitchingProtocols(key, decision.subprotocol, decision.correlation_id, deflate_);
  next_ = Next::kSwitch;
}

// --- Responses

void HttpSession::Respond(const http::Response& response, Next next, bool head) {
  output_ = ResponseText(response, next == Next::kRead, head);
  next_ = next;
  state_ = State::kWriting;
  StartTimer();
}

// True: all of it left.
bool HttpSession::WriteSome() {
  while (sent_ < output_.size()) {
    const iovec piece{output_.data() + sent_, output_.size() - sent_};
    const ws::IoResult result = stream_->Write(&piece, 1);
    if (result.status == ws::IoResult::Status::kWouldBlock) {
      Await(Poller::kWrites);
      return false;
    }
    if (result.status != ws::IoResult::Status::kOk) {
      End();
      return false;
    }
    sent_ += result.bytes;
  }
  return true;
}

void HttpSession::ContinueWrite() {
  if (!WriteSome()) return;
  std::string rest = std::exchange(input_, {});
  if (AfterWrite(!rest.empty())) TakeInput(rest.data(), rest.size());
}

// All of output_ left. True: another request has begun to come.
bool HttpSession::AfterWrite(bool more) {
  output_.clear();
  sent_ = 0;
  if (next_ == Next::kClose) {
    Drain();
    return false;
  }
  state_ = State::kReading;
  if (!more) Await(Poller::kReads);
  return more;
}

void HttpSession::Switch(char* leftover, size_t size) {
  timer_.Cancel();
  state_ = State::kEnded;
  worker_.Upgrade(std::move(stream_), std::move(handler_), deflate_, output_, leftover, size,
                  awaited_ != 0);
  worker_.EndHttp(*this);
}

// --- Ending

// Reads to the end before the socket is closed: a reset would take the response (or the TLS alert)
// away from a client that is still sending. The timer that runs already bounds it.
void HttpSession::Drain() {
  if (state_ != State::kDraining) stream_->ShutdownWrite();
  state_ = State::kDraining;
  const std::span<char> buffer = worker_.receive_buffer();
  const ssize_t got = ::recv(stream_->fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return Await(Poller::kReads);
  End();
}

void HttpSession::StartTimer() { worker_.wheel().Set(timer_, worker_.options().handshake_timeout); }

void HttpSession::Await(uint32_t events) {
  if (events == awaited_) return;
  Poller& poller = worker_.poller();
  const bool watched = awaited_ == 0 ? poller.Add(stream_->fd(), this, events)
                                     : poller.Change(stream_->fd(), this, events);
  awaited_ = events;
  if (!watched) End();
}

void HttpSession::End() {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  timer_.Cancel();
  pending_.reset();
  stream_.reset();
  worker_.EndHttp(*this);
}

}  // namespace spillway::edge::net
