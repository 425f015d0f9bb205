// Letting clients go by call, and telling them when to come back: a whole edge, over gRPC.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "common/rpc/client.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"

namespace spillway::test {
namespace {

using Stub = v1::AdminService::Stub;

class EdgeDrainTest : public EdgeTest {
 protected:
  void Start() {
    StartEdge(ingest_.address());
    ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
    stub_ = v1::AdminService::NewStub(*rpc::CreateChannel(
        absl::StrCat("127.0.0.1:", edge_->admin_port()), rpc::ChannelOptions()));
  }
  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return ((*stub_).*method)(&context, request, response);
  }

  FakeIngest ingest_{"ingest-1"};
  std::unique_ptr<Stub> stub_;
};

TEST_F(EdgeDrainTest, DrainsAndTakesItBack) {
  Start();
  BeastClient client;
  Connect(client);
  v1::DrainRequest request;
  request.set_node_id("edge-1");
  request.set_duration_ms(60'000);
  request.set_dry_run(true);
  v1::DrainResponse response;
  ASSERT_TRUE(Call(&Stub::Drain, request, &response).ok());
  EXPECT_EQ(response.stage(), v1::DRAIN_STAGE_SERVING);
  EXPECT_EQ(response.connections(), 1u);
  request.set_dry_run(false);
  ASSERT_TRUE(Call(&Stub::Drain, request, &response).ok());
  EXPECT_EQ(response.stage(), v1::DRAIN_STAGE_HANDING_OVER);
  EXPECT_THAT(client.Receive().payload, testing::HasSubstr(R"("type":"moving")"));
  ASSERT_TRUE(WaitForReady("\"draining\":true"));
  EXPECT_THAT(last_ready_, testing::HasSubstr("503 "));
  BeastClient refused;
  EXPECT_FALSE(refused.Connect(static_cast<uint16_t>(edge_->public_port()), {.path = "/ws"}));
  EXPECT_THAT(refused.body(), testing::HasSubstr("shutting_down"));
  v1::ListNodesResponse nodes;
  ASSERT_TRUE(Call(&Stub::ListNodes, v1::ListNodesRequest(), &nodes).ok());
  EXPECT_TRUE(nodes.nodes(0).draining());

  v1::UndrainRequest back;
  back.set_scope(v1::SCOPE_NODE);
  ASSERT_TRUE(Call(&Stub::Undrain, back, &response).ok());
  EXPECT_EQ(response.stage(), v1::DRAIN_STAGE_SERVING);
  EXPECT_EQ(client.Receive().payload, R"({"type":"staying"})");
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  EXPECT_THAT(last_ready_, testing::Not(testing::HasSubstr("draining")));
  BeastClient late;
  Connect(late);

  request.set_duration_ms(1);
  ASSERT_TRUE(Call(&Stub::Drain, request, &response).ok());
  for (BeastClient* one : {&client, &late}) {
    EXPECT_THAT(one->Receive().payload, testing::HasSubstr(R"("type":"moving")"));
    EXPECT_EQ(one->Receive().close_code, 1001);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (response.stage() != v1::DRAIN_STAGE_DRAINED &&
         std::chrono::steady_clock::now() < deadline) {
    edge_->Update();
    request.set_dry_run(true);
    response.Clear();
    ASSERT_TRUE(Call(&Stub::Drain, request, &response).ok());
  }
  EXPECT_EQ(response.stage(), v1::DRAIN_STAGE_DRAINED) << "and it is up";
}

TEST_F(EdgeDrainTest, DrainsTheNodeThatIsNamedAndNoOther) {
  Start();
  v1::DrainRequest request;
  v1::DrainResponse response;
  EXPECT_EQ(Call(&Stub::Drain, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  request.set_node_id("edge-2");
  EXPECT_EQ(Call(&Stub::Drain, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_scope(v1::SCOPE_NODE);
  EXPECT_EQ(Call(&Stub::Drain, request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
}

TEST_F(EdgeDrainTest, ThoseWhoAreDisconnectedByLabelAreToldWhenToComeBack) {
  endpoints_ = "{path: /ws, auth: {required: false}, labels: {device: '{header.x-device}'}}";
  Start();
  BeastClient phones[4];
  for (BeastClient& phone : phones) {
    ASSERT_TRUE(phone.Connect(static_cast<uint16_t>(edge_->public_port()),
                              {.path = "/ws", .headers = {{"X-Device", "phone"}}}));
    phone.Receive();
  }
  BeastClient other;
  Connect(other);
  v1::DisconnectRequest request;
  request.set_label("device=phone");
  request.mutable_reconnect()->set_after_ms(1'000);
  request.mutable_reconnect()->set_spread_ms(8'000);
  v1::DisconnectResponse response;
  ASSERT_TRUE(Call(&Stub::Disconnect, request, &response).ok());
  EXPECT_EQ(response.disconnected(), 4u);
  for (BeastClient& phone : phones) {
    EXPECT_THAT(phone.Receive().payload,
                testing::HasSubstr(R"({"type":"closing","reconnect":true,"after_ms":)"));
    EXPECT_EQ(phone.Receive().close_code, 4009);
  }
  request.set_all(true);
  request.mutable_reconnect()->Clear();
  request.mutable_reconnect()->set_never(true);
  ASSERT_TRUE(Call(&Stub::Disconnect, request, &response).ok());
  EXPECT_EQ(other.Receive().payload, R"({"type":"closing","reconnect":false})");
}

}  // namespace
}  // namespace spillway::test
