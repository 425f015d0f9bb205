#include "services/edge/frame/compressor.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <thread>

namespace spillway::edge {
namespace {

// Inflates with a window of exactly so many bits, as a receiver that agreed to it may: a distance
// beyond it fails. The output comes in small pieces, so that only the window can be copied from.
bool InflatesWithWindow(std::string_view compressed, int window_bits, std::string* out) {
  std::string in(compressed);
  in += std::string("\x00\x00\xFF\xFF", 4);
  z_stream stream{};
  if (inflateInit2(&stream, -window_bits) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  out->clear();
  int result = Z_OK;
  while (result == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0)) {
    char piece[64];
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    result = inflate(&stream, Z_SYNC_FLUSH);
    out->append(piece, sizeof piece - stream.avail_out);
  }
  inflateEnd(&stream);
  return result == Z_OK || result == Z_BUF_ERROR;
}

// Text in which the same long phrases come again at every distance.
std::string Text(size_t size, uint_fast32_t seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    if (text.size() > 20 && random() % 3 == 0) {
      const size_t from = random() % (text.size() - 10);
      text += text.substr(from, 4 + random() % 60);
    } else {
      text += "\"k" + std::to_string(random() % 1000) + "\":";
    }
  }
  text.resize(size);
  return text;
}

TEST(CompressorTest, KeepsToTheWindowOfEveryReceiver) {
  for (const int level : {1, 3, 6, 9}) {
    Compressor compressor(level);
    for (const size_t size :
         {60u, 300u, 511u, 512u, 513u, 700u, 2000u, 4096u, 4097u, 40000u, 99999u}) {
      const Ref<Frame> plain =
          Frame::Make(Opcode::kBinary, Text(size, static_cast<uint_fast32_t>(size)));
      for (const int bits : {9, 15}) {
        const Ref<Frame> frame = compressor.Compress(*plain, bits);
        ASSERT_TRUE(frame) << size << " " << bits;
        EXPECT_EQ(frame->opcode(), Opcode::kBinary);
        EXPECT_TRUE(frame->compressed());
        EXPECT_LT(frame->payload().size(), size);
        std::string out;
        EXPECT_TRUE(InflatesWithWindow(frame->payload(), bits, &out)) << size << " " << bits;
        EXPECT_EQ(out, plain->payload()) << level << " " << size << " " << bits;
      }
    }
  }
}

TEST(CompressorTest, ShortPayloadsAreTheSameForEveryWindow) {
  Compressor compressor(3);
  const Ref<Frame> plain = Frame::Make(Opcode::kText, Text(Compressor::kNarrowPayload, 1));
  EXPECT_EQ(compressor.Compress(*plain, 9)->bytes(), compressor.Compress(*plain, 15)->bytes());
}

TEST(CompressorTest, NothingForWhatDoesNotShrink) {
  Compressor compressor(6);
  for (const char* text : {"", "a", "abcdef"}) {
    EXPECT_FALSE(compressor.Compress(*Frame::Make(Opcode::kText, text), 15)) << text;
  }
}

TEST(CompressorTest, EachThreadHasItsOwn) {
  Compressor* mine = &Compressor::OfThisThread(3);
  EXPECT_EQ(&Compressor::OfThisThread(3), mine);
  EXPECT_EQ(Compressor::OfThisThread(5).level(), 5);
  const Compressor* others = nullptr;
  Compressor* again = &Compressor::OfThisThread(5);
  std::thread([&] { others = &Compressor::OfThisThread(5); }).join();
  EXPECT_NE(others, again);
}

}  // namespace
}  // namespace spillway::edge
