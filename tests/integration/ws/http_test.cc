#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/integration/ws/beast_client.h"
#include "tests/integration/ws/test_server.h"

namespace spillway::test {
namespace {

std::string StatusLine(const std::string& answer) { return answer.substr(0, answer.find('\r')); }

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(EdgeHttpTest, AnswersFromRoutes) {
  TestServer server;
  const std::string answer = RawExchange(
      server.port(), "GET /hello?name=you HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 200 OK");
  EXPECT_TRUE(Contains(answer, "\r\nX-Remote: 127.0.0.1\r\n")) << answer;
  EXPECT_TRUE(Contains(answer, "\r\n\r\nhello you"));
}

TEST(EdgeHttpTest, KeepsConnectionsAliveAndPipelines) {
  TestServer server;
  const std::string answer = RawExchange(
      server.port(),
      "GET /hello?name=1 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(Contains(answer, "hello 1HTTP/1.1 200 OK")) << answer;
  EXPECT_TRUE(Contains(answer, "\r\n\r\nHTTP/1.1 404 Not Found")) << answer;
  EXPECT_TRUE(Contains(answer, R"({"error":{"code":"not_found",)"));
}

TEST(EdgeHttpTest, RefusesWhatIsTooLargeOrNoHttp) {
  TestServer server;
  const std::string large(20000, 'x');
  EXPECT_EQ(StatusLine(RawExchange(server.port(), "GET / HTTP/1.1\r\nA: " + large + "\r\n\r\n")),
            "HTTP/1.1 431 Request Header Fields Too Large");
  EXPECT_EQ(StatusLine(RawExchange(server.port(),
                                   "POST /hello HTTP/1.1\r\nContent-Length: 9999999\r\n\r\nx")),
            "HTTP/1.1 413 Payload Too Large");
  EXPECT_EQ(StatusLine(RawExchange(server.port(), "rubbish\r\n\r\n")), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(RawExchange(server.port(), "GET http://other/ HTTP/1.1\r\n\r\n")),
            "HTTP/1.1 400 Bad Request");
}

TEST(EdgeHttpTest, RefusesBadUpgrades) {
  TestServer server;
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n";
  const std::string old =
      RawExchange(server.port(), head + "Connection: Upgrade\r\nSec-WebSocket-Version: 8\r\n\r\n");
  EXPECT_EQ(StatusLine(old), "HTTP/1.1 426 Upgrade Required");
  EXPECT_TRUE(Contains(old, "\r\nSec-WebSocket-Version: 13\r\n"));
  EXPECT_EQ(StatusLine(RawExchange(server.port(), head + "\r\n")), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(server.pool().connections(), 0u);
}

TEST(EdgeHttpTest, TheAcceptorMayRefuse) {
  TestServer server;
  BeastClient client;
  BeastClient::Options options;
  options.path = "/forbidden";
  EXPECT_FALSE(client.Connect(server.port(), options));
  EXPECT_EQ(client.status(), 401);
  EXPECT_EQ(client.body(), R"({"error":{"code":"unauthorized","message":"no token"}})");
}

TEST(EdgeHttpTest, SilentClientsAreDropped) {
  edge::net::WorkerOptions options;
  options.handshake_timeout = std::chrono::milliseconds(100);
  options.tick = std::chrono::milliseconds(20);
  TestServer server(options, 1);
  EXPECT_EQ(RawExchange(server.port(), "GET / HT"), "");  // returns when the server closes
  EXPECT_EQ(server.pool().worker(0).counters().handshake_timeouts.Value(), 1u);
}

TEST(EdgeHttpTest, OutOfDescriptorsItRestsAndThenGoesOn) {
  TestServer server({}, 1);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(client) + 1;  // the lowest free descriptor is the limit
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connected = ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const auto pauses = [&] { return server.pool().worker(0).counters().accept_pauses.Value(); };
  for (int i = 0; i < 2000 && pauses() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_EQ(connected, 0);
  EXPECT_GE(pauses(), 1u);
  EXPECT_LE(pauses(), 10u);  // it does not spin

  const std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(::send(client, request.data(), request.size(), 0), std::ssize(request));
  char answer[15];
  ASSERT_EQ(::recv(client, answer, sizeof answer, MSG_WAITALL), 15);
  EXPECT_EQ(std::string(answer, 15), "HTTP/1.1 200 OK");
  ::close(client);
}

TEST(EdgeHttpTest, ReadsFramesThatCameWithTheHandshake) {
  TestServer server;
  // A masked (with zeros) "close me" right behind the request.
  const std::string answer = RawExchange(
      server.port(), std::string("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n") +
                         std::string("\x81\x88\0\0\0\0close me\x88\x80\0\0\0\0", 20));
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 101 Switching Protocols");
  EXPECT_TRUE(Contains(answer, "as you wish"));
}

}  // namespace
}  // namespace spillway::test
