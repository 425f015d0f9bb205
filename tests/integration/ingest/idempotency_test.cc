// Repeats of an idempotency key: what publishers are answered, and what links get, wherever reading
// begins.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "spillway/v1/publish.grpc.pb.h"
#include "tests/integration/ingest/link_peer.h"
#include "tests/integration/ingest/test_ingest.h"

namespace spillway::ingest {
namespace {

using ::testing::ElementsAre;

constexpr char kRoutes[] =
    "  routes:\n"
    "    - name: orders\n"
    "      topics: [orders]\n"
    "      idempotency_window: 50\n"
    "      emit: [{channels: [orders], type: order}]\n";

class IdempotencyTest : public testing::Test {
 protected:
  IdempotencyTest() {
    EmbeddedBroker::Options options;
    options.topics = {{"orders", 1}};
    broker_ = *EmbeddedBroker::Start(options);
    for (int i = 0; i < 3; ++i) {
      ingests_.push_back(std::make_unique<TestIngest>(*broker_, kRoutes));
    }
  }

  // By one of the ingests; the key may be empty.
  v1::PublishResult Publish(size_t ingest, const std::string& value, const std::string& key,
                            grpc::StatusCode expected = grpc::StatusCode::OK) {
    const auto stub = v1::PublishService::NewStub(
        grpc::CreateChannel(ingests_[ingest]->grpc(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::PublishRequest request;
    v1::Publication* publication = request.mutable_publication();
    publication->mutable_durable()->set_topic("orders");
    publication->mutable_durable()->set_value(value);
    publication->set_idempotency_key(key);
    v1::PublishResponse response;
    const grpc::Status status = stub->Publish(&context, request, &response);
    EXPECT_EQ(status.error_code(), expected) << status.error_message();
    return response.result();
  }
  // What a link gets of `count` events after an offset.
  std::vector<std::string> PayloadsAfter(size_t ingest, int64_t after, size_t count) {
    LinkPeer peer(ingests_[ingest]->grpc());
    EXPECT_TRUE(peer.ReadCatalogue(1));
    peer.Want(1, {"orders"}, true);
    peer.AttachAfter(peer.catalogue.topics(0).slots(0).slot(), 7, after);
    EXPECT_TRUE(peer.ReadEvents(count));
    std::vector<std::string> payloads;
    for (const v1::Event& event : peer.events()) payloads.push_back(event.payload());
    return payloads;
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::vector<std::unique_ptr<TestIngest>> ingests_;
};

TEST_F(IdempotencyTest, APublisherThatAsksAgainIsAnsweredWithTheFirst) {
  const v1::PublishResult first = Publish(0, "1", "key");
  EXPECT_FALSE(first.duplicate());
  const v1::PublishResult again = Publish(0, "1", "key");
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.position().offset(), first.position().offset());
  // Another ingest knows nothing of it, and writes it once more.
  const v1::PublishResult elsewhere = Publish(1, "1", "key");
  EXPECT_FALSE(elsewhere.duplicate());
  EXPECT_EQ(elsewhere.position().offset(), first.position().offset() + 1);
  Publish(0, "2", std::string(257, 'k'), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(IdempotencyTest, RepeatsYieldNothingWhereverReadingBegins) {
  Publish(0, "1", "a");  // 0
  Publish(1, "1", "a");  // 1: a repeat
  Publish(0, "2", "b");  // 2
  Publish(2, "1", "a");  // 3: a repeat
  Publish(0, "3", "");   // 4
  Publish(1, "3", "");   // 5: without a key it is a record like others
  EXPECT_THAT(PayloadsAfter(0, -1, 4), ElementsAre("1", "2", "3", "3"));
  // Begins between a record and its repeat, at an ingest that reads nothing yet.
  EXPECT_THAT(PayloadsAfter(1, 0, 3), ElementsAre("2", "3", "3"));
  EXPECT_THAT(PayloadsAfter(2, 2, 2), ElementsAre("3", "3"));
  // Below the log of a reader that runs: by a scan.
  EXPECT_THAT(PayloadsAfter(2, 0, 3), ElementsAre("2", "3", "3"));
}

}  // namespace
}  // namespace spillway::ingest
