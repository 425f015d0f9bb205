// Compressing clients beside others, on a whole edge. They are Beast's: its inflater is not ours.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"

namespace spillway::test {
namespace {

using EdgeCompressionTest = EdgeTest;
using ::testing::HasSubstr;

std::string Payload(int n) {
  std::string items;
  for (int i = 0; i < n % 40; ++i) absl::StrAppend(&items, ",{\"price\":", 64000 + i * n, ".25}");
  return absl::StrCat("{\"n\":", n, ",\"items\":[0", items, "]}");
}

TEST_F(EdgeCompressionTest, EveryoneGetsTheSameWhateverTheyAgreedTo) {
  FakeIngest ingest("ingest-1");
  StartEdge(ingest.address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  struct Case {
    std::string path;
    int window_bits;
    std::string extension;
  };
  const Case cases[] = {
      {"/ws?compress=1", 15, "permessage-deflate"},
      {"/ws?compress=1", 15, "permessage-deflate"},
      {"/ws?compress=1", 9, "permessage-deflate"},
      {"/ws?compress=1", 11, "permessage-deflate"},
      {"/ws?compress=0", 15, ""},
      {"/ws", 15, ""},  // offers it, does not ask for it
  };
  BeastClient clients[std::size(cases)];
  for (size_t i = 0; i < std::size(cases); ++i) {
    BeastClient::Options options;
    options.path = cases[i].path;
    options.deflate = true;
    options.server_window_bits = cases[i].window_bits;
    ASSERT_TRUE(clients[i].Connect(static_cast<uint16_t>(edge_->public_port()), options));
    EXPECT_THAT(clients[i].response_header("Sec-WebSocket-Extensions"),
                ::testing::StartsWith(cases[i].extension));
    EXPECT_EQ(clients[i].response_header("Sec-WebSocket-Extensions").empty(),
              cases[i].extension.empty());
    EXPECT_THAT(clients[i].Receive().payload, HasSubstr("connected"));
    Subscribe(clients[i], "price:BTC");
  }
  constexpr int kEvents = 200;
  for (int n = 0; n < kEvents; ++n) ingest.Publish("price:BTC", Payload(n));
  for (BeastClient& client : clients) {
    for (int n = 0; n < kEvents; ++n) ASSERT_THAT(Event(client), HasSubstr(Payload(n)));
  }
  const std::string metrics = Get(edge_->ops_port(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_connections_compressed 4\n"));
  EXPECT_THAT(metrics,
              HasSubstr("spillway_edge_compression_frames_total{outcome=\"compressed\"} "));
  EXPECT_THAT(metrics,
              ::testing::Not(HasSubstr("spillway_edge_messages_sent_compressed_total 0\n")));
  // Clients' messages may be compressed, too, and a bomb ends its own connection only.
  EXPECT_TRUE(clients[0].Send(std::string(1 << 20, ' ')));
  ClientResult last = clients[0].Receive();
  while (last.ok) last = clients[0].Receive();  // what was on its way, as a ping
  EXPECT_EQ(last.close_code, 1009);
  ingest.Publish("price:BTC", Payload(7));
  EXPECT_THAT(Event(clients[2]), HasSubstr(Payload(7)));
}

}  // namespace
}  // namespace spillway::test
