// What an idle connection costs in user space: all that it allocates, the allocator's own bytes
// included. A bound that is passed shows that something grew.

#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "services/edge/hub/channel_state.h"
#include "services/edge/ws/frame_codec.h"
#include "services/edge/ws/tls_stream.h"
#include "tests/unit/services/edge/app/silent_worker.h"
#include "tests/unit/services/edge/ws/tls_peer.h"

namespace spillway::edge {
namespace {

using test_support::SilentWorker;
using test_support::WrittenAway;

size_t InUse() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

constexpr int kConnections = 4096;

// So many clients of a worker, each on the channel that `channel_of` says; bytes each.
template <typename ChannelOf>
double BytesEach(ChannelOf channel_of) {
  static_assert(sizeof(WrittenAway) == sizeof(ws::SocketStream));
  test::FakeClock clock;
  SilentWorker worker(clock);
  const auto connect = [&](int i) {
    EXPECT_NE(
        worker.Connect(SilentWorker::RequestOf("user-" + std::to_string(i)),
                       std::make_unique<WrittenAway>(), SilentWorker::SubscribeTo(channel_of(i))),
        nullptr);
    worker.Cover(channel_of(i));
  };
  constexpr int kFirst = 200;
  for (int i = 0; i < kFirst; ++i) connect(i);
  const size_t before = InUse();
  for (int i = kFirst; i < kFirst + kConnections; ++i) connect(i);
  const double each = static_cast<double>(InUse() - before) / kConnections;
  EXPECT_EQ(worker.hub().subscription_count(), static_cast<size_t>(kFirst + kConnections));
  EXPECT_EQ(worker.registry().size(), static_cast<size_t>(kFirst + kConnections));
  std::printf("bytes each: %.0f\n", each);
  return each;
}

TEST(ConnectionMemoryTest, AnIdleConnectionWithSessionTokenSubscriptionAndHeartbeat) {
  if (InUse() == 0) GTEST_SKIP() << "this allocator does not count";
  EXPECT_LE(BytesEach([](int i) { return i % 100; }), 820);
  std::printf(
      "Connection %zu, FrameCodec %zu, SocketStream %zu, Session %zu, Timer %zu, Subscription %zu, "
      "Membership %zu, ChannelState %zu, ChannelTraits %zu\n",
      sizeof(ws::Connection), sizeof(ws::FrameCodec), sizeof(ws::SocketStream), sizeof(Session),
      sizeof(Timer), sizeof(Subscription), sizeof(Membership), sizeof(ChannelState),
      sizeof(ChannelTraits));
}

TEST(ConnectionMemoryTest, AnIdleConnectionWithAChannelOfItsOwn) {
  if (InUse() == 0) GTEST_SKIP() << "this allocator does not count";
  EXPECT_LE(BytesEach([](int i) { return i; }), 1'100);
}

class TlsMemoryTest : public ws::TlsTest {};

// OpenSSL's own state of an established session; no buffer is among it.
TEST_F(TlsMemoryTest, TlsAddsNoBuffers) {
  if (InUse() == 0) GTEST_SKIP() << "this allocator does not count";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_min_proto_version(peer_.context(), version);
    SSL_CTX_set_max_proto_version(peer_.context(), version);
    for (const bool resumed : {false, true}) {
      constexpr int kStreams = 200;
      const auto connect = [&] {
        if (!resumed) peer_.ForgetTicket();
        if (!Connect()) return false;
        Write({"x"});
        peer_.Read();
        peer_.Write("y");
        const bool good =
            ReadWhileReadable() == "y" && SSL_session_reused(peer_.ssl()) == (resumed ? 1 : 0);
        peer_.Close();
        return good;
      };
      // The first one's peer has no ticket; and what is freed of it the others use.
      connect();
      ASSERT_TRUE(connect());
      std::vector<std::unique_ptr<ws::ByteStream>> streams;
      const size_t before = InUse();
      for (int i = 0; i < kStreams; ++i) {
        ASSERT_TRUE(connect());
        streams.push_back(std::move(stream_));
      }
      const size_t used = InUse() - before;
      const double each = static_cast<double>(used) / kStreams;
      std::printf("TLS %s %s: bytes each: %.0f\n", version == TLS1_2_VERSION ? "1.2" : "1.3",
                  resumed ? "resumed" : "new", each);
      EXPECT_LE(each, 15'000);
    }
  }
}

}  // namespace
}  // namespace spillway::edge
