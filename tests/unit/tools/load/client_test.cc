#include "tools/load/client.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"

namespace spillway::load {
namespace {

constexpr char kAccepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

// An unmasked frame, as a server sends it.
std::string Frame(std::string_view payload, char first = '\x81') {
  std::string frame(1, first);
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(payload.size()));
  } else {
    frame.push_back(126);
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size()));
  }
  return frame.append(payload);
}

std::string Event(int64_t offset, int64_t due_ns, size_t pad = 0) {
  return Frame(absl::StrCat(R"({"type":"event","channel":"c","event":"t","slot":1,"offset":)",
                            offset, R"(,"time":1,"data":{"t":)", due_ns, R"(,"pad":")",
                            std::string(pad, 'x'), "\"}}"));
}

// What the client wrote, unmasked: payloads of frames below 126 bytes, separated by '|'.
std::string Sent(Client& client) {
  std::string text;
  std::string_view rest = client.output;
  while (rest.size() >= 6) {
    const size_t size = static_cast<uint8_t>(rest[1]) & 0x7F;
    for (size_t i = 0; i < size; ++i)
      text.push_back(static_cast<char>(rest[6 + i] ^ rest[2 + i % 4]));
    text.push_back('|');
    rest.remove_prefix(6 + size);
  }
  client.output.clear();
  return text;
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() { client_.state = Client::State::kUpgrading; }

  bool Receive(std::string_view bytes, int64_t now_ns = 0) {
    return client_.OnBytes(bytes, "subscribe!", now_ns, &measurement_);
  }
  SwarmCounters& counters() { return measurement_.counters; }

  Client client_;
  Measurement measurement_;
};

TEST_F(ClientTest, SubscribesAfterTheHandshake) {
  EXPECT_TRUE(Receive(std::string_view(kAccepted).substr(0, 20)));
  EXPECT_EQ(client_.output, "");
  EXPECT_TRUE(Receive(std::string_view(kAccepted).substr(20)));
  EXPECT_EQ(Sent(client_), "subscribe!|");
  EXPECT_EQ(counters().upgraded, 1u);
}

TEST_F(ClientTest, FramesMayComeWithTheHandshake) {
  EXPECT_TRUE(Receive(kAccepted + Event(1, 5) + Event(2, 6)));
  EXPECT_EQ(counters().events, 2u);
}

TEST_F(ClientTest, ARefusalEndsItAndIsKept) {
  EXPECT_FALSE(Receive("HTTP/1.1 401 Unauthorized\r\n\r\n{}"));
  EXPECT_EQ(counters().refused, 1u);
  EXPECT_THAT(counters().first_problem, ::testing::HasSubstr("401"));
}

TEST_F(ClientTest, FramesMayComeInAnyPieces) {
  Receive(kAccepted);
  const std::string bytes = Event(1, 5, 300) + Event(2, 6) + Event(3, 7, 200);
  for (const char byte : bytes) ASSERT_TRUE(Receive({&byte, 1}));
  EXPECT_EQ(counters().events, 3u);
  EXPECT_EQ(counters().duplicates, 0u);
}

TEST_F(ClientTest, OffsetsThatDoNotAscendAreCounted) {
  Receive(kAccepted + Event(5, 0) + Event(5, 0) + Event(4, 0) + Event(6, 0));
  EXPECT_EQ(counters().events, 4u);
  EXPECT_EQ(counters().duplicates, 2u);
}

TEST_F(ClientTest, LatencyIsThatOfTheWindow) {
  Receive(kAccepted);
  measurement_.count_due_from_ns = 1000;
  Receive(Event(1, 999), 5000);
  EXPECT_EQ(measurement_.latency.count(), 0u);
  Receive(Event(2, 1000), 5000);
  EXPECT_EQ(measurement_.latency.count(), 1u);
  EXPECT_EQ(measurement_.latency.max(), 4000u);
}

TEST_F(ClientTest, AnswersPings) {
  Receive(kAccepted);
  Sent(client_);
  Receive(Frame("abc", '\x89') + Frame(R"({"type":"ping","time":1})"));
  EXPECT_EQ(Sent(client_), "abc|{\"type\":\"pong\"}|");
}

TEST_F(ClientTest, ACloseOrAMalformedFrameEndsIt) {
  Receive(kAccepted);
  EXPECT_FALSE(Receive(Frame("\x0F\xA8slow", '\x88')));
  EXPECT_THAT(counters().first_problem, ::testing::HasSubstr("slow"));
  Client other;
  other.state = Client::State::kUpgrading;
  EXPECT_TRUE(other.OnBytes(kAccepted, "", 0, &measurement_));
  EXPECT_EQ(other.output, "");
  EXPECT_FALSE(other.OnBytes({"\x01\x00", 2}, "", 0, &measurement_));  // a fragment
}

}  // namespace
}  // namespace spillway::load
