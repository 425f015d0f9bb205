// An ingest's own audit log: who was refused what.

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "tests/integration/ingest/test_ingest.h"

namespace spillway::ingest {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(IngestAuditTest, SaysWhoWasRefusedWhat) {
  const test::TempDir dir;
  const std::string path = dir.path() + "/audit";
  TestIngest ingest(
      absl::StrCat("  embedded_broker: {enabled: true, topics: [{name: prices, partitions: 1}]}\n"
                   "  publish: {bearer_token: publishers-token}\n"
                   "  audit: {file: {path: ",
                   path, "}}\n"));
  const auto stub = v1::PublishService::NewStub(
      grpc::CreateChannel(ingest.grpc(), grpc::InsecureChannelCredentials()));
  const auto publish = [&](const std::string& token, const std::string& topic) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    context.AddMetadata("x-correlation-id", "ticket-1");
    v1::PublishRequest request;
    request.mutable_publication()->mutable_durable()->set_topic(topic);
    request.mutable_publication()->mutable_durable()->set_value("a payload");
    v1::PublishResponse response;
    return stub->Publish(&context, request, &response).error_code();
  };
  EXPECT_EQ(publish("publishers-token", "prices"), grpc::StatusCode::OK);
  EXPECT_EQ(publish("publishers-token", std::string(250, 'x')), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(publish("somebody-elses", "prices"), grpc::StatusCode::UNAUTHENTICATED);
  ingest.app().Stop(std::chrono::seconds(5));
  std::ifstream file(path);
  const std::string lines(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(
      lines,
      AllOf(HasSubstr(R"("action":"publish_refused")"), HasSubstr(R"("correlation_id":"ticket-1")"),
            HasSubstr(R"("outcome":"publish_bad_topic")"), HasSubstr(R"("action":"call_refused")"),
            HasSubstr(R"("action":"log_stopped")")));
  EXPECT_THAT(lines, AllOf(Not(HasSubstr("payload")), Not(HasSubstr("publishers-token")),
                           Not(HasSubstr("somebody-elses"))));
}

}  // namespace
}  // namespace spillway::ingest
