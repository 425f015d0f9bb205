#include "tests/integration/load/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "tests/support/server_frame.h"

namespace spillway::load {
namespace {

void Send(int fd, const std::string& bytes) {
  // Blocking: test clients read.
  send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

}  // namespace

RawServer::RawServer(Fault fault)
    : fault_(std::move(fault)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 128) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

RawServer::~RawServer() {
  stop_ = true;
  thread_.join();
  for (const auto& [fd, peer] : peers_) close(fd);
  close(listener_);
}

std::string RawServer::url() const { return "ws://127.0.0.1:" + std::to_string(port_) + "/"; }

void RawServer::Run() {
  while (!stop_) {
    std::vector<pollfd> fds = {{listener_, POLLIN, 0}};
    for (const auto& [fd, peer] : peers_) fds.push_back({fd, POLLIN, 0});
    poll(fds.data(), fds.size(), 10);
    for (size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0 && !Read(fds[i].fd)) doomed_.push_back(fds[i].fd);
    }
    if (fds[0].revents != 0) peers_[accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)];
    for (const int fd : doomed_) {
      if (peers_.erase(fd) == 1) close(fd);
    }
    doomed_.clear();
  }
}

bool RawServer::Read(int fd) {
  std::array<char, 65536> buffer;
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;
  Peer& peer = peers_[fd];
  peer.in.append(buffer.data(), static_cast<size_t>(size));
  if (!peer.upgraded) {
    const size_t end = peer.in.find("\r\n\r\n");
    if (end == std::string::npos) return true;
    peer.in.erase(0, end + 4);
    peer.upgraded = true;
    Send(fd, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
  }
  while (peer.in.size() >= 6) {
    size_t length = static_cast<uint8_t>(peer.in[1]) & 0x7F;
    size_t at = 2;
    if (length == 126) {
      length = static_cast<size_t>(static_cast<uint8_t>(peer.in[2])) << 8 |
               static_cast<uint8_t>(peer.in[3]);
      at = 4;
    }
    if (peer.in.size() < at + 4 + length) break;
    std::string text = peer.in.substr(at + 4, length);
    for (size_t i = 0; i < length; ++i) text[i] = static_cast<char>(text[i] ^ peer.in[at + i % 4]);
    peer.in.erase(0, at + 4 + length);
    OnMessage(fd, text);
  }
  return true;
}

void RawServer::OnMessage(int fd, std::string_view text) {
  if (text.starts_with("sub ")) {
    peers_[fd].channels.insert(std::string(text.substr(4)));
    Send(fd, test::ServerFrame("subscribed"));
  } else if (text.starts_with("pub ")) {
    const size_t end = text.find('\n');
    Publish(text.substr(4, end - 4), text.substr(end + 1));
  }
}

void RawServer::Publish(std::string_view channel, std::string_view payload) {
  ++published_;
  const int times = fault_ == nullptr ? 1 : fault_(published_);
  for (const auto& [fd, peer] : peers_) {
    if (!peer.channels.contains(std::string(channel))) continue;
    for (int i = 0; i < times; ++i) Send(fd, test::ServerFrame(payload));
    if (published_ == close_after) doomed_.push_back(fd);
  }
}

}  // namespace spillway::load
