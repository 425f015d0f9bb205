// Many sockets that do not become connections.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/ws/beast_client.h"
#include "tests/integration/ws/test_server.h"

namespace spillway::test {
namespace {

// A socket that is connected and has said `bytes`.
class HalfOpen {
 public:
  HalfOpen(uint16_t port, const std::string& bytes) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
      ADD_FAILURE() << "cannot connect: errno " << errno;
    }
  }
  HalfOpen(HalfOpen&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~HalfOpen() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool Say(const std::string& bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }
  // Waits until the server has ended it.
  bool Ended() {
    char byte;
    return ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
};

int64_t Pending(TestServer& server) {
  int64_t pending = 0;
  for (size_t i = 0; i < server.pool().size(); ++i) {
    pending += server.pool().worker(i).counters().handshakes.Value();
  }
  return pending;
}

bool WaitForPending(TestServer& server, int64_t wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (Pending(server) != wanted) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Both ends are in this process.
void AllowDescriptors(rlim_t count) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur >= count) return;
  limit.rlim_cur = std::min(count, limit.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(HandshakesTest, HalfOpenClientsKeepNobodyOut) {
  AllowDescriptors(4096);
  edge::net::WorkerOptions options;
  options.handshake_timeout = std::chrono::minutes(5);
  TestServer server(options, 2);
  BeastClient inside;
  ASSERT_TRUE(inside.Connect(server.port()));
  std::vector<HalfOpen> silent;
  for (int i = 0; i < 500; ++i) {
    silent.emplace_back(server.port(), i % 2 == 0 ? "" : "GET / HTTP/1.1\r\nHost:");
  }
  ASSERT_TRUE(WaitForPending(server, 500));
  inside.Send("hello");
  EXPECT_EQ(inside.Receive().payload, "hello");
  BeastClient late;
  ASSERT_TRUE(late.Connect(server.port()));
  late.Send("me too");
  EXPECT_EQ(late.Receive().payload, "me too");
  silent.clear();
  EXPECT_TRUE(WaitForPending(server, 0));
}

TEST(HandshakesTest, TheOldestGoesWhenThereAreTooMany) {
  edge::net::WorkerOptions options;
  options.handshake_timeout = std::chrono::minutes(5);
  options.max_handshakes = 10;
  TestServer server(options, 1);
  BeastClient inside;
  ASSERT_TRUE(inside.Connect(server.port()));
  std::vector<HalfOpen> silent;
  for (int i = 0; i < 60; ++i) silent.emplace_back(server.port(), "GET /");
  for (size_t i = 0; i < 50; ++i) EXPECT_TRUE(silent[i].Ended()) << i;
  EXPECT_TRUE(WaitForPending(server, 10));
  EXPECT_EQ(server.pool().worker(0).counters().handshakes_dropped.Value(), 50u);
  // Who has a request to make gets in all the same, at the price of the next one.
  BeastClient late;
  ASSERT_TRUE(late.Connect(server.port()));
  EXPECT_TRUE(silent[50].Ended());
  inside.Send("hello");
  EXPECT_EQ(inside.Receive().payload, "hello");
}

TEST(HandshakesTest, ASlowHandshakeIsEndedAtItsTimeHoweverMuchComes) {
  edge::net::WorkerOptions options;
  options.handshake_timeout = std::chrono::milliseconds(300);
  options.tick = std::chrono::milliseconds(20);
  TestServer server(options, 1);
  HalfOpen slow(server.port(), "GET / HTTP/1.1\r\n");
  // A header after the other, for as long as it is let: each is progress, and none helps.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (slow.Say("A: b\r\n") && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(server.pool().worker(0).counters().handshake_timeouts.Value(), 1u);
}

}  // namespace
}  // namespace spillway::test
