#include "services/edge/frame/deflate.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace spillway::edge {
namespace {

using Status = Inflater::Status;

std::string Noise(size_t size, uint_fast32_t seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(DeflateTest, RoundTripsEverySizeAndWindow) {
  Inflater inflater;
  for (const int window : {9, 12, 15}) {
    Deflater deflater(window);
    for (const size_t size : {0u, 1u, 17u, 4096u, 70000u, 1000000u}) {
      for (const std::string& payload : {std::string(size, 'a'), Noise(size, 7)}) {
        const std::string compressed(deflater.Compress(payload));
        const Inflater::Result result = inflater.Inflate(compressed, size);
        ASSERT_EQ(result.status, Status::kOk) << window << " " << size;
        EXPECT_EQ(result.payload, payload);
      }
    }
  }
}

TEST(DeflateTest, EveryMessageStandsAlone) {
  Deflater deflater;
  const std::string first(deflater.Compress("the same text, the same text"));
  EXPECT_EQ(deflater.Compress("the same text, the same text"), first);
}

TEST(DeflateTest, ReadsTheExamplesOfTheRfc) {
  Inflater inflater;
  // RFC 7692, 7.2.3.1 and 7.2.3.3 (a stored block), 7.2.3.4 (a final block), 7.2.3.5 (two blocks).
  const std::string examples[] = {
      std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7),
      std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11),
      std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8),
      std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13)};
  for (const std::string& example : examples) {
    const Inflater::Result result = inflater.Inflate(example, 100);
    EXPECT_EQ(result.status, Status::kOk);
    EXPECT_EQ(result.payload, "Hello");
  }
}

TEST(DeflateTest, StopsABombAtItsLimit) {
  Deflater deflater;
  Inflater inflater;
  const std::string bomb(deflater.Compress(std::string(50 << 20, '\0')));
  ASSERT_LT(bomb.size(), 100000u);
  EXPECT_EQ(inflater.Inflate(bomb, 65536).status, Status::kTooBig);
  const std::string exact(deflater.Compress(std::string(65536, 'x')));
  EXPECT_EQ(inflater.Inflate(exact, 65536).status, Status::kOk);
  EXPECT_EQ(inflater.Inflate(exact, 65535).status, Status::kTooBig);
}

TEST(DeflateTest, RefusesRubbishAndGoesOn) {
  Deflater deflater;
  Inflater inflater;
  EXPECT_EQ(inflater.Inflate("\xFF\xFF\xFF\xFF", 1000).status, Status::kCorrupt);
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) inflater.Inflate(Noise(random() % 200, random()), 5000);
  EXPECT_EQ(inflater.Inflate(deflater.Compress("fine"), 1000).payload, "fine");
}

TEST(DeflateTest, HoldsLittleWhateverItIsSent) {
  Deflater deflater;
  Inflater inflater;
  const std::string bomb(deflater.Compress(std::string(50 << 20, '\0')));
  for (int i = 0; i < 100; ++i) inflater.Inflate(bomb, 65536);
  EXPECT_LE(inflater.held_bytes(), 2u * 65536);
  // A large limit's buffer does not stay.
  inflater.Inflate(bomb, 8 << 20);
  EXPECT_LE(inflater.held_bytes(), 2u * (8 << 20));
  inflater.Inflate("", 65536);
  EXPECT_LE(inflater.held_bytes(), 2u * 65536);
}

TEST(DeflateTest, ABombInManySmallMessagesIsBoundedEachTime) {
  Deflater deflater;
  Inflater inflater;
  const std::string most(deflater.Compress(std::string(65536, ' ')));
  ASSERT_LT(most.size(), 100u);  // a ratio of about 1000, the most there is
  for (int i = 0; i < 2000; ++i) {
    const Inflater::Result result = inflater.Inflate(most, 65536);
    ASSERT_EQ(result.status, Status::kOk);
    ASSERT_EQ(result.payload.size(), 65536u);
  }
  EXPECT_LE(inflater.held_bytes(), 2u * 65536);
  // Blocks that yield nothing end with the input.
  std::string empty;
  for (int i = 0; i < 13000; ++i) empty += std::string("\x00\x00\x00\xFF\xFF", 5);
  const Inflater::Result result = inflater.Inflate(empty + '\0', 65536);
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_EQ(result.payload, "");
}

}  // namespace
}  // namespace spillway::edge
