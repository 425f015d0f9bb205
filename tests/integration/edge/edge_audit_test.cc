// An edge's audit log: from what clients and operators do to lines of a file.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "common/rpc/client.h"
#include "spillway/v1/admin.grpc.pb.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"

namespace spillway::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class EdgeAuditTest : public EdgeTest {
 protected:
  std::string Lines() {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string Audit(const std::string& more = "") {
    return absl::StrCat("  audit: {file: {path: ", path_, "}", more, "}\n");
  }

  const std::string path_ = dir_.path() + "/audit.jsonl";
  FakeIngest ingest_{"ingest-1"};
};

TEST_F(EdgeAuditTest, SaysWhoWasKeptOutAndWhatOperatorsDid) {
  endpoints_ =
      "{path: /ws, auth: {required: false}}, {path: /private, auth: {secret: "
      "'x-secret-of-some-length-01234567'}}";
  StartEdge(ingest_.address(), Audit(", connections: true"));
  BeastClient refused;
  EXPECT_FALSE(refused.Connect(static_cast<uint16_t>(edge_->public_port()),
                               {.path = "/private?token=worthless%0A\"token"}));
  BeastClient client;
  Connect(client);
  {
    const auto channel = *rpc::CreateChannel(absl::StrCat("127.0.0.1:", edge_->admin_port()));
    const auto stub = v1::AdminService::NewStub(channel);
    v1::DisconnectRequest request;
    request.set_all(true);
    request.set_reason("two\nlines");
    v1::DisconnectResponse response;
    grpc::ClientContext context;
    context.AddMetadata("x-correlation-id", "ticket-4711");
    ASSERT_TRUE(stub->Disconnect(&context, request, &response).ok());
  }
  client.Receive();
  edge_->Stop(std::chrono::seconds(5));
  const std::string lines = Lines();
  EXPECT_THAT(
      lines,
      AllOf(HasSubstr(R"("action":"log_started")"), HasSubstr(R"("action":"connection_refused")"),
            HasSubstr(R"("target":"/private","outcome":"token_malformed")"),
            HasSubstr(R"("action":"connection_opened")"), HasSubstr(R"("action":"Disconnect")"),
            HasSubstr(R"("correlation_id":"ticket-4711")"), HasSubstr(R"("outcome":"ok")"),
            HasSubstr(R"("action":"connection_closed")"), HasSubstr(R"("action":"log_stopped")"),
            Not(HasSubstr("worthless"))));
  // One line for each: what an operator wrote in two is one.
  for (size_t begin = 0; begin < lines.size(); begin = lines.find('\n', begin) + 1) {
    EXPECT_TRUE(lines.substr(begin).starts_with("{\"type\":\"audit\",\"time\":\"")) << lines;
  }
}

TEST_F(EdgeAuditTest, AFileThatCannotBeWrittenToIsAnErrorAtStart) {
  const auto edge = edge::EdgeApp::Start(
      Config(ingest_.address(), "  audit: {file: {path: /nowhere/at/all}}\n"), Clock::Real());
  EXPECT_TRUE(absl::IsInvalidArgument(edge.status()));
  EXPECT_TRUE(absl::StartsWith(edge.status().message(), "edge.audit.file.path: ")) << edge.status();
}

TEST_F(EdgeAuditTest, ItsStateIsInReadinessAndMetrics) {
  StartEdge(ingest_.address(), Audit());
  EXPECT_TRUE(WaitForReady(R"("audit":"written")"));
  EXPECT_THAT(Get(edge_->ops_port(), "/metrics"),
              HasSubstr("spillway_edge_audit_lines_waiting{output=\"file\"}"));
}

}  // namespace
}  // namespace spillway::test
