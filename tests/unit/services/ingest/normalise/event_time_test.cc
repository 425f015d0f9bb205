#include "services/ingest/normalise/event_time.h"

#include <gtest/gtest.h>

namespace spillway::ingest {
namespace {

constexpr int64_t kJan31 = 1769846400;  // 2026-01-31T08:00:00Z

TEST(EventTimeTest, Numbers) {
  EXPECT_EQ(ParseEventTime("1769846400", TimeUnit::kSeconds), kJan31 * 1000000);
  EXPECT_EQ(ParseEventTime("1769846400.25", TimeUnit::kSeconds), kJan31 * 1000000 + 250000);
  EXPECT_EQ(ParseEventTime("1769846400250", TimeUnit::kMillis), kJan31 * 1000000 + 250000);
  EXPECT_EQ(ParseEventTime("1769846400250.5", TimeUnit::kMillis), kJan31 * 1000000 + 250500);
  EXPECT_EQ(ParseEventTime("1769846400250001", TimeUnit::kMicros), kJan31 * 1000000 + 250001);
  EXPECT_EQ(ParseEventTime("1769846400250001999", TimeUnit::kNanos), kJan31 * 1000000 + 250001);
  EXPECT_EQ(ParseEventTime("-1.5", TimeUnit::kSeconds), -1500000);
  EXPECT_EQ(ParseEventTime("0", TimeUnit::kMillis), 0);
  for (const char* bad :
       {"", "x", "1x", "1.", ".5", "1e9", "99999999999999999999", "1.2.3", " 1"}) {
    EXPECT_EQ(ParseEventTime(bad, TimeUnit::kSeconds), std::nullopt) << bad;
  }
  EXPECT_EQ(ParseEventTime("1769846400250", TimeUnit::kSeconds), std::nullopt) << "year 58053";
  EXPECT_EQ(ParseEventTime("9223372036854775807", TimeUnit::kMillis), std::nullopt);
}

TEST(EventTimeTest, Iso8601) {
  const auto iso = [](const char* text) { return ParseEventTime(text, TimeUnit::kIso8601); };
  EXPECT_EQ(iso("2026-01-31T08:00:00Z"), kJan31 * 1000000);
  EXPECT_EQ(iso("2026-01-31T08:00:00.250Z"), kJan31 * 1000000 + 250000);
  EXPECT_EQ(iso("2026-01-31T08:00:00.1234567Z"), kJan31 * 1000000 + 123456);
  EXPECT_EQ(iso("2026-01-31T09:30:00+01:30"), kJan31 * 1000000);
  EXPECT_EQ(iso("2026-01-31T06:00:00-0200"), kJan31 * 1000000);
  EXPECT_EQ(iso("2026-01-31 08:00"), kJan31 * 1000000);
  EXPECT_EQ(iso("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(iso("2024-02-29T00:00:00Z"), int64_t{1709164800} * 1000000);
  for (const char* bad :
       {"", "2026", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T08:60:00Z", "2026-01-31T08:00:00.Z", "2026-01-31T08:00:00Zx",
        "2026-01-31T08:00:00+", "2026-01-31T08:00:00+25:00", "26-01-31T08:00:00Z"}) {
    EXPECT_EQ(iso(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace spillway::ingest
