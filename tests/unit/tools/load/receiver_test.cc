#include "tools/load/receiver.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/server_frame.h"
#include "tools/load/payload.h"

namespace spillway::load {
namespace {

using ::testing::HasSubstr;

constexpr char kAccepted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
constexpr char kSubscribed[] = R"({"type":"subscribed","channel":"load:0"})";

class ReceiverTest : public ::testing::Test {
 protected:
  void Start(std::string_view streams, std::string_view dialect = "json", uint64_t number = 0) {
    options_.streams = *ParseStreams(streams);
    dialect_ = *MakeDialect(dialect);
    run_ = *RunState::Create(1, options_.streams);
    receiver_ = std::make_unique<Receiver>(options_, *dialect_, *run_, run_->worker(0), size_t{1});
    receiver_->Begin(&client_, number, 0, true);
  }

  bool Receive(std::string bytes, int64_t now_ns = 0) {
    bytes_ += bytes;
    const int64_t used = receiver_->Take(&client_, bytes_, now_ns, &out_);
    if (used < 0) return false;
    bytes_.erase(0, static_cast<size_t>(used));
    return true;
  }

  std::string Event(uint32_t channel, uint32_t sequence, int64_t due_ns = 0, uint8_t stream = 0) {
    Stamp stamp;
    stamp.stream = stream;
    stamp.channel = channel;
    stamp.sequence = sequence;
    stamp.due_ns = due_ns;
    PayloadWriter writer(options_.streams.at(0));
    return test::ServerFrame(
        absl::StrCat(R"({"type":"event","channel":"load:0","event":"load","slot":0,)",
                     R"("offset":7,"time":1,"data":)", std::string(writer.Write(stamp, "")), "}"));
  }

  // What the client wrote, unmasked: payloads of frames below 126 bytes, separated by '|'.
  std::string Sent() {
    std::string text;
    std::string_view rest = out_;
    while (rest.size() >= 6) {
      const size_t size = static_cast<uint8_t>(rest[1]) & 0x7F;
      for (size_t i = 0; i < size; ++i) {
        text.push_back(static_cast<char>(rest[6 + i] ^ rest[2 + i % 4]));
      }
      text.push_back('|');
      rest.remove_prefix(6 + size);
    }
    out_.clear();
    return text;
  }

  WorkerState& counters() { return run_->worker(0); }

  ClientOptions options_;
  std::unique_ptr<Dialect> dialect_;
  std::unique_ptr<RunState> run_;
  std::unique_ptr<Receiver> receiver_;
  ClientState client_;
  std::string bytes_;
  std::string out_;
};

TEST_F(ReceiverTest, SubscribesAfterTheHandshakeAndIsReadyThen) {
  Start("channels=3,per_client=2", "json", 1);
  EXPECT_TRUE(Receive(std::string(kAccepted).substr(0, 20)));
  EXPECT_EQ(out_, "");
  EXPECT_TRUE(Receive(std::string(kAccepted).substr(20)));
  EXPECT_EQ(Sent(), R"({"type":"subscribe","channels":["load:2","load:0"]}|)");
  EXPECT_EQ(counters().upgraded.get(), 1u);
  Receive(test::ServerFrame(kSubscribed));
  EXPECT_FALSE(client_.ready);
  Receive(test::ServerFrame(kSubscribed), 5000);
  EXPECT_TRUE(client_.ready);
  EXPECT_EQ(counters().ready.get(), 1u);
  EXPECT_EQ(counters().connect.max(), 5000u);
}

TEST_F(ReceiverTest, ARefusalEndsItAndIsKept) {
  Start("");
  EXPECT_FALSE(Receive("HTTP/1.1 401 Unauthorized\r\n\r\n{}"));
  EXPECT_EQ(counters().refused.get(), 1u);
  EXPECT_THAT(counters().first_problem.data(), HasSubstr("401"));
}

TEST_F(ReceiverTest, BytesMayComeInAnyPieces) {
  Start("bytes=300");
  const std::string bytes =
      kAccepted + test::ServerFrame(kSubscribed) + Event(0, 1) + Event(0, 2) + Event(0, 3);
  for (const char byte : bytes) ASSERT_TRUE(Receive({byte}));
  EXPECT_EQ(counters().events.get(), 3u);
  EXPECT_EQ(counters().sequence.in_order, 3u);
  EXPECT_EQ(bytes_, "");
}

TEST_F(ReceiverTest, OrderIsCheckedForEachChannel) {
  Start("channels=2,per_client=2,via=ephemeral,rate=1");
  Receive(kAccepted + Event(0, 1) + Event(1, 1) + Event(0, 2) + Event(1, 3) + Event(0, 2));
  EXPECT_EQ(counters().sequence.in_order, 4u);
  EXPECT_EQ(counters().sequence.skipped, 1u);
  EXPECT_EQ(counters().sequence.duplicates, 1u);
}

TEST_F(ReceiverTest, EventsOfOthersAreNoticed) {
  Start("channels=10,per_client=2", "json", 4);  // has 8 and 9
  Receive(kAccepted + Event(9, 1) + Event(0, 1) + Event(7, 1) + Event(8, 1, 0, 5));
  EXPECT_EQ(counters().strange.get(), 3u);
  EXPECT_EQ(counters().sequence.in_order, 1u);
}

TEST_F(ReceiverTest, TheChannelsOfAClientGoRound) {
  Start("channels=10,per_client=4", "json", 2);  // has 8, 9, 0, 1
  Receive(kAccepted + Event(8, 1) + Event(9, 1) + Event(0, 1) + Event(1, 1));
  EXPECT_EQ(counters().strange.get(), 0u);
  EXPECT_EQ(counters().sequence.in_order, 4u);
}

TEST_F(ReceiverTest, SomeClientsSubscribeToPatterns) {
  options_.patterns = 3;
  Start("channels=8,per_client=2", "json", 3);
  Receive(kAccepted + Event(6, 1) + Event(7, 1));
  EXPECT_EQ(Sent(), R"({"type":"subscribe","channels":["*oad:6","*oad:7"]}|)");
  EXPECT_EQ(counters().strange.get(), 0u);
  Start("channels=8,per_client=1", "json", 4);
  Receive(kAccepted);
  EXPECT_EQ(Sent(), R"({"type":"subscribe","channels":["load:4"]}|)");
}

TEST_F(ReceiverTest, LatencyIsThatOfTheWindow) {
  Start("channel=a");
  run_->count_from_ns().store(1000);
  run_->count_to_ns().store(2000);
  Receive(kAccepted + Event(0, 1, 999), 5000);
  EXPECT_EQ(counters().latency[0].count(), 0u);
  Receive(Event(0, 2, 1000), 5000);
  Receive(Event(0, 3, 2000), 5000);
  EXPECT_EQ(counters().latency[0].count(), 1u);
  EXPECT_EQ(counters().latency[0].max(), 4000u);
  EXPECT_EQ(counters().latency_sum_ns.get(), 4000u);
}

TEST_F(ReceiverTest, WhatDidNotComeAtTheEndIsLost) {
  Start("via=ephemeral,rate=1");
  Receive(kAccepted + test::ServerFrame(kSubscribed) + Event(0, 1) + Event(0, 2));
  run_->last_number(0, 0).store(5);
  receiver_->Check(client_);
  EXPECT_EQ(counters().expected, 5u);
  EXPECT_EQ(counters().tail_lost, 3u);
}

TEST_F(ReceiverTest, WhoCameLaterMissesOnlyWhatCameAfterItsFirst) {
  Start("via=ephemeral,rate=1");
  receiver_->Begin(&client_, 0, 0, false);
  Receive(kAccepted + test::ServerFrame(kSubscribed) + Event(0, 3) + Event(0, 4));
  run_->last_number(0, 0).store(5);
  receiver_->Check(client_);
  EXPECT_EQ(counters().sequence.skipped, 0u);
  EXPECT_EQ(counters().expected, 0u);
  EXPECT_EQ(counters().tail_lost, 1u);
}

TEST_F(ReceiverTest, AnswersPingsOfBothKinds) {
  Start("");
  Receive(kAccepted);
  Sent();
  Receive(test::ServerFrame("abc", '\x89') + test::ServerFrame(R"({"type":"ping","time":1})"));
  EXPECT_EQ(Sent(), "abc|{\"type\":\"pong\"}|");
}

TEST_F(ReceiverTest, ACloseIsCountedByItsCode) {
  Start("");
  Receive(kAccepted);
  EXPECT_FALSE(Receive(test::ServerFrame("\x0F\xA8slow", '\x88')));
  EXPECT_EQ(counters().close_codes[0], (std::pair<uint16_t, uint64_t>(4008, 1)));
  EXPECT_THAT(counters().first_problem.data(), HasSubstr("4008: slow"));
}

TEST_F(ReceiverTest, AMalformedFrameEndsIt) {
  Start("");
  EXPECT_TRUE(Receive(kAccepted));
  EXPECT_FALSE(Receive(std::string("\x01\x00", 2)));
}

TEST_F(ReceiverTest, ErrorsAndGapsAreCounted) {
  Start("channel=a");
  Receive(kAccepted + test::ServerFrame(R"({"type":"gap","channel":"a"})") +
          test::ServerFrame(R"({"type":"error"})"));
  EXPECT_EQ(counters().told_gaps.get(), 1u);
  EXPECT_EQ(counters().errors.get(), 1u);
}

TEST_F(ReceiverTest, AFrameMayHoldSeveralLines) {
  Start("channel=a", "centrifugo");
  Receive(kAccepted);
  Receive(test::ServerFrame("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{}}"));
  EXPECT_TRUE(client_.ready);
  Sent();
  Receive(test::ServerFrame("{}\n{}"));
  EXPECT_EQ(Sent(), "{}|{}|");
}

TEST_F(ReceiverTest, CompressedMessagesMayBeCountedOnly) {
  options_.deflate = DeflateMode::kCount;
  Start("channel=a");
  Receive(kAccepted + test::ServerFrame("zz", '\xC1'));
  EXPECT_EQ(counters().opaque.get(), 1u);
  EXPECT_EQ(counters().events.get(), 1u);
}

TEST_F(ReceiverTest, CompressedMessagesMayBeLookedInto) {
  options_.deflate = DeflateMode::kInflate;
  Start("channel=a");
  // A stored block (RFC 1951, section 3.2.4), then the empty one of the sync flush without its
  // tail.
  const std::string text = Event(0, 1).substr(4);  // without the frame's header
  std::string block(1, '\0');
  block.push_back(static_cast<char>(text.size()));
  block.push_back(static_cast<char>(text.size() >> 8));
  block.push_back(static_cast<char>(~text.size()));
  block.push_back(static_cast<char>(~text.size() >> 8));
  Receive(kAccepted + test::ServerFrame(block + text + '\0', '\xC1'));
  EXPECT_EQ(counters().sequence.in_order, 1u);
  EXPECT_FALSE(Receive(test::ServerFrame("\xFF\xFF", '\xC1')));
}

class ReceiverResumeTest : public ReceiverTest {
 protected:
  static constexpr char kSubscribedAt[] =
      R"({"type":"subscribed","channel":"load:0","position":[{"slot":0,"source":"t/0@0","offset":5}]})";

  void Subscribe() {
    options_.resume = true;
    Start("via=kafka,topic=t,rate=10");
    Receive(kAccepted);
    Receive(test::ServerFrame(kSubscribedAt));
    Sent();
  }
  // The same client on another connection; what it asks for.
  std::string ComeBack() {
    bytes_.clear();
    receiver_->Begin(&client_, 0, 0, false);
    Receive(kAccepted);
    return Sent();
  }
};

TEST_F(ReceiverResumeTest, ComesBackToWhereItWas) {
  Subscribe();
  Receive(Event(0, 1));
  EXPECT_EQ(ComeBack(), R"({"type":"subscribe","channels":["load:0"],"positions":{)"
                        R"("load:0":[{"source":"t/0@0","offset":7}]}}|)");
  run_->last_number(0, 0) = 3;
  Receive(test::ServerFrame(kSubscribedAt));
  EXPECT_EQ(counters().resumed.get(), 1u);
  Receive(Event(0, 2));
  EXPECT_EQ(counters().recovered.get(), 0u);
  Receive(Event(0, 3));
  EXPECT_EQ(counters().recovered.get(), 1u);
  EXPECT_EQ(counters().sequence.skipped, 0u);
  EXPECT_EQ(counters().sequence.duplicates, 0u);
}

TEST_F(ReceiverResumeTest, WhatComesTwiceOrNotAtAllOnTheWayIsFound) {
  Subscribe();
  Receive(Event(0, 1));
  Receive(Event(0, 2));
  ComeBack();
  Receive(test::ServerFrame(kSubscribedAt));
  Receive(Event(0, 2));
  Receive(Event(0, 5));
  EXPECT_EQ(counters().sequence.duplicates, 1u);
  EXPECT_EQ(counters().sequence.skipped, 2u);
}

TEST_F(ReceiverResumeTest, AToldGapIsNoLoss) {
  Subscribe();
  Receive(Event(0, 1));
  Receive(test::ServerFrame(
      R"({"type":"gap","channel":"load:0","slot":0,"source":"t/0@0","from":8,"to":9,"reason":"limit"})"));
  Receive(Event(0, 4));
  Receive(Event(0, 6));
  EXPECT_EQ(counters().sequence.told, 2u);
  EXPECT_EQ(counters().sequence.skipped, 1u);
}

TEST_F(ReceiverResumeTest, WhoWasNotReadyBeginsAnew) {
  options_.resume = true;
  Start("via=kafka,topic=t,rate=10");
  Receive(kAccepted);
  Sent();
  EXPECT_EQ(ComeBack(), "{\"type\":\"subscribe\",\"channels\":[\"load:0\"]}|");
  EXPECT_FALSE(client_.from_start);
}

}  // namespace
}  // namespace spillway::load
