#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "common/base/backoff.h"
#include "common/base/iso_time.h"
#include "common/base/json_text.h"
#include "common/base/mutex.h"

namespace spillway {
namespace {

using std::chrono::milliseconds;

TEST(JsonTextTest, EscapesWhatJsonWants) {
  EXPECT_EQ(JsonString("plain"), "\"plain\"");
  EXPECT_EQ(JsonString("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  EXPECT_EQ(JsonString("\n\r\t"), "\"\\n\\r\\t\"");
  EXPECT_EQ(JsonString(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\\u007f\"");
  EXPECT_EQ(JsonString("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

// Text is looked at in words: every byte at every place in them, beside every other.
TEST(JsonTextTest, FindsWhatToEscapeWhereverItStands) {
  for (int value = 0; value < 256; ++value) {
    const std::string alone(1, static_cast<char>(value));
    std::string escaped = JsonString(alone);
    escaped = escaped.substr(1, escaped.size() - 2);
    for (size_t before = 0; before < 18; ++before) {
      for (size_t after : {size_t{0}, size_t{1}, size_t{9}}) {
        const std::string text = std::string(before, 'a') + alone + std::string(after, '~');
        EXPECT_EQ(JsonString(text),
                  '"' + std::string(before, 'a') + escaped + std::string(after, '~') + '"')
            << value << " at " << before;
      }
    }
    const bool plain = value >= 0x20 && value < 0x7F && value != '"' && value != '\\';
    EXPECT_EQ(escaped == alone, plain) << value;
  }
}

TEST(JsonTextTest, ReplacesWhatIsNotUtf8) {
  const std::string bad = "\"\xEF\xBF\xBD\"";
  EXPECT_EQ(JsonString("\xFF"), bad);
  EXPECT_EQ(JsonString("\xC3"), bad);                                 // cut short
  EXPECT_EQ(JsonString("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");  // overlong
  EXPECT_EQ(Utf8SequenceLength("\xED\xA0\x80"), 0u);                  // surrogate
  EXPECT_EQ(Utf8SequenceLength("\xF4\x90\x80\x80"), 0u);              // above U+10FFFF
  EXPECT_EQ(Utf8SequenceLength("\xF4\x8F\xBF\xBF"), 4u);
  EXPECT_EQ(Utf8SequenceLength(""), 0u);
}

TEST(JsonTextTest, NumbersThatJsonLacksAreNull) {
  std::string out;
  AppendJsonNumber(&out, 0.1);
  out += ' ';
  AppendJsonNumber(&out, std::numeric_limits<double>::infinity());
  out += ' ';
  AppendJsonNumber(&out, 1e300);
  EXPECT_EQ(out, "0.1 null 1e+300");
}

TEST(IsoTimeTest, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(IsoTime(WallTime(milliseconds(1'767'225'600'123))), "2026-01-01T00:00:00.123Z");
  EXPECT_EQ(IsoTime(WallTime(milliseconds(-1))), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(IsoTime(WallTime()), "1970-01-01T00:00:00.000Z");
}

TEST(BackoffTest, GrowsToTheLimitAndStartsAgain) {
  Backoff backoff({milliseconds(100), milliseconds(1000), 2.0, 0.2}, [] { return 0.5; });
  EXPECT_EQ(backoff.Next(), milliseconds(100));
  EXPECT_EQ(backoff.Next(), milliseconds(200));
  EXPECT_EQ(backoff.Next(), milliseconds(400));
  EXPECT_EQ(backoff.Next(), milliseconds(800));
  EXPECT_EQ(backoff.Next(), milliseconds(1000));
  EXPECT_EQ(backoff.Next(), milliseconds(1000));
  EXPECT_EQ(backoff.attempts(), 6u);
  backoff.Reset();
  EXPECT_EQ(backoff.attempts(), 0u);
  EXPECT_EQ(backoff.Next(), milliseconds(100));
}

TEST(BackoffTest, JitterStaysInItsBounds) {
  double random = 0.0;
  Backoff backoff({milliseconds(100), milliseconds(150), 2.0, 0.2}, [&random] { return random; });
  EXPECT_EQ(backoff.Next(), milliseconds(80));
  random = 0.999999;
  EXPECT_EQ(backoff.Next(), milliseconds(150));  // never above the limit
  random = 0.0;
  EXPECT_EQ(backoff.Next(), milliseconds(120));
}

TEST(MutexTest, CondVarWakesAWaiter) {
  Mutex mutex;
  CondVar cond;
  bool ready = false;
  std::thread setter([&] {
    MutexLock lock(mutex);
    ready = true;
    cond.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (!ready) cond.Wait(mutex);
  }
  setter.join();
  EXPECT_TRUE(mutex.TryLock());
  EXPECT_FALSE(cond.WaitUntil(mutex, std::chrono::steady_clock::time_point()));
  mutex.Unlock();
}

}  // namespace
}  // namespace spillway
