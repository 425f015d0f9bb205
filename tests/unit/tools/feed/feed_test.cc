#include "tools/feed/feed.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <set>

namespace spillway::feed {
namespace {

std::vector<Message> Play(uint64_t seed, int steps) {
  Feed feed({"a1", "a2"}, seed);
  std::vector<Message> out;
  for (int i = 0; i < steps; ++i) feed.Step(1'700'000'000'000 + i * 33, &out);
  return out;
}

TEST(Feed, SameSeedSameMarket) {
  const auto one = Play(5, 500);
  const auto same = Play(5, 500);
  const auto other = Play(6, 500);
  ASSERT_EQ(one.size(), same.size());
  bool differs = one.size() != other.size();
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].value, same[i].value);
    if (!differs) differs = one[i].value != other[i].value;
  }
  EXPECT_TRUE(differs);
}

TEST(Feed, EveryMessageIsJsonOnAKnownTopicWithItsKey) {
  const auto topics = Feed::Topics();
  const std::set<std::string> known(topics.begin(), topics.end());
  simdjson::dom::parser parser;
  std::map<std::string, int> count;
  for (const Message& message : Play(1, 40'000)) {
    ASSERT_TRUE(known.contains(message.topic)) << message.topic;
    ++count[message.topic];
    simdjson::dom::element json;
    ASSERT_EQ(parser.parse(message.value).get(json), simdjson::SUCCESS) << message.value;
    ASSERT_TRUE(json["timestamp"].is_int64()) << message.value;
    const bool market = message.topic.starts_with("market-data.");
    std::string_view id;
    ASSERT_EQ(json[market ? "symbol" : "assessmentId"].get(id), simdjson::SUCCESS);
    ASSERT_EQ(id, message.key);
    if (market) {
      ASSERT_LT(double(json["bid"]), double(json["ask"])) << message.value;
      ASSERT_GT(double(json["price"]), 0);
    }
  }
  for (const std::string& topic : topics) EXPECT_GT(count[topic], 0) << topic;
}

TEST(Feed, PricesStayBelievable) {
  Market market(3);
  const double start = market.price(0);
  for (int i = 0; i < 200'000; ++i) market.Tick(0, i);
  EXPECT_GT(market.price(0), start * 0.6);
  EXPECT_LT(market.price(0), start * 1.6);
}

}  // namespace
}  // namespace spillway::feed
