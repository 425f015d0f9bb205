#include "tools/load/swarm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/json_text.h"

namespace spillway::load {
namespace {

constexpr size_t kReadBuffer = 256 * 1024;
constexpr size_t kClientsOfAnAddress = 20'000;  // of about 28,000 ports

int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

Swarm::Swarm(Options options)
    : options_(std::move(options)),
      request_(UpgradeRequest(absl::StrCat(options_.host, ":", options_.port), options_.target)),
      buffer_(kReadBuffer) {
  clients_.reserve(options_.clients);
}

Swarm::~Swarm() {
  for (const auto& client : clients_) {
    if (client->fd >= 0) close(client->fd);
  }
  if (epoll_ >= 0) close(epoll_);
}

absl::Status Swarm::Init() {
  in_addr address;
  if (inet_pton(AF_INET, options_.host.c_str(), &address) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(options_.host, " is not an IPv4 address"));
  }
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return absl::InternalError(absl::StrCat("epoll: ", strerror(errno)));
  started_ns_ = NowNs();
  return absl::OkStatus();
}

bool Swarm::settled() const {
  const SwarmCounters& counters = measurement_.counters;
  const uint64_t alive = options_.clients - std::min<uint64_t>(counters.closed, options_.clients);
  return counters.opened == options_.clients && counters.upgraded >= alive &&
         counters.subscribed + counters.errors >= alive * options_.channels.size();
}

void Swarm::Poll(int timeout_ms) {
  if (clients_.size() < options_.clients) {
    OpenDue(NowNs());
    timeout_ms = std::min(timeout_ms, 1);
  }
  std::array<epoll_event, 512> events;
  const int count = epoll_wait(epoll_, events.data(), events.size(), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const size_t index = static_cast<size_t>(events[i].data.u64);
    Client& client = *clients_[index];
    if (client.fd >= 0) OnReady(client, index, events[i].events);
  }
}

void Swarm::OpenDue(int64_t now_ns) {
  const SwarmCounters& counters = measurement_.counters;
  const double seconds = static_cast<double>(now_ns - started_ns_) / 1e9;
  const auto due =
      std::min<size_t>(static_cast<size_t>(seconds * options_.connect_rate) + 1, options_.clients);
  while (clients_.size() < due &&
         counters.opened - std::min(counters.opened, counters.upgraded + counters.closed) <
             options_.max_unfinished) {
    clients_.push_back(std::make_unique<Client>());
    ++measurement_.counters.opened;
    if (!Open(clients_.size() - 1)) {
      if (measurement_.counters.first_problem.empty()) {
        measurement_.counters.first_problem = absl::StrCat("connect: ", strerror(errno));
      }
      Close(*clients_.back());
    }
  }
}

bool Swarm::Open(size_t index) {
  Client& client = *clients_[index];
  client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client.fd < 0) return false;
  const int on = 1;
  setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr);
  if (options_.clients > kClientsOfAnAddress && options_.host.starts_with("127.")) {
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + static_cast<uint32_t>(index / kClientsOfAnAddress));
    setsockopt(client.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(client.fd, reinterpret_cast<const sockaddr*>(&source), sizeof(source)) != 0) {
      return false;
    }
  }
  address.sin_port = htons(options_.port);
  if (connect(client.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    return false;
  }
  client.wants_write = true;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u64 = index;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event) == 0;
}

void Swarm::OnReady(Client& client, size_t index, uint32_t events) {
  bool alive = true;
  if (client.state == Client::State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      errno = error;
      alive = false;
    } else {
      client.state = Client::State::kUpgrading;
      client.output = request_;
    }
  }
  if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) alive = Read(client, index);
  if (alive && (!client.output.empty() || client.wants_write)) alive = Write(client, index);
  if (!alive) Close(client);
}

bool Swarm::Read(Client& client, size_t index) {
  const ssize_t size = recv(client.fd, buffer_.data(), buffer_.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  SwarmCounters& counters = measurement_.counters;
  counters.bytes += static_cast<uint64_t>(size);
  ++counters.reads;
  const std::string_view bytes(buffer_.data(), static_cast<size_t>(size));
  if (client.state == Client::State::kOpen) {
    return client.OnBytes(bytes, {}, NowNs(), &measurement_);
  }
  return client.OnBytes(bytes, SubscribeMessage(index), NowNs(), &measurement_);
}

bool Swarm::Write(Client& client, size_t index) {
  while (!client.output.empty()) {
    const ssize_t size =
        send(client.fd, client.output.data(), client.output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      break;
    }
    client.output.erase(0, static_cast<size_t>(size));
  }
  if (client.output.empty()) std::string().swap(client.output);
  if (client.wants_write == !client.output.empty()) return true;
  client.wants_write = !client.output.empty();
  epoll_event event{};
  event.events = client.wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  return epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event) == 0;
}

void Swarm::Close(Client& client) {
  if (client.state == Client::State::kClosed) return;
  client.state = Client::State::kClosed;
  ++measurement_.counters.closed;
  if (client.fd >= 0) close(client.fd);
  client.fd = -1;
}

std::string Swarm::SubscribeMessage(size_t index) const {
  if (options_.channels.empty()) return {};
  std::string message = R"({"type":"subscribe","channels":[)";
  const std::string number = absl::StrCat(index % options_.spread);
  for (const std::string& channel : options_.channels) {
    if (message.back() != '[') message.push_back(',');
    AppendJsonString(&message, absl::StrReplaceAll(channel, {{"{i}", number}}));
  }
  message.append("]}");
  return message;
}

}  // namespace spillway::load
