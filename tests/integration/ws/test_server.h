#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "services/edge/frame/deflate.h"
#include "services/edge/net/io_pool.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/ws/connection.h"
#include "services/edge/ws/tls_server.h"

namespace spillway::test {

// An application on the edge's workers: echoes, floods, closes, by what the client says. Its
// routes: GET /hello.
class TestServer final : public edge::Acceptor {
 public:
  // `tls` null: without TLS; it outlives the server.
  explicit TestServer(edge::net::WorkerOptions options = {}, size_t workers = 2,
                      edge::ws::TlsServer* tls = nullptr)
      : pool_(workers, options, Clock::Real()) {
    edge::net::HttpRoutes routes;
    routes.Add("GET", "/hello", [](const http::Request& request) {
      http::Response response;
      response.body = "hello " + std::string(request.Query("name"));
      response.headers.emplace_back("X-Remote", request.remote_ip);
      return response;
    });
    const auto port = pool_.Listen("127.0.0.1", 0, std::move(routes), *this, tls);
    if (port.ok()) port_ = *port;
    pool_.Start();
  }
  ~TestServer() override { pool_.Stop(std::chrono::milliseconds(100)); }

  uint16_t port() const { return port_; }
  edge::net::IoPool& pool() { return pool_; }

  edge::UpgradeDecision OnUpgrade(const http::Request& request, size_t worker) override {
    edge::UpgradeDecision decision;
    if (request.path == "/forbidden") {
      decision.refusal.emplace();
      decision.refusal->status = 401;
      decision.refusal->content_type = "application/json";
      decision.refusal->body = R"({"error":{"code":"unauthorized","message":"no token"}})";
      return decision;
    }
    ++upgrades_by_worker[worker];
    decision.subprotocol = request.Header("sec-websocket-protocol");
    decision.handler = std::make_unique<Handler>(*this);
    return decision;
  }

  // OnClosed codes so far.
  std::vector<uint16_t> closed() {
    MutexLock lock(mutex_);
    return closed_;
  }
  bool WaitForClosed(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    MutexLock lock(mutex_);
    while (closed_.size() < count) {
      if (!changed_.WaitUntil(mutex_, deadline)) return false;
    }
    return true;
  }

  std::atomic<int> upgrades_by_worker[8] = {};
  std::atomic<edge::ws::Connection*> last_opened{nullptr};

 private:
  class Handler final : public edge::TransportHandler {
   public:
    explicit Handler(TestServer& server) : server_(server) {}
    void OnOpen(edge::Transport* transport) override {
      connection_ = static_cast<edge::ws::Connection*>(transport);
      server_.last_opened = connection_;
    }
    void OnMessage(std::string_view payload, bool text) override {
      if (payload == "close me") return connection_->Close(4009, "as you wish");
      const int times = payload == "flood" ? 100000 : 1;
      std::string_view body = payload;
      if (connection_->compresses()) {
        static thread_local edge::Deflater deflater;
        body = deflater.Compress(payload);
      }
      Ref<edge::Frame> frame = edge::Frame::Make(text ? edge::Opcode::kText : edge::Opcode::kBinary,
                                                 body, connection_->compresses());
      for (int i = 0; i < times; ++i) connection_->Send(*frame, nullptr);
      connection_->Keep(std::move(frame));
    }
    void OnPong() override {}
    void OnWritable() override {}
    void OnClosed(uint16_t code, std::string_view) override {
      MutexLock lock(server_.mutex_);
      server_.closed_.push_back(code);
      server_.changed_.NotifyAll();
    }

   private:
    TestServer& server_;
    edge::ws::Connection* connection_ = nullptr;
  };

  Mutex mutex_;
  CondVar changed_;
  std::vector<uint16_t> closed_ SPILLWAY_GUARDED_BY(mutex_);
  uint16_t port_ = 0;
  edge::net::IoPool pool_;
};

}  // namespace spillway::test
