#include "tools/load/run_options.h"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <set>

namespace spillway::load {
namespace {

using ::testing::HasSubstr;

TEST(TargetTest, IsReadFromAnUrl) {
  const auto target = ParseTarget("ws://127.0.0.1:8080/ws?token={token}&a={i}");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_FALSE(target->tls);
  EXPECT_EQ(target->host, "127.0.0.1:8080");
  EXPECT_EQ(target->name, "127.0.0.1");
  EXPECT_EQ(target->path, "/ws?token={token}&a={i}");
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in*>(&target->address)->sin_port), 8080);
  EXPECT_TRUE(target->is_loopback());
}

TEST(TargetTest, HasDefaults) {
  const auto target = ParseTarget("wss://192.0.2.1");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_TRUE(target->tls);
  EXPECT_EQ(target->path, "/");
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in*>(&target->address)->sin_port), 443);
  EXPECT_FALSE(target->is_loopback());
  const auto ipv6 = ParseTarget("ws://[::1]:81/x");
  ASSERT_TRUE(ipv6.ok()) << ipv6.status();
  EXPECT_EQ(ipv6->name, "::1");
}

TEST(TargetTest, SaysWhatIsWrong) {
  for (const char* url : {"http://h/", "ws://", "ws://:80/", "ws://127.0.0.1:port/"}) {
    EXPECT_THAT(std::string(ParseTarget(url).status().message()), HasSubstr(url));
  }
}

TEST(StreamTest, HasDefaults) {
  const auto none = ParseStreams("");
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
  const auto streams = ParseStreams("channel=a");
  ASSERT_TRUE(streams.ok());
  ASSERT_EQ(streams->size(), 1u);
  EXPECT_EQ(streams->front().via, Via::kNone);
  EXPECT_EQ(streams->front().per_client, 1u);
}

TEST(StreamTest, EveryKeyIsRead) {
  const auto streams = ParseStreams(
      "name=q,channel=q:{n},channels=10,per_client=3,via=kafka,topic=t,partitions=4,header=h,rate="
      "2.5,count=9,"
      "burst=10,burst_at=1,burst_for=2,bytes=99,fill=text,keys=7,pick=zipf;channel=b,via=ephemeral,"
      "rate=1");
  ASSERT_TRUE(streams.ok()) << streams.status();
  ASSERT_EQ(streams->size(), 2u);
  const StreamOptions& stream = streams->front();
  EXPECT_EQ(stream.name, "q");
  EXPECT_EQ(stream.channel, "q:{n}");
  EXPECT_EQ(stream.channels, 10u);
  EXPECT_EQ(stream.per_client, 3u);
  EXPECT_EQ(stream.via, Via::kKafka);
  EXPECT_EQ(stream.topic, "t");
  EXPECT_EQ(stream.partitions, 4);
  EXPECT_EQ(stream.header, "h");
  EXPECT_EQ(stream.rate, 2.5);
  EXPECT_EQ(stream.count, 9u);
  EXPECT_EQ(stream.burst, 10);
  EXPECT_EQ(stream.burst_at, 1);
  EXPECT_EQ(stream.burst_for, 2);
  EXPECT_EQ(stream.bytes, 99u);
  EXPECT_TRUE(stream.text);
  EXPECT_EQ(stream.keys, 7u);
  EXPECT_EQ(stream.pick, Pick::kZipf);
  EXPECT_EQ((*streams)[1].name, "load1");
}

TEST(StreamTest, SaysWhatIsWrong) {
  for (const auto& [text, problem] :
       std::vector<std::pair<const char*, const char*>>{{"chanel=a", "chanel=a: no such key"},
                                                        {"rate=-1", "rate=-1: not a value"},
                                                        {"via=smoke", "via=smoke"},
                                                        {"channels=2,channel=a", "needs {n}"},
                                                        {"channels=0", "channels is 1 to"},
                                                        {"per_client=2", "at most channels"},
                                                        {"via=ephemeral", "rate or count"},
                                                        {"via=kafka,rate=1", "topic is missing"}}) {
    EXPECT_THAT(std::string(ParseStreams(text).status().message()), HasSubstr(problem)) << text;
  }
}

TEST(StreamTest, ClientsShareTheChannelsEvenly) {
  StreamOptions stream;
  stream.channels = 10;
  stream.per_client = 3;
  std::vector<int> counts(10);
  for (uint64_t i = 0; i < 10; ++i) {
    for (uint32_t j = 0; j < 3; ++j) ++counts[stream.ChannelOf(i, j)];
  }
  EXPECT_THAT(counts, ::testing::Each(3));
  EXPECT_EQ(stream.ChannelOf(5'000'000'000, 2), 2u);
}

TEST(ClientOptionsTest, SlowClientsAreSpreadEvenly) {
  ClientOptions options;
  options.slow_share = 0.01;
  int slow = 0;
  for (uint64_t i = 0; i < 1000; ++i) slow += options.is_slow(i) ? 1 : 0;
  EXPECT_EQ(slow, 10);
  options.slow_share = 0;
  EXPECT_FALSE(options.is_slow(0));
}

TEST(ReplacedTest, ReplacesEveryOne) {
  EXPECT_EQ(Replaced("a{n}b{n}", "n", "12"), "a12b12");
  EXPECT_EQ(Replaced("a{i}", "n", "12"), "a{i}");
}

}  // namespace
}  // namespace spillway::load
