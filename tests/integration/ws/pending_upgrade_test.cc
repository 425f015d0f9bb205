// Upgrades that are decided about later.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/base/clock.h"
#include "services/edge/frame/frame.h"
#include "services/edge/net/io_pool.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/ws/connection.h"
#include "tests/integration/ws/beast_client.h"
#include "tests/support/raw_client.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Echoes.
class Echo final : public edge::TransportHandler {
 public:
  void OnOpen(edge::Transport* transport) override {
    connection_ = static_cast<edge::ws::Connection*>(transport);
  }
  void OnMessage(std::string_view payload, bool) override {
    Ref<edge::Frame> frame = edge::Frame::Make(edge::Opcode::kText, payload);
    connection_->Send(*frame, nullptr);
    connection_->Keep(std::move(frame));
  }
  void OnPong() override {}
  void OnWritable() override {}
  void OnClosed(uint16_t, std::string_view) override {}

 private:
  edge::ws::Connection* connection_ = nullptr;
};

// One worker, on which upgrades of all paths but /never are decided about when the test says so.
class LateServer final : public edge::Acceptor {
 public:
  explicit LateServer(edge::net::WorkerOptions options = {}) : pool_(1, options, Clock::Real()) {
    const auto port = pool_.Listen("127.0.0.1", 0, edge::net::HttpRoutes(), *this);
    if (port.ok()) port_ = *port;
    pool_.Start();
  }
  ~LateServer() override { Stop(); }
  void Stop() { pool_.Stop(milliseconds(100)); }

  edge::UpgradeDecision OnUpgrade(const http::Request& request, size_t) override {
    edge::UpgradeDecision decision;
    decision.deflate = false;
    auto pending = std::make_unique<Pending>(*this, request.path);
    last_ = pending.get();
    decision.pending = std::move(pending);
    return decision;
  }
  // The last one that is pending.
  void Decide() {
    pool_.worker(0).Post([this] {
      if (last_ != nullptr) last_->Decide();
    });
  }
  bool WaitFor(const std::atomic<int>& value, int wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (value.load() != wanted && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(2));
    }
    return value.load() == wanted;
  }

  uint16_t port() const { return port_; }
  edge::net::IoPool& pool() { return pool_; }
  std::atomic<int> pending{0};

 private:
  class Pending final : public edge::PendingUpgrade {
   public:
    Pending(LateServer& server, std::string path) : server_(server), path_(std::move(path)) {}
    ~Pending() override {
      if (server_.last_ == this) server_.last_ = nullptr;
      --server_.pending;
    }
    void Await(Decided decided) override {
      decided_ = std::move(decided);
      ++server_.pending;
    }
    void Decide() {
      edge::UpgradeDecision decision;
      decision.deflate = false;
      if (path_ == "/refused") {
        decision.refusal.emplace();
        decision.refusal->status = 403;
        decision.refusal->body = "not you";
      } else {
        decision.subprotocol = "late";
        decision.correlation_id = "c1";
        decision.handler = std::make_unique<Echo>();
      }
      const Decided decided = std::move(decided_);
      decided(std::move(decision));
    }

   private:
    LateServer& server_;
    const std::string path_;
    Decided decided_;
  };

  Pending* last_ = nullptr;  // of the worker's thread
  uint16_t port_ = 0;
  edge::net::IoPool pool_;
};

std::string Request(const std::string& path) {
  return "GET " + path +
         " HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

// A masked text frame; the mask is 0.
std::string FrameOf(const std::string& text) {
  return std::string{'\x81', static_cast<char>(0x80 | text.size()), 0, 0, 0, 0} + text;
}

TEST(PendingUpgradeTest, IsAnsweredWhenItIsDecided) {
  LateServer server;
  RawClient client(server.port());
  client.Send(Request("/"));
  ASSERT_TRUE(server.WaitFor(server.pending, 1));
  server.Decide();
  const std::string answer = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("101 Switching"));
  EXPECT_THAT(answer, HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Protocol: late"));
  client.Send(FrameOf("hello"));
  EXPECT_THAT(client.ReadUntil("hello"), HasSubstr("hello"));
  EXPECT_TRUE(server.WaitFor(server.pending, 0));
}

TEST(PendingUpgradeTest, LosesNothingThatComesMeanwhile) {
  LateServer server;
  RawClient client(server.port());
  client.Send(Request("/") + FrameOf("first "));
  ASSERT_TRUE(server.WaitFor(server.pending, 1));
  client.Send(FrameOf("second ") + FrameOf("third"));
  server.Decide();
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("101 Switching"));
  const std::string echoes = client.ReadUntil("third");
  EXPECT_LT(echoes.find("first "), echoes.find("second "));
  EXPECT_LT(echoes.find("second "), echoes.find("third"));
}

TEST(PendingUpgradeTest, MayBeRefusedLater) {
  LateServer server;
  RawClient client(server.port());
  client.Send(Request("/refused"));
  ASSERT_TRUE(server.WaitFor(server.pending, 1));
  server.Decide();
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 403"));
  EXPECT_THAT(answer, HasSubstr("not you"));
  EXPECT_EQ(server.pool().worker(0).counters().upgrades_refused.Value(), 1u);
}

TEST(PendingUpgradeTest, EndsWithItsClient) {
  LateServer server;
  {
    RawClient client(server.port());
    client.Send(Request("/") + FrameOf("early"));
    ASSERT_TRUE(server.WaitFor(server.pending, 1));
  }
  EXPECT_TRUE(server.WaitFor(server.pending, 0));
  server.Decide();  // of nobody
}

TEST(PendingUpgradeTest, EndsWithItsTime) {
  edge::net::WorkerOptions options;
  options.handshake_timeout = milliseconds(100);
  LateServer server(options);
  RawClient client(server.port());
  client.Send(Request("/never"));
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(server.WaitFor(server.pending, 0));
  EXPECT_EQ(server.pool().worker(0).counters().handshake_timeouts.Value(), 1u);
}

// Its request is here, and its wait is bounded otherwise.
TEST(PendingUpgradeTest, MakesNoRoomForConnectionsWithoutARequest) {
  edge::net::WorkerOptions options;
  options.max_handshakes = 1;
  LateServer server(options);
  RawClient first(server.port());
  first.Send(Request("/"));
  ASSERT_TRUE(server.WaitFor(server.pending, 1));
  RawClient silent(server.port());
  silent.Send("GET /");
  RawClient next(server.port());
  next.Send("GET /");
  EXPECT_EQ(silent.ReadAll(), "");
  server.Decide();
  EXPECT_THAT(first.ReadUntil("\r\n\r\n"), HasSubstr("101 Switching"));
}

TEST(PendingUpgradeTest, EndsWithTheServer) {
  LateServer server;
  RawClient client(server.port());
  client.Send(Request("/"));
  ASSERT_TRUE(server.WaitFor(server.pending, 1));
  server.Stop();
  EXPECT_EQ(server.pending.load(), 0);
  EXPECT_EQ(client.ReadAll(), "");
}

}  // namespace
}  // namespace spillway::test
