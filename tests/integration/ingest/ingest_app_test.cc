// A whole ingest on the mock broker, seen over gRPC: links, large records, slow edges, reads,
// publishing.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <string>

#include "spillway/v1/publish.grpc.pb.h"
#include "spillway/v1/read.grpc.pb.h"
#include "tests/integration/ingest/link_peer.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/integration/ws/beast_client.h"
#include "tests/support/metric_checks.h"

namespace spillway::ingest {
namespace {

constexpr char kRoutes[] =
    "  publish: {max_message_bytes: 16MiB}\n"
    "  limits: {max_event_bytes: 16MiB}\n"
    "  history: {bytes_per_partition: 8MiB}\n"
    "  routes:\n"
    "    - name: prices\n"
    "      topics: [prices]\n"
    "      emit:\n"
    "        - channels: ['p:{/symbol}']\n"
    "          type: price\n"
    "          key: '{/symbol}'\n"
    "          snapshot: {mode: by_key}\n";

class IngestAppTest : public testing::Test {
 protected:
  IngestAppTest() {
    EmbeddedBroker::Options options;
    options.topics = {{"prices", 1}};
    broker_ = *EmbeddedBroker::Start(options);
    ingest_ = std::make_unique<TestIngest>(*broker_, kRoutes);
    channel_ = [this] {
      grpc::ChannelArguments arguments;
      arguments.SetMaxSendMessageSize(-1);
      return grpc::CreateCustomChannel(ingest_->grpc(), grpc::InsecureChannelCredentials(),
                                       arguments);
    }();
    publisher_ = v1::PublishService::NewStub(channel_);
    reader_ = v1::ReadService::NewStub(channel_);
  }

  grpc::Status Publish(const v1::Publication& publication, v1::PublishResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::PublishRequest request;
    *request.mutable_publication() = publication;
    return publisher_->Publish(&context, request, response);
  }
  int64_t PublishPrice(const std::string& symbol, const std::string& pad = "") {
    v1::Publication publication;
    publication.mutable_durable()->set_topic("prices");
    publication.mutable_durable()->set_key(symbol);
    publication.mutable_durable()->set_value("{\"symbol\":\"" + symbol + "\",\"pad\":\"" + pad +
                                             "\"}");
    v1::PublishResponse response;
    const grpc::Status status = Publish(publication, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.result().position().offset();
  }
  static uint32_t SlotOf(const LinkPeer& peer) { return peer.catalogue.topics(0).slots(0).slot(); }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<TestIngest> ingest_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PublishService::Stub> publisher_;
  std::unique_ptr<v1::ReadService::Stub> reader_;
};

// With a broker of its own: to others' mock brokers a topic that is named comes into being.
TEST(IngestAppEmbedded, TellsTheCatalogueAndWhatIsMissing) {
  TestIngest ingest(
      "  embedded_broker: {enabled: true, topics: [{name: prices, partitions: 1}]}\n"
      "  catalogue_refresh: 1s\n"
      "  routes: [{name: r, topics: [prices, missing], emit: [{channels: ['p:{/symbol}']}]}]\n");
  LinkPeer peer(ingest.grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  EXPECT_EQ(peer.catalogue.topics(0).topic(), "prices");
  EXPECT_FALSE(peer.catalogue.topics(0).slots(0).young());
  ASSERT_EQ(peer.catalogue.problems_size(), 1);
  EXPECT_EQ(peer.catalogue.problems(0).topic(), "missing");
  EXPECT_EQ(peer.catalogue.problems(0).code(), "missing");
  // It appears while the link is open.
  ASSERT_TRUE(ingest.app().embedded_broker()->CreateTopic("missing", 2).ok());
  ASSERT_TRUE(peer.ReadCatalogue(2));
  EXPECT_EQ(peer.catalogue.problems_size(), 0);
  EXPECT_EQ(peer.catalogue.topics(0).topic(), "missing");
  EXPECT_TRUE(peer.catalogue.topics(0).slots(0).young());
}

TEST(IngestAppEmbedded, ExportsEveryMetricThatIsDeclared) {
  TestIngest ingest(
      "  embedded_broker: {enabled: true, topics: [{name: prices, partitions: 1}, {name: dead, "
      "partitions: 1}]}\n"
      "  dead_letter_topic: dead\n"
      "  routes: [{name: r, topics: [prices], emit: [{channels: ['p:{/symbol}']}]}]\n");
  LinkPeer peer(ingest.grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.AttachEnd(peer.catalogue.topics(0).slots(0).slot(), 1);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_attached(); }));
  // Some families have series only once a record was rejected.
  grpc::ClientContext context;
  v1::PublishRequest request;
  request.mutable_publication()->mutable_durable()->set_topic("prices");
  request.mutable_publication()->mutable_durable()->set_value("not JSON");
  v1::PublishResponse response;
  const auto publisher = v1::PublishService::NewStub(
      grpc::CreateChannel(ingest.grpc(), grpc::InsecureChannelCredentials()));
  ASSERT_TRUE(publisher->Publish(&context, request, &response).ok());
  const IngestFamilies families;
  std::string metrics;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  do {
    metrics = test::RawExchange(static_cast<uint16_t>(ingest.app().ops_port()),
                                "GET /metrics HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n");
  } while (!test::Unexported(families.all, metrics).empty() &&
           std::chrono::steady_clock::now() < deadline);
  EXPECT_THAT(test::Unexported(families.all, metrics), testing::IsEmpty());
  EXPECT_THAT(metrics, testing::HasSubstr("spillway_metrics_rejected_total 0\n"));
}

TEST_F(IngestAppTest, SendsWhatIsWantedInOrderAndOnlyThat) {
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.Want(1, {"p:BTC"}, true);
  peer.AttachEnd(SlotOf(peer), 7);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_attached(); }));
  for (int i = 0; i < 20; ++i) PublishPrice(i % 2 == 0 ? "BTC" : "ETH");
  ASSERT_TRUE(peer.ReadEvents(10));
  int64_t last = -1;
  for (const v1::Event& event : peer.events()) {
    EXPECT_EQ(event.channels(0), "p:BTC");
    EXPECT_EQ(event.type(), "price");
    EXPECT_GT(event.offset(), last);
    last = event.offset();
  }
  for (const v1::Batch& batch : peer.batches) {
    for (const v1::Progress& progress : batch.progress()) EXPECT_EQ(progress.attach_id(), 7u);
  }
}

TEST_F(IngestAppTest, AttachesAfterAPosition) {
  for (int i = 0; i < 5; ++i) PublishPrice("BTC");
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.Want(1, {"p:BTC"}, true);
  peer.AttachAfter(SlotOf(peer), 1, 1);
  ASSERT_TRUE(peer.ReadEvents(3));
  EXPECT_EQ(peer.events()[0].offset(), 2);
}

// Just under what the mock broker keeps of a partition; larger ones are for the tests on real
// Kafka.
TEST_F(IngestAppTest, ALargeRecordPassesInPartsAndTheLinkLives) {
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.Want(1, {"p:BTC"}, true);
  peer.AttachEnd(SlotOf(peer), 1);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_attached(); }));
  PublishPrice("BTC", std::string(4 << 20, 'x'));
  PublishPrice("BTC");
  ASSERT_TRUE(peer.ReadEvents(2));
  EXPECT_GT(peer.parts, 3);
  EXPECT_GT(peer.events()[0].payload().size(), 4u << 20);
  EXPECT_LT(peer.events()[1].payload().size(), 100u);
}

// What an edge without credit has missed is read again for it once it takes batches, another one
// does not notice. Here Kafka has removed it meanwhile: that is told as a gap, and the link lives.
TEST_F(IngestAppTest, ASlowEdgeIsReadAgainWhatItMissedAndOthersDoNotNotice) {
  LinkPeer slow(ingest_->grpc(), /*credit=*/1);
  LinkPeer quick(ingest_->grpc());
  for (LinkPeer* peer : {&slow, &quick}) {
    ASSERT_TRUE(peer->ReadCatalogue(1));
    peer->Want(1, {"p:BTC"}, true);
    peer->AttachEnd(SlotOf(*peer), 1);
    ASSERT_TRUE(peer->ReadUntil([](const v1::LinkResponse& r) { return r.has_attached(); }));
  }
  const std::string pad(1 << 20, 'x');  // 20 MiB pass a log of 8, and what the mock broker keeps
  for (int i = 0; i < 20; ++i) {
    PublishPrice("BTC", pad);
    ASSERT_TRUE(quick.ReadEvents(static_cast<size_t>(i) + 1));
  }
  // Its one batch of credit arrives; then the hole behind it is found.
  ASSERT_TRUE(slow.ReadEvents(1));
  v1::LinkRequest credit;
  credit.mutable_credit()->set_bytes(1 << 30);
  slow.Send(credit);
  ASSERT_TRUE(slow.ReadUntil([](const v1::LinkResponse& r) { return r.has_attach_refused(); }));
  const int64_t taken = slow.events().back().offset();
  slow.AttachAfter(SlotOf(slow), 2, taken);
  v1::Attached attached;
  ASSERT_TRUE(slow.ReadUntil([&](const v1::LinkResponse& r) {
    attached = r.attached();
    return r.has_attached();
  }));
  EXPECT_EQ(attached.gap().from(), taken + 1);
  EXPECT_EQ(attached.gap().reason(), "retention");
  ASSERT_TRUE(slow.ReadUntil([](const v1::LinkResponse& r) {
    return r.has_batch() && !r.batch().events().empty() &&
           r.batch().events().rbegin()->offset() == 19;
  }));
}

TEST_F(IngestAppTest, AnswersMisbehaviour) {
  {
    grpc::ClientContext context;
    auto stub = v1::LinkService::NewStub(channel_);
    auto stream = stub->Link(&context);
    v1::LinkRequest request;
    request.mutable_credit()->set_bytes(1);
    stream->Write(request);
    v1::LinkResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  }
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.AttachEnd(4711, 1);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) {
    return r.has_attach_refused() && r.attach_refused().code() == "unknown_slot";
  }));
}

TEST_F(IngestAppTest, ReadsASnapshot) {
  for (const char* symbol : {"BTC", "ETH", "BTC"}) PublishPrice(symbol);
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_hello(); }));
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.AttachEnd(SlotOf(peer), 1);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) { return r.has_attached(); }));

  v1::SnapshotRequest request;
  request.set_channel("p:BTC");
  request.set_node_id(ingest_->app().node_id());
  request.add_not_before()->set_slot(SlotOf(peer));
  request.mutable_not_before(0)->set_offset(2);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  auto stream = reader_->Snapshot(&context, request);
  v1::ReadResponse response, last;
  std::vector<int64_t> offsets;
  while (stream->Read(&response)) {
    for (const v1::Event& event : response.events()) offsets.push_back(event.offset());
    last = response;
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(offsets, testing::ElementsAre(2));
  EXPECT_TRUE(last.last());
  EXPECT_TRUE(last.complete());
  ASSERT_EQ(last.as_of_size(), 1);
  EXPECT_EQ(last.as_of(0).offset(), 2);

  // Slot numbers are one ingest's own.
  request.set_node_id("another");
  grpc::ClientContext other;
  auto refused = reader_->Snapshot(&other, request);
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(IngestAppTest, PublishesEphemerallyToWhoeverWantsIt) {
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  peer.Want(1, {"p:BTC"}, true);
  ASSERT_TRUE(peer.ReadUntil(
      [](const v1::LinkResponse& r) { return r.has_beat() && r.beat().interest_sequence() == 1; }));
  v1::Publication publication;
  publication.mutable_ephemeral()->add_channels("p:BTC");
  publication.mutable_ephemeral()->set_type("tick");
  publication.mutable_ephemeral()->set_payload("{}");
  v1::PublishResponse response;
  ASSERT_TRUE(Publish(publication, &response).ok());
  EXPECT_EQ(response.result().edges(), 1u);
  ASSERT_TRUE(peer.ReadUntil([](const v1::LinkResponse& r) {
    return r.has_ephemeral() && r.ephemeral().first() == 1 &&
           r.ephemeral().events(0).type() == "tick";
  }));
  publication.mutable_ephemeral()->set_channels(0, "p:DOGE");
  ASSERT_TRUE(Publish(publication, &response).ok());
  EXPECT_EQ(response.result().edges(), 0u);
}

TEST_F(IngestAppTest, RefusesBadPublicationsWithTheirCodes) {
  const auto code_of = [&](const v1::Publication& publication) {
    v1::PublishResponse response;
    const grpc::Status status = Publish(publication, &response);
    return status.error_message().substr(0, status.error_message().find(':'));
  };
  v1::Publication publication;
  EXPECT_EQ(code_of(publication), "publish_missing_kind");
  publication.mutable_durable();
  EXPECT_EQ(code_of(publication), "publish_bad_topic");
  publication.mutable_durable()->set_topic("prices");
  publication.mutable_durable()->set_value(std::string((16 << 20) + 1, 'x'));
  EXPECT_EQ(code_of(publication), "publish_too_large");
  publication.mutable_ephemeral();
  EXPECT_EQ(code_of(publication), "publish_bad_channels");
  publication.mutable_ephemeral()->add_channels("p:*");
  EXPECT_EQ(code_of(publication), "publish_bad_channels");
  publication.mutable_ephemeral()->set_channels(0, "p:BTC");
  publication.mutable_ephemeral()->set_payload("{");
  EXPECT_EQ(code_of(publication), "publish_bad_payload");
}

TEST_F(IngestAppTest, APublishBatchAnswersEachOne) {
  v1::PublishBatchRequest request;
  for (int i = 0; i < 3; ++i) {
    v1::Publication* publication = request.add_publications();
    publication->mutable_durable()->set_topic(i == 1 ? "" : "prices");
    publication->mutable_durable()->set_value("{\"symbol\":\"A\"}");
  }
  grpc::ClientContext context;
  v1::PublishBatchResponse response;
  ASSERT_TRUE(publisher_->PublishBatch(&context, request, &response).ok());
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_EQ(response.results(0).status(), 0);
  EXPECT_EQ(response.results(1).error_code(), "publish_bad_topic");
  EXPECT_EQ(response.results(2).position().offset(), 1);
}

TEST_F(IngestAppTest, APublishStreamAnswersInOrder) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  auto stream = publisher_->PublishStream(&context);
  constexpr uint64_t kCount = 3000;  // more than may be pending
  std::thread writer([&] {
    for (uint64_t id = 1; id <= kCount; ++id) {
      v1::PublishStreamRequest request;
      request.set_id(id);
      request.mutable_publication()->mutable_durable()->set_topic(id % 100 == 0 ? "" : "prices");
      request.mutable_publication()->mutable_durable()->set_value("{\"symbol\":\"A\"}");
      if (!stream->Write(request)) break;
    }
    stream->WritesDone();
  });
  v1::PublishStreamResponse response;
  uint64_t last = 0;
  int64_t offset = -1;
  while (stream->Read(&response)) {
    EXPECT_EQ(response.id(), ++last);
    if (response.id() % 100 == 0) {
      EXPECT_EQ(response.result().error_code(), "publish_bad_topic");
    } else {
      EXPECT_EQ(response.result().position().offset(), ++offset);
    }
  }
  writer.join();
  EXPECT_EQ(last, kCount);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(IngestAppTest, SaysWhenKafkaIsAway) {
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  ASSERT_TRUE(peer.ReadUntil(
      [](const v1::LinkResponse& r) { return r.has_beat() && r.beat().kafka_up(); }));
  broker_->SetDown();
  ASSERT_TRUE(peer.ReadUntil(
      [](const v1::LinkResponse& r) { return r.has_beat() && !r.beat().kafka_up(); }));
  v1::Publication publication;
  publication.mutable_durable()->set_topic("prices");
  publication.mutable_durable()->set_value("{}");
  v1::PublishResponse response;
  EXPECT_EQ(Publish(publication, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  broker_->SetUp();
  ASSERT_TRUE(peer.ReadUntil(
      [](const v1::LinkResponse& r) { return r.has_beat() && r.beat().kafka_up(); }));
}

// A slot that waits for Kafka is looked up twice a second, also while the prober waits for its last
// answer: the test fails by crashing.
TEST_F(IngestAppTest, StopsWhileKafkaIsAway) {
  LinkPeer peer(ingest_->grpc());
  ASSERT_TRUE(peer.ReadCatalogue(1));
  broker_->SetDown();
  ASSERT_TRUE(peer.ReadUntil(
      [](const v1::LinkResponse& r) { return r.has_beat() && !r.beat().kafka_up(); }));
  peer.AttachEnd(SlotOf(peer), 1);
  ASSERT_TRUE(peer.ReadUntil(
      [](const v1::LinkResponse& r) { return r.has_beat() && r.beat().readers_size() == 1; }));
  ingest_.reset();
}

}  // namespace
}  // namespace spillway::ingest
