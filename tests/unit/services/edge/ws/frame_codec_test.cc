#include "services/edge/ws/frame_codec.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/services/edge/ws/client_frames.h"

namespace spillway::edge::ws {
namespace {

// Opcodes with FIN set.
constexpr uint8_t kText = 0x81;
constexpr uint8_t kBinary = 0x82;
constexpr uint8_t kCont = 0x80;
constexpr uint8_t kClose = 0x88;
constexpr uint8_t kPing = 0x89;
constexpr uint8_t kPong = 0x8A;
constexpr uint8_t kNoFin = 0x7F;  // to be and-ed
constexpr uint8_t kRsv1 = 0x40;

class Recorder final : public FrameSink {
 public:
  void OnMessage(std::string_view payload, bool text) override {
    log.push_back((text ? "text:" : "binary:") + std::string(payload));
  }
  void OnPing(std::string_view payload) override { log.push_back("ping:" + std::string(payload)); }
  void OnPong(std::string_view payload) override { log.push_back("pong:" + std::string(payload)); }
  void OnClose(uint16_t code, std::string_view reason) override {
    log.push_back("close:" + std::to_string(code) + ":" + std::string(reason));
  }
  std::vector<std::string> log;
};

struct Result {
  std::vector<std::string> log;
  int failure = 0;  // 0: none
  size_t held = 0;
};

// Feeds `stream` in pieces of at most `piece` bytes.
Result Parse(const std::string& stream, size_t piece = 1 << 30, size_t limit = 1 << 20,
             bool deflate = false) {
  Inflater inflater;
  FrameCodec codec(limit, deflate);
  Recorder recorder;
  Result result;
  for (size_t i = 0; i < stream.size() && result.failure == 0; i += piece) {
    std::string bytes = stream.substr(i, piece);
    if (auto failure = codec.Feed(bytes.data(), bytes.size(), inflater, recorder)) {
      result.failure = failure->code;
    }
  }
  result.log = recorder.log;
  result.held = codec.held_bytes();
  return result;
}

using Log = std::vector<std::string>;

const std::string& Conversation() {
  static const std::string stream =
      ClientFrame(kText, "hello") + ClientFrame(kBinary, std::string(300, 'b')) +
      ClientFrame(kText & kNoFin, "frag") + ClientFrame(kPing, "in between") +
      ClientFrame(kCont & kNoFin, "") + ClientFrame(kCont, "mented \xC3\xA4") +
      ClientFrame(kPong, "") + ClientFrame(kText, "") +
      ClientFrame(kText, std::string(70000, 't')) + ClientFrame(kClose, ClosePayload(1000, "bye")) +
      "ignored";
  return stream;
}

const Log& ConversationLog() {
  static const Log log = {"text:hello",
                          "binary:" + std::string(300, 'b'),
                          "ping:in between",
                          "text:fragmented \xC3\xA4",
                          "pong:",
                          "text:",
                          "text:" + std::string(70000, 't'),
                          "close:1000:bye"};
  return log;
}

TEST(FrameCodecTest, ReadsAConversationWhole) {
  const Result result = Parse(Conversation());
  EXPECT_EQ(result.log, ConversationLog());
  EXPECT_EQ(result.failure, 0);
}

TEST(FrameCodecTest, PiecesOfAnySizeMakeNoDifference) {
  for (const size_t piece : {1, 2, 3, 5, 7, 13, 64, 1000, 65536}) {
    const Result result = Parse(Conversation(), piece);
    ASSERT_EQ(result.log, ConversationLog()) << piece;
  }
}

TEST(FrameCodecTest, SplitAtEveryByteBoundary) {
  const std::string stream = ClientFrame(kText & kNoFin, "one ") + ClientFrame(kPing, "p") +
                             ClientFrame(kCont, "two") +
                             ClientFrame(kBinary, std::string(130, 'x'));
  const Log expected = {"ping:p", "text:one two", "binary:" + std::string(130, 'x')};
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    Inflater inflater;
    FrameCodec codec(1000, false);
    Recorder recorder;
    std::string first = stream.substr(0, cut);
    std::string second = stream.substr(cut);
    ASSERT_FALSE(codec.Feed(first.data(), first.size(), inflater, recorder));
    ASSERT_FALSE(codec.Feed(second.data(), second.size(), inflater, recorder));
    ASSERT_EQ(recorder.log, expected) << cut;
    ASSERT_EQ(codec.held_bytes(), 0u);
  }
}

TEST(FrameCodecTest, RandomMasksSizesAndPieces) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::string stream;
    Log expected;
    for (int i = 0; i < 10; ++i) {
      std::string payload(random() % 400, '\0');
      for (char& c : payload) c = static_cast<char>(random());
      std::string mask(4, '\0');
      for (char& c : mask) c = static_cast<char>(random());
      stream += ClientFrame(kBinary, payload, mask);
      expected.push_back("binary:" + payload);
    }
    ASSERT_EQ(Parse(stream, 1 + random() % 500).log, expected);
  }
}

TEST(FrameCodecTest, HoldsOnlyWhatIsIncomplete) {
  EXPECT_EQ(Parse(ClientFrame(kText, "whole")).held, 0u);
  EXPECT_EQ(Parse(ClientFrame(kText, "12345678").substr(0, 6 + 5)).held, 5u);
  EXPECT_EQ(Parse(ClientFrame(kText & kNoFin, "1234")).held, 4u);
  EXPECT_EQ(Parse(ClientFrame(kText, "1234").substr(0, 3)).held, 3u);
}

TEST(FrameCodecTest, BreakingTheRulesIsAProtocolError) {
  const std::string unmasked = "\x81\x02hi";
  const std::string cases[] = {
      unmasked,
      ClientFrame(kText | kRsv1, "x"),
      ClientFrame(kText | 0x20, "x"),
      ClientFrame(kText | 0x10, "x"),
      ClientFrame(0x83, "reserved"),
      ClientFrame(0x87, ""),
      ClientFrame(0x8B, ""),
      ClientFrame(0x8F, ""),
      ClientFrame(kPing & kNoFin, "fragment"),
      ClientFrame(kPing, std::string(126, 'x')),
      ClientFrame(kPing | kRsv1, ""),
      ClientFrame(kCont, "of nothing"),
      ClientFrame(kText & kNoFin, "a") + ClientFrame(kText, "b"),
      ClientFrame(kClose, "\x03"),
      ClientFrame(kClose, ClosePayload(999)),
      ClientFrame(kClose, ClosePayload(1004)),
      ClientFrame(kClose, ClosePayload(1005)),
      ClientFrame(kClose, ClosePayload(1006)),
      ClientFrame(kClose, ClosePayload(1015)),
      ClientFrame(kClose, ClosePayload(2999)),
      ClientFrame(kClose, ClosePayload(5000)),
      std::string("\x81\xFE\x00\x05", 4) + "mask",
  };
  for (const std::string& stream : cases) {
    EXPECT_EQ(Parse(stream).failure, 1002) << testing::PrintToString(stream);
    EXPECT_EQ(Parse(stream, 1).failure, 1002) << testing::PrintToString(stream);
  }
}

TEST(FrameCodecTest, TakesEveryCloseCodeThatMayBeSent) {
  EXPECT_EQ(Parse(ClientFrame(kClose, "")).log, Log{"close:1005:"});
  for (const int code : {1000, 1001, 1003, 1007, 1011, 1014, 3000, 4008, 4999}) {
    EXPECT_EQ(Parse(ClientFrame(kClose, ClosePayload(static_cast<uint16_t>(code)))).log,
              Log{"close:" + std::to_string(code) + ":"});
  }
  EXPECT_EQ(Parse(ClientFrame(kClose, ClosePayload(1000, "\xFF"))).failure, 1007);
}

TEST(FrameCodecTest, TextHasToBeUtf8) {
  EXPECT_EQ(Parse(ClientFrame(kText, "\xC3")).failure, 1007);
  EXPECT_EQ(Parse(ClientFrame(kText & kNoFin, "\xC3") + ClientFrame(kCont, "\xA4")).log,
            Log{"text:\xC3\xA4"});
  EXPECT_EQ(Parse(ClientFrame(kText & kNoFin, "\xC3") + ClientFrame(kCont, "")).failure, 1007);
  EXPECT_EQ(Parse(ClientFrame(kBinary, "\xC3")).failure, 0);
}

TEST(FrameCodecTest, WrongTextFailsBeforeTheMessageEnds) {
  EXPECT_EQ(Parse(ClientFrame(kText & kNoFin, "fine \xED\xA0")).failure, 1007);
  // ... and before the frame does.
  const std::string frame = ClientFrame(kText, "bad \xFF" + std::string(100, 'x'));
  EXPECT_EQ(Parse(frame.substr(0, 6 + 5), 4).failure, 1007);
}

TEST(FrameCodecTest, MessagesAreBounded) {
  EXPECT_EQ(Parse(ClientFrame(kText, std::string(100, 'x')), 1000, 100).failure, 0);
  EXPECT_EQ(Parse(ClientFrame(kText, std::string(101, 'x')), 1000, 100).failure, 1009);
  // Judged by the header: nothing of the payload is waited for.
  EXPECT_EQ(Parse(ClientFrame(kBinary, std::string(70000, 'x')).substr(0, 14), 1000, 100).failure,
            1009);
  EXPECT_EQ(Parse(ClientFrame(kText & kNoFin, std::string(60, 'x')) +
                      ClientFrame(kCont, std::string(41, 'x')),
                  1000, 100)
                .failure,
            1009);
}

// They cost time and add to no other bound. Some libraries end a message with one.
TEST(FrameCodecTest, EmptyFramesOfOneMessageAreBounded) {
  const auto message = [](int empty) {
    std::string stream = ClientFrame(kText & kNoFin, "a");
    for (int i = 0; i < empty; ++i) stream += ClientFrame(kCont & kNoFin, "");
    return stream + ClientFrame(kCont, "b");
  };
  for (const size_t piece : {1, 1000}) {
    EXPECT_EQ(Parse(message(128) + message(128), piece).log, (Log{"text:ab", "text:ab"}));
    const Result result = Parse(message(129), piece);
    EXPECT_EQ(result.failure, 1008);
    EXPECT_EQ(result.log, Log{});
  }
}

std::string Compressed(std::string_view payload) {
  Deflater deflater;
  return std::string(deflater.Compress(payload));
}

TEST(FrameCodecTest, InflatesCompressedMessages) {
  const std::string text(5000, 'z');
  const std::string compressed = Compressed(text);
  EXPECT_EQ(Parse(ClientFrame(kText | kRsv1, compressed), 1000, 1 << 20, true).log,
            Log{"text:" + text});
  const std::string fragments = ClientFrame((kText & kNoFin) | kRsv1, compressed.substr(0, 5)) +
                                ClientFrame(kPing, "") + ClientFrame(kCont, compressed.substr(5)) +
                                ClientFrame(kText, "plain");
  for (const size_t piece : {1, 3, 1000}) {
    EXPECT_EQ(Parse(fragments, piece, 1 << 20, true).log,
              (Log{"ping:", "text:" + text, "text:plain"}));
  }
}

TEST(FrameCodecTest, CompressedMessagesObeyTheSameRules) {
  EXPECT_EQ(Parse(ClientFrame(kText | kRsv1, Compressed("\xFF\xFF")), 1000, 1 << 20, true).failure,
            1007);
  EXPECT_EQ(Parse(ClientFrame(kText | kRsv1, "\xFF\xFF\xFF"), 1000, 1 << 20, true).failure, 1007);
  EXPECT_EQ(
      Parse(ClientFrame(kText | kRsv1, Compressed(std::string(1 << 20, 'x'))), 10000, 65536, true)
          .failure,
      1009);
  EXPECT_EQ(Parse(ClientFrame((kText & kNoFin) | kRsv1, "") + ClientFrame(kCont | kRsv1, ""), 1000,
                  1000, true)
                .failure,
            1002);
}

TEST(FrameCodecTest, SurvivesRandomBytes) {
  std::mt19937 random(99);
  for (int round = 0; round < 20000; ++round) {
    std::string stream(random() % 60, '\0');
    for (char& c : stream) c = static_cast<char>(random());
    if (!stream.empty() && random() % 2 == 0) stream[0] = static_cast<char>(0x80 | random() % 3);
    Parse(stream, 1 + random() % 20, 1000, true);
  }
}

}  // namespace
}  // namespace spillway::edge::ws
