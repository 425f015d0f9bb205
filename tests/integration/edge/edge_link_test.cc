// The edge with ingests played by the test: links, readiness, delivery, shutdown.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/certificates.h"
#include "tests/support/lasting_port.h"
#include "tests/support/metric_checks.h"

namespace spillway::test {
namespace {

using EdgeLinkTest = EdgeTest;

std::string Offset(int64_t offset) { return absl::StrCat("\"offset\":", offset, ","); }

TEST_F(EdgeLinkTest, TwoClientsGetEveryEventOnceAndInOrder) {
  FakeIngest ingest("ingest-1");
  StartEdge(ingest.address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient clients[2];
  for (BeastClient& client : clients) {
    Connect(client);
    Subscribe(client, "price:BTC");
  }
  constexpr int kEvents = 500;
  for (int i = 0; i < kEvents; ++i) {
    ingest.Publish("price:BTC", absl::StrCat("{\"n\":", i, "}"));
    ingest.Publish("price:ETH", "{}");
  }
  for (BeastClient& client : clients) {
    for (int i = 0; i < kEvents; ++i) {
      const std::string event = Event(client);
      ASSERT_NE(event.find(absl::StrCat("{\"n\":", i, "}")), std::string::npos) << event;
      ASSERT_NE(event.find(Offset(2 * i)), std::string::npos) << event;
    }
  }
  // Counts are as of the last tick, and the lag as of the last beat.
  const std::string all = "spillway_edge_events_received_total 500\n";
  const std::string lag = "spillway_edge_consumer_lag{topic=\"prices\"} 4\n";
  std::string metrics;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while ((metrics.find(all) == std::string::npos || metrics.find(lag) == std::string::npos) &&
         std::chrono::steady_clock::now() < deadline) {
    metrics = Get(edge_->ops_port(), "/metrics");
  }
  EXPECT_NE(metrics.find(all), std::string::npos);
  EXPECT_NE(metrics.find("spillway_edge_connections 2\n"), std::string::npos);
  EXPECT_NE(metrics.find(lag), std::string::npos);
  EXPECT_NE(metrics.find("spillway_edge_links{state=\"up\"} 1\n"), std::string::npos);
  EXPECT_NE(metrics.find("spillway_edge_attachments{state=\"attached\"} 1\n"), std::string::npos);
}

TEST_F(EdgeLinkTest, EveryDeclaredMetricIsExported) {
  FakeIngest ingest("ingest-1");
  const Certificates certs(dir_.path());
  // With all that has metrics of its own.
  endpoints_ = "{path: /ws, auth: {required: false, service: off}}";
  StartEdge(ingest.address(),
            absl::StrCat("  tls: {cert_file: ", certs.server_cert(), ", key_file: ",
                         certs.server_key(), "}\n  audit: {file: {path: ", dir_.path(),
                         "/audit}}\n  auth_service: {url: 'http://127.0.0.1:1/'}\n"));
  const edge::EdgeFamilies families;
  std::string metrics;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  do {
    metrics = Get(edge_->ops_port(), "/metrics");
  } while (!Unexported(families.all, metrics).empty() &&
           std::chrono::steady_clock::now() < deadline);
  EXPECT_THAT(Unexported(families.all, metrics), testing::IsEmpty());
  EXPECT_THAT(metrics, testing::HasSubstr("spillway_metrics_rejected_total 0\n"));
}

TEST_F(EdgeLinkTest, CreditComesBack) {
  FakeIngest ingest("ingest-1");
  StartEdge(ingest.address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  Connect(client);
  Subscribe(client, "price:BTC");
  const std::string payload = "\"" + std::string(10'000, 'x') + "\"";
  for (int i = 0; i < 300; ++i) {  // one by one: the client's queue is bounded
    ingest.Publish("price:BTC", payload);
    ASSERT_NE(Event(client).find("xxx"), std::string::npos);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  // All but what was not worth a message yet.
  while (ingest.credit() < 3'000'000 - (1 << 20) / 8 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(ingest.credit(), 3'000'000 - (1 << 20) / 8);
}

TEST_F(EdgeLinkTest, GoesOnWhereItWasAfterAnIngestCameBack) {
  const int port = LastingPort();
  auto ingest = std::make_unique<FakeIngest>("ingest-1", port);
  StartEdge(ingest->address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  Connect(client);
  Subscribe(client, "price:BTC");
  ingest->Publish("price:BTC", "1");
  EXPECT_NE(Event(client).find(Offset(0)), std::string::npos);
  ingest.reset();
  ASSERT_TRUE(WaitForReady("\"ingest\":\"disconnected\""));
  EXPECT_NE(last_ready_.find("503"), std::string::npos);
  EXPECT_NE(last_ready_.find("\"kafka\":\"disconnected\""), std::string::npos);

  ingest = std::make_unique<FakeIngest>("ingest-1", port);
  ASSERT_EQ(ingest->port(), port);
  ingest->SetRecords(1);
  ASSERT_TRUE(ingest->WaitForAttach(1));
  EXPECT_TRUE(ingest->attaches()[0].has_after());
  EXPECT_EQ(ingest->attaches()[0].after(), 0);
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  ingest->Publish("price:BTC", "2");
  EXPECT_NE(Event(client).find(Offset(1)), std::string::npos);
}

TEST_F(EdgeLinkTest, OneDeadIngestOfTwoIsDegradedOnly) {
  FakeIngest first("ingest-1");
  auto second = std::make_unique<FakeIngest>("ingest-2");
  StartEdge(first.address() + "," + second->address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  ASSERT_TRUE(WaitForReady("\"ingest\":\"connected\""));
  const std::string address = second->address();
  second.reset();
  ASSERT_TRUE(WaitForReady("\"status\":\"degraded\""));
  EXPECT_NE(last_ready_.find("200 OK"), std::string::npos);
  EXPECT_NE(last_ready_.find("ingest-2 (" + address + ")"), std::string::npos);
  BeastClient client;
  Connect(client);
  Subscribe(client, "price:BTC");
  ASSERT_TRUE(first.WaitForInterest("price:BTC"));
  first.Publish("price:BTC", "1");
  EXPECT_NE(Event(client).find("\"data\":1"), std::string::npos);
}

TEST_F(EdgeLinkTest, KafkaAwayIsNotReady) {
  FakeIngest ingest("ingest-1");
  ingest.SetKafkaUp(false);
  StartEdge(ingest.address());
  ASSERT_TRUE(WaitForReady("ingest-1: brokers are away"));
  EXPECT_NE(last_ready_.find("503"), std::string::npos);
  ingest.SetKafkaUp(true);
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  ingest.SetKafkaUp(false);
  ASSERT_TRUE(WaitForReady("\"kafka\":\"disconnected\""));
}

TEST_F(EdgeLinkTest, TwoAddressesOfOneIngestAreOneLink) {
  FakeIngest ingest("ingest-1");
  StartEdge(absl::StrCat(ingest.address(), ",", ingest.address("localhost")));
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int up = 0;
  int duplicates = 0;
  while (up + duplicates < 2 && std::chrono::steady_clock::now() < deadline) {
    up = duplicates = 0;
    for (const edge::IngestTargetStatus& target : edge_->upstream().status().ingests) {
      up += target.up ? 1 : 0;
      duplicates += target.duplicate ? 1 : 0;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(up, 1);
  EXPECT_EQ(duplicates, 1);
}

TEST_F(EdgeLinkTest, AMalformedBatchCostsTheLinkAndNothingElse) {
  FakeIngest ingest("ingest-1");
  StartEdge(ingest.address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  Connect(client);
  Subscribe(client, "price:BTC");
  ASSERT_TRUE(ingest.WaitForInterest("price:BTC"));
  ingest.SendRaw("\x0a\xff");
  ASSERT_TRUE(ingest.WaitForAttach(2));
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  ingest.Publish("price:BTC", "1");
  EXPECT_NE(Event(client).find("\"data\":1"), std::string::npos);
}

TEST_F(EdgeLinkTest, StoppingClosesClientsWith1001) {
  FakeIngest ingest("ingest-1");
  StartEdge(ingest.address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  Connect(client);
  auto received = std::async(std::launch::async, [&] {
    EXPECT_NE(client.Receive().payload.find(R"("type":"moving")"), std::string::npos);
    return client.Receive();
  });
  EXPECT_TRUE(edge_->Stop(std::chrono::seconds(5)));
  EXPECT_EQ(received.get().close_code, 1001);
  BeastClient late;
  EXPECT_FALSE(late.Connect(static_cast<uint16_t>(edge_->public_port())));
}

TEST_F(EdgeLinkTest, StopsAtOnceWhileAnIngestCannotBeReached) {
  StartEdge("127.0.0.1:1, '127.0.0.1:2'");
  ASSERT_TRUE(WaitForReady("Connection refused"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(edge_->Stop(std::chrono::seconds(5)));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST_F(EdgeLinkTest, ATakenPortIsNamed) {
  StartEdge("127.0.0.1:1");
  for (const auto& [key, port] :
       {std::pair("ops_listen", edge_->ops_port()), {"admin.listen", edge_->admin_port()}}) {
    v1::EdgeConfig config = Config("127.0.0.1:1");
    const std::string address = absl::StrCat("127.0.0.1:", port);
    if (std::string(key) == "ops_listen") {
      config.set_ops_listen(address);
      config.mutable_admin()->clear_listen();
    } else {
      config.mutable_admin()->set_listen(address);
    }
    const auto second = edge::EdgeApp::Start(config, Clock::Real());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
    const std::string message(second.status().message());
    EXPECT_NE(message.find(absl::StrCat("edge.", key, ": ")), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(port)), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace spillway::test
