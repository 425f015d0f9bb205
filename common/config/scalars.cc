#include "common/config/scalars.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

// Largest first: the formatters take the first that divides.
constexpr Unit kDurations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
constexpr Unit kPrintedSizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};
constexpr Unit kSizes[] = {{"B", 1},       {"KiB", 1 << 10}, {"MiB", 1 << 20},   {"GiB", 1 << 30},
                           {"KB", 1000},   {"MB", 1000000},  {"GB", 1000000000}, {"K", 1 << 10},
                           {"M", 1 << 20}, {"G", 1 << 30}};

// A decimal number with a unit, exactly.
template <size_t N>
std::optional<int64_t> ParseWithUnit(std::string_view text, const Unit (&units)[N]) {
  text = Std(absl::StripAsciiWhitespace(Abs(text)));
  const size_t split = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, split);
  const std::string_view name = Std(absl::StripLeadingAsciiWhitespace(Abs(text.substr(split))));
  int64_t factor = name.empty() ? 1 : 0;
  for (const Unit& unit : units) {
    if (unit.name == name) factor = unit.factor;
  }
  if (factor == 0 || number.empty()) return std::nullopt;
  const size_t dot = number.find('.');
  const std::string_view whole_text = number.substr(0, dot);
  int64_t whole = 0;
  if (!absl::SimpleAtoi(Abs(whole_text), &whole)) return std::nullopt;
  int64_t result = 0;
  if (__builtin_mul_overflow(whole, factor, &result)) return std::nullopt;
  if (dot == std::string_view::npos) return result;
  const std::string_view fraction_text = number.substr(dot + 1);
  if (fraction_text.empty() || fraction_text.size() > 6) return std::nullopt;
  int64_t fraction = 0;
  if (!absl::SimpleAtoi(Abs(fraction_text), &fraction)) return std::nullopt;
  int64_t scale = 1;
  for (size_t i = 0; i < fraction_text.size(); ++i) scale *= 10;
  if (fraction * factor % scale != 0) return std::nullopt;
  if (__builtin_add_overflow(result, fraction * factor / scale, &result)) return std::nullopt;
  return result;
}

template <size_t N>
std::string FormatWithUnit(int64_t value, const Unit (&units)[N], std::string_view smallest) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0)
      return absl::StrCat(value / unit.factor, Abs(unit.name));
  }
  return absl::StrCat(value, Abs(value == 0 ? "" : smallest));
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<int64_t> ParseDurationMs(std::string_view text) {
  return ParseWithUnit(text, kDurations);
}

std::string FormatDurationMs(int64_t ms) {
  // 90s reads better than 90000ms, and 25h better than a fraction of days.
  return FormatWithUnit(ms, kDurations, "ms");
}

std::optional<int64_t> ParseBytes(std::string_view text) { return ParseWithUnit(text, kSizes); }

std::string FormatBytes(int64_t bytes) { return FormatWithUnit(bytes, kPrintedSizes, ""); }

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(Abs(text), &value)) return std::nullopt;
  return value;
}

std::optional<bool> ParseBool(std::string_view text) {
  const std::string lower = absl::AsciiStrToLower(Abs(text));
  if (lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "false" || lower == "no" || lower == "off") return false;
  return std::nullopt;
}

std::string EnumValueName(const google::protobuf::EnumValueDescriptor& value) {
  // Buf's style: every value starts with UPPER_SNAKE(EnumName)_.
  const size_t prefix = [&] {
    size_t length = 1;
    const std::string& type = value.type()->name();
    for (size_t i = 0; i < type.size(); ++i) {
      const bool upper = absl::ascii_isupper(static_cast<unsigned char>(type[i]));
      length += upper && i > 0 ? 2 : 1;
    }
    return length;
  }();
  return absl::AsciiStrToLower(value.name().substr(std::min(prefix, value.name().size())));
}

std::vector<std::string> EnumValueNames(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(EnumValueName(*type.value(i)));
  }
  return names;
}

const google::protobuf::EnumValueDescriptor* FindEnumValue(
    const google::protobuf::EnumDescriptor& type, std::string_view name) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0 && EnumValueName(*type.value(i)) == name) return type.value(i);
  }
  return nullptr;
}

std::string NearestName(std::string_view text, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, text.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(text, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace spillway::config
