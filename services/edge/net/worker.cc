#include "services/edge/net/worker.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "services/edge/net/http_session.h"
#include "services/edge/net/listener.h"

namespace spillway::edge::net {

Worker::Worker(size_t index, const WorkerOptions& options, Clock& clock)
    : index_(index),
      options_(options),
      clock_(clock),
      wheel_(clock, options.tick),
      next_tick_(clock.Now()),
      connections_(*this, wheel_, counters_, options.connection),
      receive_buffer_(std::make_unique<char[]>(options.receive_buffer_bytes)) {}

Worker::~Worker() { Stop(); }

absl::StatusOr<uint16_t> Worker::Listen(const std::string& address, uint16_t port,
                                        const HttpRoutes& routes, Acceptor& acceptor,
                                        ws::TlsServer* tls) {
  const Listener::Options options{
      .address = address, .port = port, .notsent_lowat_bytes = options_.notsent_lowat_bytes};
  auto listener =
      Listener::Open(options, poller_, wheel_, counters_,
                     [this, &routes, &acceptor, tls](int fd, const sockaddr_storage& peer) {
                       std::unique_ptr<ws::ByteStream> stream;
                       if (tls == nullptr) {
                         stream = std::make_unique<ws::SocketStream>(fd);
                       } else {
                         stream = tls->Accept(fd, counters_);
                       }
                       if (stream == nullptr) return;
                       StartHttp(std::move(stream), IpText(peer), routes, acceptor);
                     });
  if (!listener.ok()) return listener.status();
  const uint16_t bound = (*listener)->port();
  listeners_.push_back(*std::move(listener));
  return bound;
}

void Worker::Start() {
  for (const auto& listener : listeners_) listener->Accept();
  thread_ = std::thread([this] {
    const std::string name = "edge-" + std::to_string(index_);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    Run();
  });
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  Post([this] { ShutDown(); });
  thread_.join();
}

void Worker::ShutDown() {
  stopping_ = true;
  StopAccepting();
  connections_.AbortAll(kCloseGoingAway);
  while (!http_sessions_.empty()) EndHttp(*http_sessions_.front());
  while (!deciding_.empty()) EndHttp(*deciding_.front());
}

void Worker::StopAccepting() {
  for (const auto& listener : listeners_) listener->Close();
}

void Worker::Post(Mailbox::Task task) {
  if (mailbox_.Put(std::move(task))) poller_.Wake();
}

// --- The loop

void Worker::Run() {
  while (!stopping_) Turn(poller_.Wait(WaitMilliseconds()));
}

void Worker::Turn(int events) {
  turn_requested_ = false;
  connections_.BeginTurn();
  for (int i = 0; i < events; ++i) {
    // A connection or session that ended meanwhile lives to the turn's end and ignores this.
    poller_.Dispatch(
        i, [this](ws::Connection& connection, uint32_t ready) { HandleEvent(connection, ready); },
        [](PollTarget& target, uint32_t ready) { target.OnReady(ready); });
  }
  RunMailbox();
  AdvanceTimers();
  connections_.EndTurn();
  tasks_.clear();  // only now: the frames that they hold have left
  ended_http_sessions_.clear();
}

int Worker::WaitMilliseconds() {
  if (turn_requested_ || !mailbox_.Sleep()) return 0;
  if (wheel_.size() == 0) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - clock_.Now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, wheel_.tick().count()));
}

void Worker::HandleEvent(ws::Connection& connection, uint32_t events) {
  if ((events & EPOLLOUT) != 0) connection.HandleWritable();
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    connection.HandleReadable(receive_buffer_.get(), options_.receive_buffer_bytes);
  }
}

void Worker::RunMailbox() {
  mailbox_.TakeAll(&tasks_);
  for (Mailbox::Task& task : tasks_) {
    if (stopping_) break;
    task();
  }
}

void Worker::AdvanceTimers() {
  if (wheel_.size() == 0) return;
  const MonoTime now = clock_.Now();
  if (now < next_tick_) return;
  next_tick_ = now + wheel_.tick();
  wheel_.Advance();
}

// --- HTTP sessions

void Worker::StartHttp(std::unique_ptr<ws::ByteStream> stream, std::string remote_ip,
                       const HttpRoutes& routes, Acceptor& acceptor) {
  // The oldest goes, not the new one: a client that is served needs one only for a moment, and so
  // gets in between those who hold theirs.
  if (http_sessions_.size() >= options_.max_handshakes) {
    counters_.handshakes_dropped.Add();
    http_sessions_.front()->Abandon();
  }
  http_sessions_.push_back(std::make_unique<HttpSession>(std::move(stream), std::move(remote_ip),
                                                         *this, routes, acceptor));
  HttpSession& started = *http_sessions_.back();
  started.kept = std::prev(http_sessions_.end());
  CountHandshakes();
  started.Start();
}

void Worker::SetDeciding(HttpSession& session, bool deciding) {
  if (!session.kept.has_value() || session.deciding == deciding) return;
  session.deciding = deciding;
  auto& from = deciding ? http_sessions_ : deciding_;
  auto& to = deciding ? deciding_ : http_sessions_;
  to.splice(to.end(), from, *session.kept);
}

void Worker::CountHandshakes() {
  counters_.handshakes.Set(static_cast<int64_t>(http_sessions_.size() + deciding_.size()));
}

void Worker::EndHttp(HttpSession& session) {
  if (!session.kept.has_value()) return;
  const HttpSession::Kept::iterator kept = *std::exchange(session.kept, std::nullopt);
  ended_http_sessions_.push_back(std::move(*kept));
  (session.deciding ? deciding_ : http_sessions_).erase(kept);
  CountHandshakes();
}

void Worker::Upgrade(std::unique_ptr<ws::ByteStream> stream,
                     std::unique_ptr<TransportHandler> handler,
                     const std::optional<ws::DeflateAgreement>& deflate, std::string_view answer,
                     char* leftover, size_t leftover_size, bool watched) {
  upgrading_watched_ = watched;
  connections_.Add(std::move(stream), std::move(handler), deflate, leftover, leftover_size, answer);
  upgrading_watched_ = false;
}

// --- Connections

bool Worker::Watch(int fd, ws::Connection* connection) {
  return upgrading_watched_ ? poller_.Change(fd, connection, Poller::kReads)
                            : poller_.Add(fd, connection, Poller::kReads);
}

void Worker::WatchWrites(int fd, ws::Connection* connection, bool on) {
  poller_.Change(fd, connection, on ? Poller::kReads | Poller::kWrites : Poller::kReads);
}

void Worker::Unwatch(int fd) { poller_.Remove(fd); }

}  // namespace spillway::edge::net
