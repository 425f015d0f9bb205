#include "tools/load/client_codec.h"

#include <gmock/gmock.h>

namespace spillway::load {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Status = ServerFrame::Status;

ServerFrame Read(std::string_view bytes) { return ReadServerFrame(bytes.data(), bytes.size()); }

TEST(ClientCodecTest, RequestsAnUpgrade) {
  const std::string request = UpgradeRequest("h:1", "/ws?a=b", false);
  EXPECT_THAT(request, ::testing::StartsWith("GET /ws?a=b HTTP/1.1\r\nHost: h:1\r\n"));
  EXPECT_THAT(request, ::testing::EndsWith("\r\n\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("Extensions")));
  EXPECT_THAT(UpgradeRequest("h", "/", true), HasSubstr("permessage-deflate; server_no_context"));
}

TEST(ClientCodecTest, ReadsTheAnswer) {
  using Answer = UpgradeAnswer::Status;
  EXPECT_EQ(ReadUpgradeAnswer("HTTP/1.1 101 S\r\n").status, Answer::kIncomplete);
  EXPECT_EQ(ReadUpgradeAnswer("HTTP/1.1 401 U\r\n\r\n{}").status, Answer::kRefused);
  const UpgradeAnswer plain = ReadUpgradeAnswer("HTTP/1.1 101 S\r\nA: b\r\n\r\nrest");
  EXPECT_EQ(plain.status, Answer::kAccepted);
  EXPECT_EQ(plain.size, 24u);
  EXPECT_FALSE(plain.deflate);
  EXPECT_TRUE(ReadUpgradeAnswer("HTTP/1.1 101 S\r\nsec-websocket-extensions: permessage-deflate; "
                                "server_no_context_takeover\r\n\r\n")
                  .deflate);
  EXPECT_EQ(ReadUpgradeAnswer("HTTP/1.1 101 S\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
                              "\r\n")
                .status,
            Answer::kUnusable);
}

TEST(ClientCodecTest, MasksWhatItSends) {
  std::string out;
  AppendMaskedFrame(WsOpcode::kText, "ab", 0x04030201, &out);
  EXPECT_EQ(out, std::string("\x81\x82\x01\x02\x03\x04") + static_cast<char>('a' ^ 1) +
                     static_cast<char>('b' ^ 2));
  out.clear();
  AppendMaskedFrame(WsOpcode::kText, std::string(300, 'x'), 0, &out);
  EXPECT_EQ(out.substr(0, 4), std::string("\x81\xFE\x01\x2C", 4));
  out.clear();
  AppendMaskedFrame(WsOpcode::kText, std::string(70'000, 'x'), 0, &out);
  EXPECT_EQ(out.substr(0, 10), std::string("\x81\xFF\0\0\0\0\0\x01\x11\x70", 10));
}

TEST(ClientCodecTest, ReadsFramesOfEveryLength) {
  EXPECT_EQ(Read({"\x81\x02hi", 4}).payload, "hi");
  EXPECT_EQ(Read({"\x81\x02hi", 4}).size, 4u);
  EXPECT_EQ(Read({"\x81\x02h", 3}).status, Status::kIncomplete);
  EXPECT_EQ(Read({"\x81", 1}).status, Status::kIncomplete);
  const std::string middle = std::string("\x82\x7E\x01\x00", 4) + std::string(256, 'x') + "more";
  EXPECT_EQ(Read(middle).payload.size(), 256u);
  EXPECT_EQ(Read(middle).size, 260u);
  EXPECT_EQ(Read(middle).opcode, 2);
  EXPECT_EQ(Read(std::string_view(middle).substr(0, 3)).status, Status::kIncomplete);
  const std::string large =
      std::string("\x81\x7F\0\0\0\0\0\x01\0\0", 10) + std::string(65'536, 'x');
  EXPECT_EQ(Read(large).payload.size(), 65'536u);
  EXPECT_TRUE(Read({"\xC1\x01z", 3}).compressed);
}

TEST(ClientCodecTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Read({"\x01\x00", 2}).status, Status::kMalformed);                   // a fragment
  EXPECT_EQ(Read({"\x81\x80", 2}).status, Status::kMalformed);                   // masked
  EXPECT_EQ(Read({"\xA1\x00", 2}).status, Status::kMalformed);                   // RSV2
  EXPECT_EQ(Read({"\x81\x7F\1\0\0\0\0\0\0\0", 10}).status, Status::kMalformed);  // 2^56 bytes
}

}  // namespace
}  // namespace spillway::load
