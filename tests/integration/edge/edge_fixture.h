#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "services/edge/app/edge_app.h"
#include "tests/integration/ws/beast_client.h"
#include "tests/support/temp_dir.h"

namespace spillway::test {

// A whole edge in this process.
class EdgeTest : public ::testing::Test {
 protected:
  ~EdgeTest() override {
    if (edge_ != nullptr) edge_->Stop(std::chrono::seconds(5));
  }

  // `more` of the configuration; without an `admin` section of its own any free port is taken.
  v1::EdgeConfig Config(const std::string& ingests, std::string more = "") {
    if (more.find("  admin:") == std::string::npos) {
      more += "  admin: {listen: '127.0.0.1:0'}\n";
    }
    // Most of these tests connect before any ingest has said anything.
    if (more.find("  control:") == std::string::npos) more += "  control: {wait: 0}\n";
    config::Sources sources;
    sources.files = {dir_.Write(
        "edge.yaml", absl::StrCat("edge:\n  node_id: edge-1\n  threads: 2\n  listen: 127.0.0.1:0\n"
                                  "  ops_listen: 127.0.0.1:0\n  ready_grace: 500ms\n"
                                  "  ingests: {addresses: [",
                                  ingests,
                                  "], credit_bytes: 1MiB}\n"
                                  "  endpoints: [",
                                  endpoints_, "]\n  channels: [", channels_, "]\n", more))};
    auto loaded = config::Load(sources, config::Environment::Real());
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? loaded->config.edge() : v1::EdgeConfig();
  }

  void StartEdge(const std::string& ingests, const std::string& more = "") {
    auto edge = edge::EdgeApp::Start(Config(ingests, more), Clock::Real());
    ASSERT_TRUE(edge.ok()) << edge.status();
    edge_ = *std::move(edge);
  }

  std::string Get(int port, const std::string& path) {
    return RawExchange(
        static_cast<uint16_t>(port),
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n"));
  }
  // Until /ready has this in it.
  bool WaitForReady(const std::string& wanted) {
    if (edge_ == nullptr) return false;  // it could not start, which was told
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      edge_->Update();
      last_ready_ = Get(edge_->public_port(), "/ready");
      if (last_ready_.find(wanted) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "no " << wanted << " in " << last_ready_;
    return false;
  }

  void Connect(BeastClient& client) {
    BeastClient::Options options;
    options.path = "/ws";
    ASSERT_TRUE(client.Connect(static_cast<uint16_t>(edge_->public_port()), options))
        << client.body();
    ASSERT_NE(client.Receive().payload.find(R"("type":"connected")"), std::string::npos);
  }
  void Subscribe(BeastClient& client, const std::string& channel) {
    client.Send(absl::StrCat(R"({"type":"subscribe","id":1,"channels":[")", channel, R"("]})"));
    const std::string answer = client.Receive().payload;
    ASSERT_NE(answer.find(R"("type":"subscribed")"), std::string::npos) << answer;
  }
  // The next message that is an event.
  std::string Event(BeastClient& client) {
    for (;;) {
      const ClientResult result = client.Receive();
      if (!result.ok || result.payload.find(R"("type":"event")") != std::string::npos) {
        return result.payload;
      }
    }
  }

  std::string endpoints_ = "{path: /ws, auth: {required: false}}";
  std::string channels_ = "{pattern: '**', access: anyone}";
  TempDir dir_;
  std::unique_ptr<edge::EdgeApp> edge_;
  std::string last_ready_;
};

}  // namespace spillway::test
