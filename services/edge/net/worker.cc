#include "services/edge/net/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>
#include <string>

#include "services/edge/net/asio_types.h"
#include "services/edge/net/http_session.h"
#include "services/edge/net/listener.h"

namespace spillway::edge::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kMaxEvents = 256;  // a round; more come in the next, after what else is waiting
constexpr int kIdBits = 48;      // of a connection's id, below its worker's index

int NewEpoll() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  // Out of descriptors before the first connection: the process cannot serve.
  if (fd < 0) std::abort();
  return fd;
}

epoll_event Interest(ws::Connection* connection, bool writes) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  if (writes) event.events |= EPOLLOUT;
  event.data.ptr = connection;
  return event;
}

void Prepare(TcpSocket& socket, int notsent_lowat) {
  error_code ignored;  // a client that is gone already shows at the first read
  socket.set_option(Tcp::no_delay(true), ignored);
  if (notsent_lowat > 0) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent_lowat,
                 sizeof notsent_lowat);
  }
}

}  // namespace

struct Worker::Io {
  using Executor = IoContext::executor_type;
  using SteadyTimer =
      asio::basic_waitable_timer<std::chrono::steady_clock,
                                 asio::wait_traits<std::chrono::steady_clock>, Executor>;

  IoContext context{1};  // one thread
  asio::executor_work_guard<Executor> work{context.get_executor()};
  asio::posix::basic_stream_descriptor<Executor> epoll{context, NewEpoll()};
  SteadyTimer tick{context};
  std::vector<std::unique_ptr<Listener>> listeners;
};

Worker::Worker(size_t index, const WorkerOptions& options, Clock& clock)
    : index_(index),
      options_(options),
      wheel_(clock, options.tick),
      connections_(*this, wheel_, counters_, options.connection,
                   (static_cast<uint64_t>(index) << kIdBits) + 1),
      receive_buffer_(std::make_unique<char[]>(options.receive_buffer_bytes)),
      io_(std::make_unique<Io>()) {}

Worker::~Worker() { Stop(); }

absl::StatusOr<uint16_t> Worker::Listen(const std::string& address, uint16_t port,
                                        const HttpRoutes& routes, Acceptor& acceptor) {
  auto listener = Listener::Open(io_->context, address, port, counters_,
                                 [this, &routes, &acceptor](TcpSocket socket) {
                                   Prepare(socket, options_.notsent_lowat_bytes);
                                   ServeHttp(std::move(socket), *this, routes, acceptor);
                                 });
  if (!listener.ok()) return listener.status();
  const uint16_t bound = (*listener)->port();
  io_->listeners.push_back(*std::move(listener));
  return bound;
}

void Worker::Start() {
  for (const auto& listener : io_->listeners) listener->Accept();
  AwaitEvents();
  thread_ = std::thread([this] {
    const std::string name = "edge-" + std::to_string(index_);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    io_->context.run();
  });
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  asio::post(io_->context, [this] {
    StopAccepting();
    RunTurn([this] { connections_.AbortAll(kCloseGoingAway); });
    for (HttpSocket* socket : http_sockets_) socket->CloseSocket();
    io_->context.stop();
  });
  thread_.join();
}

void Worker::StopAccepting() {
  for (const auto& listener : io_->listeners) listener->Close();
}

void Worker::Post(Mailbox::Task task) {
  if (mailbox_.Put(std::move(task))) {
    asio::post(io_->context, [this] { RunMailbox(); });
  }
}

void Worker::RunMailbox() {
  mailbox_.TakeAll(&tasks_);
  RunTurn([this] {
    for (Mailbox::Task& task : tasks_) task();
  });
  tasks_.clear();
}

void Worker::RequestTurn() {
  if (turn_requested_) return;
  turn_requested_ = true;
  asio::post(io_->context, [this] {
    turn_requested_ = false;
    RunTurn([] {});
  });
}

void Worker::EndTurn() {
  connections_.EndTurn();
  if (wheel_.size() > 0 && !ticking_) AwaitTick();
}

void Worker::AwaitTick() {
  ticking_ = true;
  io_->tick.expires_after(wheel_.tick());
  io_->tick.async_wait([this](const error_code& error) {
    ticking_ = false;
    if (!error) RunTurn([this] { wheel_.Advance(); });
  });
}

void Worker::AwaitEvents() {
  io_->epoll.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& error) {
    if (error) return;
    RunTurn([this] { HandleEvents(); });
    AwaitEvents();
  });
}

void Worker::HandleEvents() {
  epoll_event events[kMaxEvents];
  const int count = ::epoll_wait(io_->epoll.native_handle(), events, kMaxEvents, 0);
  for (int i = 0; i < count; ++i) {
    // A connection that ended meanwhile lives to the turn's end and ignores this.
    auto* connection = static_cast<ws::Connection*>(events[i].data.ptr);
    if ((events[i].events & EPOLLOUT) != 0) connection->HandleWritable();
    if ((events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      connection->HandleReadable(receive_buffer_.get(), options_.receive_buffer_bytes);
    }
  }
}

bool Worker::Watch(int fd, ws::Connection* connection) {
  epoll_event event = Interest(connection, false);
  return ::epoll_ctl(io_->epoll.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Worker::WatchWrites(int fd, ws::Connection* connection, bool on) {
  epoll_event event = Interest(connection, on);
  ::epoll_ctl(io_->epoll.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void Worker::Unwatch(int fd) {
  ::epoll_ctl(io_->epoll.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
}

}  // namespace spillway::edge::net
