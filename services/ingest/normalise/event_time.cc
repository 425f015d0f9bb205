#include "services/ingest/normalise/event_time.h"

#include <charconv>
#include <chrono>

namespace spillway::ingest {
namespace {

constexpr int64_t kSecond = 1000000;
constexpr int64_t kMaxMicros = 253402300799 * kSecond + 999999;  // the end of year 9999
constexpr int64_t kMinMicros = -62167219200 * kSecond;           // the start of year 0

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<int64_t> InRange(int64_t micros) {
  if (micros < kMinMicros || micros > kMaxMicros) return std::nullopt;
  return micros;
}

// Takes exactly `digits` digits off the front.
bool TakeNumber(std::string_view& text, size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (!IsDigit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool Take(std::string_view& text, std::string_view any) {
  if (text.empty() || any.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Digits after a point, as millionths; the rest is cut off. False without digits.
bool TakeFraction(std::string_view& text, int64_t& millionths) {
  size_t count = 0;
  millionths = 0;
  for (; count < text.size() && IsDigit(text[count]); ++count) {
    if (count < 6) millionths = millionths * 10 + (text[count] - '0');
  }
  for (size_t i = count; i < 6; ++i) millionths *= 10;
  text.remove_prefix(count);
  return count > 0;
}

std::optional<int64_t> ParseIso(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!TakeNumber(text, 4, year) || !Take(text, "-") || !TakeNumber(text, 2, month) ||
      !Take(text, "-") || !TakeNumber(text, 2, day) || !Take(text, "Tt ") ||
      !TakeNumber(text, 2, hour) || !Take(text, ":") || !TakeNumber(text, 2, minute)) {
    return std::nullopt;
  }
  int64_t fraction = 0;
  if (Take(text, ":")) {
    if (!TakeNumber(text, 2, second)) return std::nullopt;
    if (Take(text, ".,") && !TakeFraction(text, fraction)) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  int64_t offset = 0;
  if (!text.empty() && !Take(text, "Zz")) {
    const bool minus = text[0] == '-';
    int offset_hours = 0;
    int offset_minutes = 0;
    if (!Take(text, "+-") || !TakeNumber(text, 2, offset_hours)) return std::nullopt;
    Take(text, ":");
    if (!text.empty() && !TakeNumber(text, 2, offset_minutes)) return std::nullopt;
    if (offset_hours > 23 || offset_minutes > 59) return std::nullopt;
    offset = (offset_hours * 60 + offset_minutes) * (minus ? -60 : 60);
  }
  if (!text.empty()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return InRange((days * 86400 + hour * 3600 + minute * 60 + second - offset) * kSecond + fraction);
}

}  // namespace

std::optional<int64_t> ParseEventTime(std::string_view text, TimeUnit unit) {
  if (unit == TimeUnit::kIso8601) return ParseIso(text);
  int64_t whole = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc()) return std::nullopt;
  int64_t millionths = 0;
  if (rest != end) {
    std::string_view tail(rest, static_cast<size_t>(end - rest));
    if (!Take(tail, ".") || !TakeFraction(tail, millionths) || !tail.empty()) return std::nullopt;
    if (text[0] == '-') millionths = -millionths;
  }
  switch (unit) {
    case TimeUnit::kSeconds:
      if (whole < kMinMicros / kSecond || whole > kMaxMicros / kSecond) return std::nullopt;
      return InRange(whole * kSecond + millionths);
    case TimeUnit::kMillis:
      if (whole < kMinMicros / 1000 || whole > kMaxMicros / 1000) return std::nullopt;
      return InRange(whole * 1000 + millionths / 1000);
    case TimeUnit::kMicros:
      return InRange(whole);
    default:
      return InRange(whole / 1000);
  }
}

}  // namespace spillway::ingest
