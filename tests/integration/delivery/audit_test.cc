// The audit logs of edges in Kafka: lines come there by an ingest, whichever is alive.

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "tests/integration/delivery/cluster_fixture.h"

namespace spillway::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AuditTest : public ClusterTest {
 protected:
  ~AuditTest() override { StopAll(); }

  void StartCluster() {
    StartIngests(2, "  audit: {topic: spillway.audit}\n");
    StartEdge("edge-a", "  audit: {kafka: true}\n");
    ASSERT_TRUE(WaitForCluster(*edges_[0], 3));
    StartReader();
  }
  // Others, to whom the topic is one like any other: they show a client what is in it.
  void StartReader() {
    auto ingests = std::exchange(ingests_, {});
    ingests_.push_back(
        std::make_unique<ingest::TestIngest>(*broker_,
                                             "  node_id: reader\n"
                                             "  routes:\n"
                                             "    - name: audit\n"
                                             "      topics: [spillway.audit]\n"
                                             "      emit: [{channels: [audit], type: line}]\n"));
    StartEdge("reader-edge");
    reader_ = std::move(ingests_.front());
    ingests_ = std::move(ingests);
    ASSERT_TRUE(WaitForCluster(*edges_[1], 2));
    // What comes before it is attached may pass a subscriber by.
    ASSERT_TRUE(WaitFor([this] {
      const auto status = edges_[1]->app->upstream().status().upstream;
      return !status->slots.empty() && status->slots.front().attached;
    }));
  }
  Edge& edge() { return *edges_[0]; }

  void Watch(BeastClient& client) {
    Join(client, *edges_[1], {.path = "/open"});
    client.Send(R"({"type":"subscribe","channels":["audit"]})");
  }
  // The next line in the topic that has this in it.
  static std::string LineWith(BeastClient& client, const std::string& wanted) {
    for (;;) {
      const ClientResult result = client.Receive();
      if (!result.ok || (result.payload.find("\"type\":\"event\"") != std::string::npos &&
                         result.payload.find(wanted) != std::string::npos)) {
        return result.payload;
      }
    }
  }
  void Block(const std::string& user) {
    v1::BlockUserRequest request;
    request.set_user_id(user);
    v1::ControlResponse response;
    EXPECT_TRUE(Call(edge(), &Stub::BlockUser, request, &response).ok());
  }
  std::string Ready() {
    return RawExchange(edge().port(),
                       "GET /ready HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n");
  }

  std::unique_ptr<ingest::TestIngest> reader_;
};

TEST_F(AuditTest, LinesComeToTheTopicThoughAnIngestEnds) {
  StartCluster();
  BeastClient watcher;
  Watch(watcher);
  ASSERT_NE(watcher.Receive().payload.find("subscribed"), std::string::npos);
  Block("u1");
  EXPECT_THAT(LineWith(watcher, "u1"),
              AllOf(HasSubstr(R"("action":"BlockUser")"), HasSubstr(R"("node":"edge-a")"),
                    HasSubstr(R"("outcome":"ok")")));
  EXPECT_EQ(Refused(edge(), With(Token("u1"))), "user_blocked");
  EXPECT_THAT(LineWith(watcher, "connection_refused"),
              AllOf(HasSubstr(R"("actor":"u1")"), HasSubstr(R"("outcome":"user_blocked")")));

  ingests_[0]->app().Stop(std::chrono::milliseconds(0));
  Block("u2");
  EXPECT_THAT(LineWith(watcher, "u2"), HasSubstr(R"("action":"BlockUser")"));
  ingests_[1]->app().Stop(std::chrono::milliseconds(0));
}

// One id for all that a call causes, on whichever edge.
TEST_F(AuditTest, ACallsIdIsInTheLinesOfAllEdges) {
  StartIngests(1);
  const auto file = [this](const std::string& node) {
    return absl::StrCat(dir_.path(), "/", node);
  };
  for (const char* node : {"edge-a", "edge-b"}) {
    StartEdge(node, absl::StrCat("  audit: {file: {path: ", file(node), "}}\n"));
  }
  for (const auto& edge : edges_) ASSERT_TRUE(WaitForCluster(*edge, 3));
  v1::BlockUserRequest request;
  request.set_user_id("u1");
  v1::ControlResponse response;
  grpc::ClientContext context;
  context.AddMetadata("x-correlation-id", "ticket-4711");
  ASSERT_TRUE(edge().stub->BlockUser(&context, request, &response).ok());
  EXPECT_EQ(context.GetServerTrailingMetadata().count("x-correlation-id"), 1u);
  StopAll();
  const auto lines = [&](const std::string& node) {
    std::ifstream text(file(node));
    return std::string(std::istreambuf_iterator<char>(text), {});
  };
  EXPECT_THAT(lines("edge-a"),
              HasSubstr(R"("correlation_id":"ticket-4711","target":"user_id: \"u1\"")"));
  EXPECT_THAT(lines("edge-b"), AllOf(HasSubstr(R"("action":"ApplyControl")"),
                                     HasSubstr(R"("correlation_id":"ticket-4711")")));
}

TEST_F(AuditTest, AClusterWithoutATopicSaysThatLinesWait) {
  StartIngests(1);
  StartEdge("edge-a", "  audit: {kafka: true}\n");
  ASSERT_TRUE(WaitForCluster(edge(), 2));
  EXPECT_TRUE(WaitFor([&] { return Ready().find("audit_no_topic") != std::string::npos; }))
      << Ready();
  EXPECT_THAT(Ready(), HasSubstr(R"("audit":"unwritable")"));
}

}  // namespace
}  // namespace spillway::test
