#include "services/edge/frame/frame.h"

#include <gtest/gtest.h>

#include <string>

#include "services/edge/frame/frame_header.h"

namespace spillway::edge {
namespace {

TEST(FrameTest, HoldsHeaderAndPayload) {
  const Ref<Frame> frame = Frame::Make(Opcode::kText, "Hello");
  EXPECT_EQ(frame->bytes(), "\x81\x05Hello");  // RFC 6455, section 5.7
  EXPECT_EQ(frame->payload(), "Hello");
  EXPECT_EQ(frame->opcode(), Opcode::kText);
}

TEST(FrameTest, CarriesTheAnswerToAHandshakeAsItIs) {
  const Ref<Frame> answer = Frame::MakeHandshake("HTTP/1.1 101\r\n\r\n");
  EXPECT_EQ(answer->bytes(), "HTTP/1.1 101\r\n\r\n");
  EXPECT_TRUE(answer->handshake());
  EXPECT_FALSE(Frame::Make(Opcode::kText, "x")->handshake());
}

TEST(FrameTest, MarksCompressedPayloads) {
  EXPECT_EQ(Frame::Make(Opcode::kText, "x", true)->bytes(), "\xC1\x01x");
}

TEST(FrameTest, UsesTheShortestLengthThatFits) {
  for (const size_t size : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 100000u}) {
    const std::string payload(size, 'p');
    const Ref<Frame> frame = Frame::Make(Opcode::kBinary, payload);
    EXPECT_EQ(frame->payload(), payload);
    FrameHeader header;
    ASSERT_EQ(ParseFrameHeader(frame->bytes(), &header), HeaderParse::kOk) << size;
    EXPECT_EQ(header.payload_size, size);
    EXPECT_EQ(header.header_size, size < 126 ? 2 : size < 65536 ? 4 : 10);
    EXPECT_EQ(header.header_size + size, frame->bytes().size());
    EXPECT_TRUE(header.fin);
    EXPECT_FALSE(header.masked);
  }
}

TEST(FrameTest, CanBeFilledInLater) {
  const Ref<Frame> frame = Frame::MakeUninitialised(Opcode::kBinary, 3);
  std::string("abc").copy(frame->payload_data(), 3);
  EXPECT_EQ(frame->bytes(),
            "\x82\x03"
            "abc");
}

TEST(FrameHeaderTest, WantsMoreUntilWhole) {
  const std::string header("\x81\xFF\x00\x00\x00\x00\x00\x01\x00\x00mask", 14);
  FrameHeader parsed;
  for (size_t size = 0; size < header.size(); ++size) {
    EXPECT_EQ(ParseFrameHeader(header.substr(0, size), &parsed), HeaderParse::kNeedMore) << size;
  }
  ASSERT_EQ(ParseFrameHeader(header, &parsed), HeaderParse::kOk);
  EXPECT_EQ(parsed.payload_size, 65536u);
  EXPECT_EQ(std::string(parsed.mask.data(), 4), "mask");
}

TEST(FrameHeaderTest, RefusesLengthsThatAreNotShortest) {
  FrameHeader parsed;
  for (const std::string& header :
       {std::string("\x81\x7E\x00\x7D", 4), std::string("\x81\x7F\0\0\0\0\0\0\xFF\xFF", 10),
        std::string("\x81\x7F\x80\0\0\0\0\x01\0\0", 10)}) {
    EXPECT_EQ(ParseFrameHeader(header, &parsed), HeaderParse::kInvalidLength);
  }
}

}  // namespace
}  // namespace spillway::edge
