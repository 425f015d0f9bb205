#include "tools/load/inflate_cache.h"

#include <gmock/gmock.h>
#include <zlib.h>

namespace spillway::load {
namespace {

// As a server without context takeover does it.
std::string Deflated(std::string text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
  out.resize(out.size() - stream.avail_out - 4);
  deflateEnd(&stream);
  return out;
}

TEST(InflateCacheTest, InflatesMessagesOfAnySize) {
  InflateCache cache;
  for (const size_t size : {0, 1, 100, 1024, 5000, 1'000'000}) {
    const std::string text(size, 'a');
    EXPECT_EQ(cache.Inflate(Deflated(text)), text) << size;
  }
}

TEST(InflateCacheTest, TheSameBytesAreTheSameMessage) {
  InflateCache cache;
  const std::string one = Deflated("one");
  const std::string two = Deflated("two");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache.Inflate(one), "one");
    EXPECT_EQ(cache.Inflate(two), "two");
  }
}

TEST(InflateCacheTest, CorruptBytesAreNoMessage) {
  InflateCache cache;
  EXPECT_EQ(cache.Inflate("\xFF\xFF\xFF"), std::nullopt);
  EXPECT_EQ(cache.Inflate(Deflated("fine")), "fine");
}

}  // namespace
}  // namespace spillway::load
