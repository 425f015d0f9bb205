// Both tiers in one process on the mock broker, real gRPC and real WebSockets between them: every
// client gets every event of its channel once and in order, whatever happens to the ingests
// meanwhile.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "services/edge/app/edge_app.h"
#include "services/ingest/kafka/producer.h"
#include "spillway/v1/publish.grpc.pb.h"
#include "tests/integration/delivery/two_tiers_client.h"
#include "tests/integration/ingest/test_ingest.h"
#include "tests/integration/ws/beast_client.h"
#include "tests/support/lasting_port.h"
#include "tests/support/temp_dir.h"

namespace spillway {
namespace {

constexpr int kPartitions = 4;
constexpr char kRoutes[] =
    "  publish: {max_message_bytes: 6MiB}\n"
    "  routes:\n"
    "    - name: ticks\n"
    "      topics: [ticks]\n"
    "      emit:\n"
    "        - channels: ['all', 'key:{key}']\n"
    "          type: tick\n"
    "          snapshot: {mode: by_key}\n";

class TwoTiersTest : public testing::Test {
 protected:
  TwoTiersTest() {
    ingest::EmbeddedBroker::Options options;
    options.topics = {{"ticks", kPartitions}};
    broker_ = *ingest::EmbeddedBroker::Start(options);
    ingest::KafkaSettings kafka;
    kafka.brokers = broker_->bootstrap();
    producer_ = *ingest::Producer::Create(kafka, {});
  }
  ~TwoTiersTest() override {
    if (edge_ != nullptr) edge_->Stop(std::chrono::seconds(5));
  }

  void StartIngests(int count) {
    for (int i = 0; i < count; ++i) {
      ingests_.push_back(
          std::make_unique<ingest::TestIngest>(*broker_, kRoutes, test::LastingAddress()));
    }
  }
  void StartEdge() {
    std::string addresses;
    for (const auto& ingest : ingests_)
      absl::StrAppend(&addresses, addresses.empty() ? "" : ",", ingest->grpc());
    const std::string path = dir_.Write(
        "edge.yaml", absl::StrCat("edge:\n  threads: 2\n  listen: 127.0.0.1:0\n"
                                  "  ops_listen: 127.0.0.1:0\n  admin: {listen: '127.0.0.1:0'}\n"
                                  "  ingests: {addresses: [",
                                  addresses,
                                  "]}\n"
                                  "  control: {wait: 0}\n"
                                  "  endpoints: [{path: /ws, auth: {required: false}}]\n"
                                  "  channels:\n"
                                  "    - {pattern: 'typing.*', access: anyone, ephemeral: true}\n"
                                  "    - {pattern: '**', access: anyone, snapshot: true, patterns: "
                                  "true}\n"));
    config::Sources sources;
    sources.files = {path};
    sources.sections = {"edge"};
    auto loaded = config::Load(sources, config::Environment::Real());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    loaded->config.mutable_edge()->set_node_id("edge");
    auto edge = edge::EdgeApp::Start(loaded->config.edge(), Clock::Real());
    ASSERT_TRUE(edge.ok()) << edge.status();
    edge_ = *std::move(edge);
    ASSERT_TRUE(WaitForAttached());
  }
  static bool WaitFor(const std::function<bool()>& condition) {
    for (int tries = 0; tries < 2000 && !condition(); ++tries) usleep(10'000);
    return condition();
  }
  // What comes before, a client that waited in vain to be attached may miss, and is not told.
  bool WaitForAttached() {
    return WaitFor([this] {
      const auto status = edge_->upstream().status().upstream;
      const auto attached = std::count_if(status->slots.begin(), status->slots.end(),
                                          [](const auto& slot) { return slot.attached; });
      return status->catalogue_complete && attached == kPartitions;
    });
  }
  // Until the edge is linked with so many ingests, and they know what it wants.
  bool WaitForLinks(ptrdiff_t count) {
    return WaitFor([this, count] {
      const auto status = edge_->upstream().status().upstream;
      return std::count_if(status->links.begin(), status->links.end(),
                           [](const auto& link) { return link.interest_in_force; }) >= count;
    });
  }
  uint16_t port() const { return static_cast<uint16_t>(edge_->public_port()); }

  // Publishes number `n` and waits for the acknowledgement, so that a test sets the pace by
  // counting.
  void Publish(int64_t n, const std::string& pad = "") {
    const std::string key = absl::StrCat(n % 7);
    const std::string value = absl::StrCat("{\"n\":", n, ",\"pad\":\"", pad, "\"}");
    ingest::ProduceRequest request;
    request.topic = "ticks";
    request.key = key;
    request.value = value;
    std::atomic<bool> done{false};
    bool ok = false;
    const absl::Status status =
        producer_->Produce(request, [&](absl::StatusOr<ingest::ProducedAt> at) {
          ok = at.ok();
          done.store(true);
          done.notify_one();
        });
    ASSERT_TRUE(status.ok()) << status;
    done.wait(false);
    ASSERT_TRUE(ok);
  }

  std::unique_ptr<ingest::EmbeddedBroker> broker_;
  std::unique_ptr<ingest::Producer> producer_;
  std::vector<std::unique_ptr<ingest::TestIngest>> ingests_;
  test::TempDir dir_;
  std::unique_ptr<edge::EdgeApp> edge_;
};

void Expect(const Client& client, size_t events) {
  for (const std::string& line : client.seen().wrong) ADD_FAILURE() << line;
  EXPECT_EQ(client.seen().gaps, 0);
  EXPECT_EQ(client.seen().numbers.size(), events);
}

TEST_F(TwoTiersTest, EveryClientGetsEveryEventOnceAndInOrder) {
  StartIngests(1);
  StartEdge();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<Client>(port(), "all", false));
  Client one_key(port(), "key:3", false);
  std::vector<std::thread> threads;
  for (auto& client : clients) {
    threads.emplace_back([&client] { client->ReceiveUntil(350); });
  }
  threads.emplace_back([&one_key] { one_key.ReceiveUntil(50); });
  for (int64_t n = 0; n < 350; ++n) Publish(n);
  for (std::thread& thread : threads) thread.join();
  for (const auto& client : clients) Expect(*client, 350);
  Expect(one_key, 50);
}

TEST_F(TwoTiersTest, TheFirstSubscriberAnywhereGetsASnapshot) {
  StartIngests(1);
  for (int64_t n = 0; n < 21; ++n) Publish(n);  // the last 7 are the latest of each key
  StartEdge();
  Client client(port(), "all", true);
  client.ReceiveUntil(7);
  for (int64_t n = 21; n < 28; ++n) Publish(n);
  client.ReceiveUntil(14);
  Expect(client, 14);
  for (int64_t n = 14; n < 28; ++n) EXPECT_TRUE(client.seen().numbers.contains(n)) << n;
}

// Above what gRPC lets pass by default, on each way there is: live, in a snapshot, ephemerally.
// Just under what the mock broker keeps of a partition.
TEST_F(TwoTiersTest, AnEventOfMoreThanFourMebibytesPassesEverywhere) {
  const std::string pad((4 << 20) + (256 << 10), 'x');
  StartIngests(1);
  StartEdge();
  Client live(port(), "key:1", false);
  Publish(1, pad);
  live.ReceiveUntil(1);
  Expect(live, 1);
  Client joiner(port(), "key:1", true);
  joiner.ReceiveUntil(1);
  Expect(joiner, 1);

  v1::PublishRequest request;
  v1::EphemeralPublication* ephemeral = request.mutable_publication()->mutable_ephemeral();
  ephemeral->add_channels("key:1");
  ephemeral->set_payload(absl::StrCat("{\"n\":2,\"pad\":\"", pad, "\"}"));
  const auto publisher = v1::PublishService::NewStub(
      grpc::CreateChannel(ingests_[0]->grpc(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::PublishResponse response;
  const grpc::Status status = publisher->Publish(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  live.ReceiveUntil(2);
  Publish(8);  // the link lives
  live.ReceiveUntil(3);
  Expect(live, 3);
}

// What is not in Kafka is lost with the link: those who want to know of it are told.
TEST_F(TwoTiersTest, ThatEphemeralEventsMayBeLostIsTold) {
  StartIngests(1);
  StartEdge();
  ASSERT_TRUE(WaitForLinks(1));
  test::BeastClient client;
  test::BeastClient::Options options;
  options.path = "/ws";
  ASSERT_TRUE(client.Connect(port(), options)) << client.body();
  client.Send(R"({"type":"subscribe","channels":["typing.1","key:1"],"snapshot":false})");
  simdjson::dom::parser parser;
  // The next messages' types, without those about positions.
  const auto next = [&]() -> std::string {
    for (;;) {
      const test::ClientResult message = client.Receive();
      if (!message.ok) return "closed: " + message.close_reason;
      const simdjson::dom::element root = parser.parse(message.payload);
      std::string_view channel;
      const std::string type(root["type"].get_string().value());
      if (type == "connected" || type == "joined" || type == "snapshot") continue;
      if (root["channel"].get(channel) != simdjson::SUCCESS) return type;
      return absl::StrCat(type, " ", std::string(channel));
    }
  };
  EXPECT_EQ((std::set<std::string>{next(), next()}),
            (std::set<std::string>{"subscribed typing.1", "subscribed key:1"}));
  v1::PublishRequest request;
  request.mutable_publication()->mutable_ephemeral()->add_channels("typing.1");
  request.mutable_publication()->mutable_ephemeral()->set_payload("{}");
  const auto publisher = v1::PublishService::NewStub(
      grpc::CreateChannel(ingests_[0]->grpc(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::PublishResponse response;
  ASSERT_TRUE(publisher->Publish(&context, request, &response).ok());
  EXPECT_EQ(next(), "event typing.1");
  ingests_[0].reset();
  EXPECT_EQ(next(), "ephemeral_gap typing.1");
  client.Send(R"({"type":"ping"})");
  EXPECT_EQ(next(), "pong") << "nothing of the other channel";
}

TEST_F(TwoTiersTest, APatternGetsWhatItsChannelsHaveOnce) {
  StartIngests(2);
  StartEdge();
  Client keys(port(), "key:*", false);
  Client both(port(), "*l*", false);
  Client one(port(), "key:3", false);
  constexpr int64_t kEvents = 210;
  std::vector<std::thread> threads;
  for (Client* client : {&keys, &both}) {
    threads.emplace_back([client] { client->ReceiveUntil(kEvents); });
  }
  threads.emplace_back([&one] { one.ReceiveUntil(kEvents / 7); });
  for (int64_t n = 0; n < kEvents; ++n) {
    if (n == 100) ingests_[0].reset();
    Publish(n);
  }
  for (std::thread& thread : threads) thread.join();
  Expect(keys, kEvents);
  Expect(both, kEvents);
  Expect(one, kEvents / 7);
  std::set<std::string> expected;
  for (int n = 0; n < 7; ++n) expected.insert(absl::StrCat("key:", n, " by key:*"));
  EXPECT_EQ(keys.seen().names, expected);
  EXPECT_EQ(both.seen().names, std::set<std::string>{"all by *l*"});
  EXPECT_EQ(one.seen().names, std::set<std::string>{"key:3 by itself"});

  // What is of each of its channels is in its snapshot.
  Client joiner(port(), "key:*", true);
  joiner.ReceiveUntil(7);
  for (int64_t n = kEvents - 7; n < kEvents; ++n) EXPECT_TRUE(joiner.seen().numbers.contains(n));
  v1::PublishRequest request;
  v1::EphemeralPublication* ephemeral = request.mutable_publication()->mutable_ephemeral();
  for (const char* channel : {"key:5", "key:6"}) ephemeral->add_channels(channel);
  ephemeral->set_payload("{\"n\":9999}");
  const auto publisher = v1::PublishService::NewStub(
      grpc::CreateChannel(ingests_[1]->grpc(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::PublishResponse response;
  ASSERT_TRUE(publisher->Publish(&context, request, &response).ok());
  Publish(kEvents);
  for (Client* client : {&keys, &joiner}) {
    client->ReceiveUntil(client->seen().numbers.size() + 2);
    EXPECT_TRUE(client->seen().numbers.contains(9999));
    EXPECT_TRUE(client->seen().numbers.contains(kEvents));
    for (const std::string& line : client->seen().wrong) ADD_FAILURE() << line;
  }
  EXPECT_TRUE(joiner.seen().names.contains("key:5 by key:*")) << "the first of its channels";
  EXPECT_FALSE(joiner.seen().names.contains("key:6 by key:*"));

  test::BeastClient stranger;
  test::BeastClient::Options options;
  options.path = "/ws";
  ASSERT_TRUE(stranger.Connect(port(), options)) << stranger.body();
  stranger.Receive();
  stranger.Send(R"({"type":"subscribe","channels":["**"]})");
  EXPECT_NE(stranger.Receive().payload.find("pattern_not_allowed"), std::string::npos);
}

TEST_F(TwoTiersTest, IngestsGoAndComeWhileEventsFlow) {
  StartIngests(3);
  StartEdge();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(std::make_unique<Client>(port(), "all", false));
  constexpr int64_t kEvents = 900;
  std::vector<std::thread> threads;
  for (auto& client : clients) {
    threads.emplace_back([&client] { client->ReceiveUntil(kEvents); });
  }
  const std::string address = ingests_[0]->grpc();
  for (int64_t n = 0; n < kEvents; ++n) {
    if (n == 200) ingests_[0].reset();  // its links break; its partitions go elsewhere
    if (n == 400) {                     // another one takes its place and is found
      ingests_[0] = std::make_unique<ingest::TestIngest>(*broker_, kRoutes, address);
      ASSERT_TRUE(WaitForLinks(3));
    }
    if (n == 500) ingests_[1].reset();
    if (n == 700) ingests_[2].reset();  // only the new one is left
    Publish(n);
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& client : clients) Expect(*client, kEvents);
}

}  // namespace
}  // namespace spillway
