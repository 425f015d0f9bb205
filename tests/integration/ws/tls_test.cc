#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "services/edge/ws/tls_server.h"
#include "tests/integration/ws/beast_client.h"
#include "tests/integration/ws/test_server.h"
#include "tests/support/certificates.h"
#include "tests/support/temp_dir.h"

namespace spillway::test {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 23);
  return text;
}

// Beast's and Asio's client, which checks the server's certificate.
class SslClient {
 public:
  using Tls = asio::ssl::stream<Tcp::socket>;

  explicit SslClient(const Certificates& certificates) : context_(asio::ssl::context::tls_client) {
    context_.load_verify_file(certificates.ca());
    context_.set_verify_mode(asio::ssl::verify_peer);
    context_.set_verify_callback(asio::ssl::host_name_verification("localhost"));
    stream_ = std::make_unique<websocket::stream<Tls>>(io_, context_);
    stream_->read_message_max(64 << 20);
  }

  Tls& tls() { return stream_->next_layer(); }
  websocket::stream<Tls>& ws() { return *stream_; }

  bool ConnectTcp(uint16_t port, int receive_buffer = 0) {
    error_code error;
    Tcp::socket& socket = tls().next_layer();
    socket.open(Tcp::v4(), error);
    if (receive_buffer > 0) {
      socket.set_option(asio::socket_base::receive_buffer_size(receive_buffer), error);
    }
    socket.connect({asio::ip::make_address("127.0.0.1"), port}, error);
    return !error;
  }
  bool ConnectTls(uint16_t port, int receive_buffer = 0) {
    error_code error;
    if (!ConnectTcp(port, receive_buffer)) return false;
    tls().handshake(Tls::client, error);
    return !error;
  }
  bool Connect(uint16_t port, int receive_buffer = 0) {
    error_code error;
    if (!ConnectTls(port, receive_buffer)) return false;
    stream_->handshake("localhost", "/", error);
    return !error;
  }
  bool Send(std::string_view text) {
    error_code error;
    stream_->write(asio::buffer(text.data(), text.size()), error);
    return !error;
  }
  std::string Receive() {
    beast::flat_buffer buffer;
    stream_->read(buffer, error_);
    return beast::buffers_to_string(buffer.data());
  }
  // Of the last Receive().
  const error_code& error() const { return error_; }
  // All that comes on the bare TLS stream until the server ends it, in order.
  std::string Exchange(std::string_view bytes) {
    error_code error;
    asio::write(tls(), asio::buffer(bytes.data(), bytes.size()), error);
    std::string answer;
    asio::read(tls(), asio::dynamic_buffer(answer), error_);
    return answer;
  }

 private:
  asio::io_context io_;
  asio::ssl::context context_;
  std::unique_ptr<websocket::stream<Tls>> stream_;
  error_code error_;
};

class EdgeTlsTest : public ::testing::Test {
 protected:
  void Start(const edge::net::WorkerOptions& options = {}, size_t workers = 1) {
    auto tls = edge::ws::TlsServer::Create({.cert = ReadFile(certificates_.server_cert()),
                                            .key = ReadFile(certificates_.server_key()),
                                            .client_ca = {}},
                                           {}, Clock::Real());
    ASSERT_TRUE(tls.ok()) << tls.status();
    tls_ = *std::move(tls);
    server_ = std::make_unique<TestServer>(options, workers, tls_.get());
  }
  const edge::ws::WorkerCounters& counters() { return server_->pool().worker(0).counters(); }

  TempDir dir_;
  Certificates certificates_{dir_.path()};
  std::unique_ptr<edge::ws::TlsServer> tls_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(EdgeTlsTest, AnswersHttpsAndEndsItCleanly) {
  Start();
  SslClient client(certificates_);
  ASSERT_TRUE(client.ConnectTls(server_->port()));
  const std::string answer = client.Exchange(
      "GET /hello?name=1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /hello?name=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("\r\n\r\nhello 1HTTP/1.1 200 OK\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello 2")) << answer;
  EXPECT_EQ(client.error(), asio::error::eof);  // of TLS, not a truncated stream
}

TEST_F(EdgeTlsTest, EchoesMessagesOfEverySize) {
  edge::net::WorkerOptions options;
  options.connection.max_message_bytes = 4 << 20;
  options.connection.backlog.bytes = 8 << 20;
  Start(options);
  SslClient client(certificates_);
  ASSERT_TRUE(client.Connect(server_->port()));
  for (const size_t size : {0u, 1u, 125u, 16000u, 16384u, 65536u, 3000000u}) {
    ASSERT_TRUE(client.Send(Pattern(size)));
    EXPECT_TRUE(client.Receive() == Pattern(size)) << size;
  }
  EXPECT_EQ(counters().tls_handshakes.Value(), 1u);
}

TEST_F(EdgeTlsTest, ReadersGetAFloodInOrderThroughTheBacklog) {
  edge::net::WorkerOptions options;
  options.connection.backlog.bytes = 64 << 20;
  options.connection.backlog.messages = 1 << 20;
  Start(options);
  SslClient client(certificates_);
  ASSERT_TRUE(client.Connect(server_->port(), 8192));
  ASSERT_TRUE(client.Send("flood"));
  ASSERT_TRUE(client.Send("last"));
  for (int i = 0; i < 100000; ++i) ASSERT_EQ(client.Receive(), "flood");
  EXPECT_EQ(client.Receive(), "last");
  EXPECT_EQ(counters().frames_out.Value(), 100001u);
  EXPECT_GT(counters().backlog.queued.Value(), 0u);
}

TEST_F(EdgeTlsTest, ReadsFramesThatCameWithTheHandshake) {
  Start();
  SslClient client(certificates_);
  ASSERT_TRUE(client.ConnectTls(server_->port()));
  const std::string answer =
      client.Exchange(std::string("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n") +
                      std::string("\x81\x88\0\0\0\0close me\x88\x80\0\0\0\0", 20));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_NE(answer.find("as you wish"), std::string::npos);
  EXPECT_EQ(client.error(), asio::error::eof);
}

TEST_F(EdgeTlsTest, ClosesInEveryDirection) {
  Start();
  SslClient closes(certificates_);
  ASSERT_TRUE(closes.Connect(server_->port()));
  error_code error;
  closes.ws().close(websocket::close_reason(3999), error);
  ASSERT_TRUE(server_->WaitForClosed(1));

  SslClient is_closed(certificates_);
  ASSERT_TRUE(is_closed.Connect(server_->port()));
  ASSERT_TRUE(is_closed.Send("close me"));
  is_closed.Receive();
  EXPECT_EQ(is_closed.ws().reason().code, 4009);
  ASSERT_TRUE(server_->WaitForClosed(2));

  SslClient vanishes(certificates_);
  ASSERT_TRUE(vanishes.Connect(server_->port()));
  vanishes.tls().next_layer().close(error);
  ASSERT_TRUE(server_->WaitForClosed(3));
  EXPECT_EQ(server_->closed(), (std::vector<uint16_t>{3999, 4009, 1006}));
}

TEST_F(EdgeTlsTest, ASlowConsumerIsToldWhenItReadsOn) {
  edge::net::WorkerOptions options;
  options.connection.backlog.bytes = 64 * 1024;
  options.connection.backlog.messages = 1000;
  Start(options);
  SslClient slow(certificates_);
  ASSERT_TRUE(slow.Connect(server_->port(), 4096));
  for (int i = 0; i < 50 && counters().slow_closes.Value() == 0; ++i) {
    ASSERT_TRUE(slow.Send("flood"));
    for (int j = 0; j < 100; ++j) ASSERT_EQ(slow.Receive(), "flood");
  }
  ASSERT_TRUE(server_->WaitForClosed(1));
  // What was under way when the rest was dropped is whole: the stream stays readable to its end.
  while (slow.Receive() == "flood") continue;
  EXPECT_EQ(slow.error(), websocket::error::closed);
  EXPECT_EQ(slow.ws().reason().code, 4008);
}

TEST_F(EdgeTlsTest, ResumesSessions) {
  Start();
  SslClient first(certificates_);
  ASSERT_TRUE(first.Connect(server_->port()));
  ASSERT_TRUE(first.Send("x"));
  EXPECT_EQ(first.Receive(), "x");  // and the ticket came before it
  SslClient second(certificates_);
  SSL_set_session(second.tls().native_handle(), SSL_get0_session(first.tls().native_handle()));
  ASSERT_TRUE(second.Connect(server_->port()));
  EXPECT_EQ(SSL_session_reused(second.tls().native_handle()), 1);
  EXPECT_EQ(counters().tls_handshakes.Value(), 2u);
  EXPECT_EQ(counters().tls_resumptions.Value(), 1u);
}

TEST_F(EdgeTlsTest, WhatIsNoTlsIsClosedAndCounted) {
  Start();
  const std::string alert = RawExchange(server_->port(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(alert.empty() || alert.starts_with('\x15')) << alert.size();
  RawExchange(server_->port(), std::string(100'000, '\x7f'));
  EXPECT_EQ(counters().tls_failures.Value(), 2u);
  SslClient client(certificates_);
  EXPECT_TRUE(client.Connect(server_->port()));
}

TEST_F(EdgeTlsTest, ClientsThatDoNotShakeHandsAreDropped) {
  edge::net::WorkerOptions options;
  options.handshake_timeout = std::chrono::milliseconds(100);
  options.tick = std::chrono::milliseconds(20);
  Start(options);
  EXPECT_EQ(RawExchange(server_->port(), "\x16\x03\x01"), "");
  SslClient client(certificates_);
  ASSERT_TRUE(client.ConnectTls(server_->port()));
  EXPECT_EQ(client.Exchange("GET / HT"), "");
  EXPECT_EQ(counters().handshake_timeouts.Value(), 2u);
}

TEST_F(EdgeTlsTest, StoppingTellsClientsToGoAway) {
  Start();
  SslClient client(certificates_);
  ASSERT_TRUE(client.Connect(server_->port()));
  ASSERT_TRUE(client.Send("open"));
  EXPECT_EQ(client.Receive(), "open");
  std::thread stop([&] { server_->pool().Stop(std::chrono::seconds(5)); });
  client.Receive();
  EXPECT_EQ(client.ws().reason().code, 1001);
  stop.join();
}

}  // namespace
}  // namespace spillway::test
