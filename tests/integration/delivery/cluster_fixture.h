#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "common/rpc/client.h"
#include "services/edge/app/edge_app.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/integration/ws/beast_client.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/temp_dir.h"

namespace spillway::test {

// Several edges and ingests in this process, over one mock broker.
class ClusterTest : public ::testing::Test {
 protected:
  static constexpr char kSecret[] = "a-secret-of-the-tests-32-bytes-long";
  static constexpr std::chrono::seconds kPatience{20};
  using Stub = v1::AdminService::Stub;

  ClusterTest() {
    ingest::EmbeddedBroker::Options options;
    options.topics = {{"ticks", 2}, {"spillway.control", 1}, {"spillway.audit", 1}};
    broker_ = *ingest::EmbeddedBroker::Start(options);
  }
  ~ClusterTest() override { StopAll(); }

  struct Edge {
    std::string node_id;
    std::unique_ptr<edge::EdgeApp> app;
    std::unique_ptr<Stub> stub;
    uint16_t port() const { return static_cast<uint16_t>(app->public_port()); }
  };

  void StartIngests(int count, const std::string& more = "") {
    for (int i = 0; i < count; ++i) {
      ingests_.push_back(std::make_unique<ingest::TestIngest>(
          *broker_, absl::StrCat("  node_id: ingest-", i, "\n  control: {topic: '", control_topic_,
                                 "'}\n"
                                 "  routes:\n"
                                 "    - name: ticks\n"
                                 "      topics: [ticks]\n"
                                 "      emit: [{channels: ['tick:{key}'], type: tick}]\n",
                                 more)));
    }
  }
  Edge& StartEdge(const std::string& node_id, const std::string& more = "") {
    std::string addresses;
    for (const auto& ingest : ingests_) {
      absl::StrAppend(&addresses, addresses.empty() ? "" : ",", ingest->grpc());
    }
    config::Sources sources;
    sources.files = {
        dir_.Write(absl::StrCat(node_id, ".yaml"),
                   absl::StrCat("edge:\n  node_id: ", node_id,
                                "\n  threads: 2\n  listen: 127.0.0.1:0\n  ops_listen: ''\n"
                                "  admin: {listen: '127.0.0.1:0'",
                                admin_,
                                "}\n  trusted_proxies: [127.0.0.1]\n"
                                "  ingests: {addresses: [",
                                addresses, "]", link_,
                                "}\n"
                                "  endpoints:\n"
                                "    - {path: /ws, auth: {secret: '",
                                kSecret,
                                "', cookie: token}, origins: ['https://example.com']}\n"
                                "    - {path: /late, auth: {secret: '",
                                kSecret,
                                "', message: true}}\n"
                                "    - {path: /open, auth: {required: false}}\n"
                                "  channels: [{pattern: '**', access: anyone}]\n",
                                more))};
    sources.sections = {"edge"};
    auto loaded = config::Load(sources, config::Environment::Real());
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    auto edge = edge::EdgeApp::Start(loaded->config.edge(), Clock::Real());
    EXPECT_TRUE(edge.ok()) << edge.status();
    edges_.push_back(std::make_unique<Edge>());
    edges_.back()->node_id = node_id;
    edges_.back()->app = *std::move(edge);
    edges_.back()->stub = v1::AdminService::NewStub(
        *rpc::CreateChannel(absl::StrCat("127.0.0.1:", edges_.back()->app->admin_port())));
    return *edges_.back();
  }
  void StopAll() {
    for (const auto& edge : edges_) {
      if (edge->app != nullptr) edge->app->Stop(std::chrono::seconds(5));
    }
    edges_.clear();
    ingests_.clear();
  }

  template <typename Request, typename Response>
  grpc::Status Call(Edge& edge,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    rpc::AddBearer(bearer_, &context);
    return ((*edge.stub).*method)(&context, request, response);
  }

  template <typename Condition>
  bool WaitFor(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      for (const auto& edge : edges_) {
        if (edge->app != nullptr) edge->app->Update();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  // Until the edge knows of so many others, ingests among them, and of who is kept out.
  bool WaitForCluster(Edge& edge, int nodes) {
    return WaitFor([&] {
      v1::ListNodesResponse listed;
      const grpc::Status status = Call(edge, &Stub::ListNodes, v1::ListNodesRequest(), &listed);
      BeastClient probe;
      const bool pending = !probe.Connect(edge.port(), {.path = "/open"}) && probe.status() == 503;
      return status.ok() && listed.nodes_size() >= nodes && !pending;
    });
  }

  static std::string Token(const std::string& sub,
                           const std::vector<std::pair<std::string, std::string>>& more = {}) {
    return UserToken(kSecret, sub, 4'000'000'000, more);
  }
  static BeastClient::Options With(const std::string& token, const std::string& ip = "") {
    BeastClient::Options options;
    options.path = absl::StrCat("/ws?token=", token);
    if (!ip.empty()) options.headers = {{"X-Forwarded-For", ip}};
    return options;
  }
  // Connects and takes the greeting.
  static void Join(BeastClient& client, const Edge& edge, const BeastClient::Options& options) {
    ASSERT_TRUE(client.Connect(edge.port(), options)) << client.status() << client.body();
    ASSERT_NE(client.Receive().payload.find(R"("type":"connected")"), std::string::npos);
  }
  // The code of the refusal; "" if it is let in.
  static std::string Refused(const Edge& edge, const BeastClient::Options& options) {
    BeastClient client;
    if (client.Connect(edge.port(), options)) return "";
    const size_t at = client.body().find(R"("code":")");
    if (at == std::string::npos) return client.body();
    return client.body().substr(at + 8, client.body().find('"', at + 8) - at - 8);
  }
  // The code with which the server ends the connection.
  static int EndOf(BeastClient& client) {
    for (;;) {
      const ClientResult result = client.Receive();
      if (!result.ok) return result.close_code;
    }
  }
  static const v1::NodeResult* NodeOf(const v1::ControlResponse& response, const std::string& id) {
    for (const v1::NodeResult& node : response.nodes()) {
      if (node.node_id() == id) return &node;
    }
    return nullptr;
  }

  std::string control_topic_ = "spillway.control";
  std::string admin_;   // more of the edges' section of that name
  std::string link_;    // of `ingests`
  std::string bearer_;  // presented by Call
  std::unique_ptr<ingest::EmbeddedBroker> broker_;
  std::vector<std::unique_ptr<ingest::TestIngest>> ingests_;
  std::vector<std::unique_ptr<Edge>> edges_;
  TempDir dir_;
};

}  // namespace spillway::test
