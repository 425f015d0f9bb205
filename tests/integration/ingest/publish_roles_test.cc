// Who may publish where, over real sockets.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/rpc/client.h"
#include "spillway/v1/control_service.grpc.pb.h"
#include "spillway/v1/link.grpc.pb.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "spillway/v1/read.grpc.pb.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/integration/ws/beast_client.h"

namespace spillway::ingest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PublishRoles : public testing::Test {
 protected:
  PublishRoles() {
    const auto channel = rpc::CreateChannel(ingest_.grpc());
    EXPECT_TRUE(channel.ok()) << channel.status();
    channel_ = *channel;
    stub_ = v1::PublishService::NewStub(channel_);
  }

  static v1::Publication Ephemeral(const std::vector<std::string>& channels) {
    v1::Publication publication;
    for (const std::string& channel : channels) {
      publication.mutable_ephemeral()->add_channels(channel);
    }
    publication.mutable_ephemeral()->set_payload("{}");
    return publication;
  }
  static v1::Publication Durable(const std::string& topic) {
    v1::Publication publication;
    publication.mutable_durable()->set_topic(topic);
    publication.mutable_durable()->set_value(R"({"symbol":"BTC"})");
    return publication;
  }
  void Prepare(grpc::ClientContext* context, const std::string& token) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    rpc::AddBearer(token, context);
  }
  // "" if it was published, else the head of what was wrong.
  std::string Publish(const v1::Publication& publication, const std::string& token) {
    grpc::ClientContext context;
    Prepare(&context, token);
    v1::PublishRequest request;
    *request.mutable_publication() = publication;
    v1::PublishResponse response;
    const grpc::Status status = stub_->Publish(&context, request, &response);
    message_ = status.error_message();
    return status.ok() ? "" : message_.substr(0, message_.find(':'));
  }

  TestIngest ingest_{
      "  embedded_broker: {enabled: true, topics: [{name: orders.eu, partitions: 1},"
      " {name: prices, partitions: 1}, {name: control, partitions: 1}]}\n"
      "  control: {topic: control, create: false, bearer_token: writer}\n"
      "  link: {bearer_token: edges}\n"
      "  publish:\n    http: true\n    bearer_token: all\n    callers:\n"
      "      - {name: shop, bearer_token: s-token, channels: ['shop:*', 'news'],"
      " topics: ['orders.*']}\n"
      "      - {name: ticker, bearer_token: t-token, topics: [prices]}\n"
      "  routes: [{name: r, topics: [prices], emit: [{channels: ['p:{/symbol}']}]}]\n"};
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PublishService::Stub> stub_;
  std::string message_;
};

TEST_F(PublishRoles, EachPublisherHasItsChannelsAndTopics) {
  EXPECT_EQ(Publish(Ephemeral({"shop:1", "news"}), "s-token"), "");
  EXPECT_EQ(Publish(Durable("orders.eu"), "s-token"), "");
  EXPECT_EQ(Publish(Durable("prices"), "t-token"), "");
  EXPECT_EQ(Publish(Ephemeral({"shop:1", "other"}), "s-token"), "publish_not_allowed");
  EXPECT_EQ(message_,
            "publish_not_allowed: shop may not publish to the channel other "
            "(ingest.publish.callers)");
  EXPECT_EQ(Publish(Ephemeral({"shop:1:2"}), "s-token"), "publish_not_allowed");
  EXPECT_EQ(Publish(Durable("prices"), "s-token"), "publish_not_allowed");
  EXPECT_EQ(Publish(Durable("orders.eu.x"), "s-token"), "publish_not_allowed");
  EXPECT_EQ(Publish(Durable("orders.eu\r\n"), "s-token"), "publish_bad_topic");
  EXPECT_EQ(Publish(Ephemeral({"shop:1"}), "t-token"), "publish_not_allowed");
  EXPECT_EQ(Publish(Ephemeral({"anything"}), "all"), "");
  EXPECT_EQ(Publish(Durable("prices"), "all"), "");
  EXPECT_EQ(Publish(Durable("prices"), ""), "no_credentials");
  EXPECT_EQ(Publish(Durable("prices"), "al"), "bad_credentials");
}

// Blocks are written by those who may, not by publishers.
TEST_F(PublishRoles, NobodyPublishesToTheControlTopic) {
  EXPECT_EQ(Publish(Durable("control"), "all"), "publish_not_allowed");
  EXPECT_THAT(message_, HasSubstr("written by edges alone"));
}

TEST_F(PublishRoles, BatchesAndStreamsAreHeldAgainstThemOneByOne) {
  grpc::ClientContext context;
  Prepare(&context, "s-token");
  v1::PublishBatchRequest batch;
  *batch.add_publications() = Ephemeral({"shop:1"});
  *batch.add_publications() = Ephemeral({"secret"});
  *batch.add_publications() = Durable("orders.eu");
  v1::PublishBatchResponse answers;
  ASSERT_TRUE(stub_->PublishBatch(&context, batch, &answers).ok());
  EXPECT_EQ(answers.results(0).error_code(), "");
  EXPECT_EQ(answers.results(1).error_code(), "publish_not_allowed");
  EXPECT_EQ(answers.results(1).status(), static_cast<int>(grpc::StatusCode::PERMISSION_DENIED));
  EXPECT_EQ(answers.results(2).error_code(), "");

  grpc::ClientContext streaming;
  Prepare(&streaming, "s-token");
  const auto stream = stub_->PublishStream(&streaming);
  std::string codes;
  for (const char* channel : {"shop:1", "secret", "news"}) {
    v1::PublishStreamRequest request;
    *request.mutable_publication() = Ephemeral({channel});
    ASSERT_TRUE(stream->Write(request));
    v1::PublishStreamResponse response;
    ASSERT_TRUE(stream->Read(&response));
    absl::StrAppend(&codes, response.result().error_code(), ";");
  }
  EXPECT_EQ(codes, ";publish_not_allowed;;");
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  grpc::ClientContext without;
  Prepare(&without, "");
  const auto refused = stub_->PublishStream(&without);
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(PublishRoles, OverHttpItIsTheSame) {
  const auto post = [this](const std::string& channel, const std::string& token) {
    const std::string body = absl::StrCat(R"({"publication":{"ephemeral":{"channels":[")", channel,
                                          R"("],"payload":"e30="}}})");
    return test::RawExchange(
        static_cast<uint16_t>(ingest_.app().ops_port()),
        absl::StrCat("POST /spillway.v1.PublishService/Publish HTTP/1.1\r\nHost: i\r\n",
                     "Content-Type: application/json\r\nAuthorization: Bearer ", token,
                     "\r\nConnection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  };
  EXPECT_THAT(post("shop:1", "s-token"), HasSubstr("200 OK"));
  EXPECT_THAT(post("other", "s-token"),
              AllOf(HasSubstr("403 "), HasSubstr("publish_not_allowed: shop may not")));
  EXPECT_THAT(post("shop:1", "x"), HasSubstr("401 "));
}

// A publisher's token opens the publish API alone, an edge's the link alone.
TEST_F(PublishRoles, EachTokenOpensItsDoorOnly) {
  EXPECT_EQ(Publish(Durable("prices"), "edges"), "bad_credentials");
  for (const char* token : {"", "all", "s-token", "writer", "edge", "edges1"}) {
    grpc::ClientContext context;
    Prepare(&context, token);
    const auto stream = v1::LinkService::NewStub(channel_)->Link(&context);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED) << token;
    grpc::ClientContext reading;
    Prepare(&reading, token);
    v1::HistoryRequest history;
    EXPECT_EQ(v1::ReadService::NewStub(channel_)->History(&reading, history)->Finish().error_code(),
              grpc::StatusCode::UNAUTHENTICATED)
        << token;
    if (std::string(token) == "writer") continue;
    grpc::ClientContext writing;
    Prepare(&writing, token);
    v1::WriteControlResponse written;
    EXPECT_EQ(v1::ControlService::NewStub(channel_)->Write(&writing, {}, &written).error_code(),
              grpc::StatusCode::UNAUTHENTICATED)
        << token;
  }
}

}  // namespace
}  // namespace spillway::ingest
