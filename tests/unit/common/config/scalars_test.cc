#include "common/config/scalars.h"

#include <gtest/gtest.h>

#include <random>

#include "spillway/v1/config_common.pb.h"
#include "spillway/v1/config_route.pb.h"

namespace spillway::config {
namespace {

TEST(ScalarsTest, Durations) {
  EXPECT_EQ(ParseDurationMs("250ms"), 250);
  EXPECT_EQ(ParseDurationMs("30s"), 30000);
  EXPECT_EQ(ParseDurationMs("1.5s"), 1500);
  EXPECT_EQ(ParseDurationMs("5m"), 300000);
  EXPECT_EQ(ParseDurationMs("2h"), 7200000);
  EXPECT_EQ(ParseDurationMs("1d"), 86400000);
  EXPECT_EQ(ParseDurationMs("30000"), 30000);
  EXPECT_EQ(ParseDurationMs(" 30 s "), 30000);
  for (const char* bad : {"", "s", "-5s", "5 parsecs", "5S", "1.5ms", "1.5.5s", "1.s", ".5s", "1e3",
                          "99999999999999999999", "106751991168d"}) {
    EXPECT_EQ(ParseDurationMs(bad), std::nullopt) << bad;
  }
}

TEST(ScalarsTest, Sizes) {
  EXPECT_EQ(ParseBytes("512"), 512);
  EXPECT_EQ(ParseBytes("64KiB"), 65536);
  EXPECT_EQ(ParseBytes("1MB"), 1000000);
  EXPECT_EQ(ParseBytes("1.5GiB"), 1610612736);
  for (const char* bad : {"", "KiB", "-1", "1kib", "1TiB", "9999999999GiB"}) {
    EXPECT_EQ(ParseBytes(bad), std::nullopt) << bad;
  }
}

TEST(ScalarsTest, FormatsReadBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const auto value = static_cast<int64_t>(random() >> (1 + random() % 62));
    EXPECT_EQ(ParseDurationMs(FormatDurationMs(value)), value);
    EXPECT_EQ(ParseBytes(FormatBytes(value)), value);
    EXPECT_EQ(ParseDurationMs(FormatDurationMs(value % 100000 * 1000)), value % 100000 * 1000);
  }
  EXPECT_EQ(FormatDurationMs(90000), "90s");
  EXPECT_EQ(FormatBytes(1 << 20), "1MiB");
}

TEST(ScalarsTest, BooleansAndIntegers) {
  EXPECT_EQ(ParseBool("TRUE"), true);
  EXPECT_EQ(ParseBool("off"), false);
  EXPECT_EQ(ParseBool("1"), std::nullopt);
  EXPECT_EQ(ParseInteger("-12"), -12);
  EXPECT_EQ(ParseInteger("12x"), std::nullopt);
}

TEST(ScalarsTest, EnumNames) {
  EXPECT_EQ(EnumValueNames(*v1::LogLevel_descriptor()),
            (std::vector<std::string>{"debug", "info", "warn", "error"}));
  EXPECT_EQ(FindEnumValue(*v1::SnapshotMode_descriptor(), "by_key")->number(),
            v1::SNAPSHOT_MODE_BY_KEY);
  EXPECT_EQ(FindEnumValue(*v1::LogLevel_descriptor(), "unspecified"), nullptr);
  EXPECT_EQ(FindEnumValue(*v1::TimeFormat_descriptor(), "iso8601")->number(),
            v1::TIME_FORMAT_ISO8601);
}

TEST(ScalarsTest, NearestName) {
  EXPECT_EQ(NearestName("lisen", {"listen", "limits", "log"}), "listen");
  EXPECT_EQ(NearestName("max_subscription", {"max_subscriptions", "max_connections"}),
            "max_subscriptions");
  EXPECT_EQ(NearestName("zzz", {"listen", "log"}), "");
}

}  // namespace
}  // namespace spillway::config
