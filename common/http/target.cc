#include "common/http/target.h"

#include <cstdint>

namespace spillway::http {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    out.push_back(c);
  }
  return out;
}

std::optional<Target> ParseTarget(std::string_view target) {
  if (!target.starts_with('/')) return std::nullopt;
  target = target.substr(0, target.find('#'));  // never sent by a correct client
  const size_t mark = target.find('?');
  const std::string_view encoded = target.substr(0, mark);
  // Once decoded it would part segments: what a caller means as one value would be another path.
  if (encoded.find("%2F") != encoded.npos || encoded.find("%2f") != encoded.npos) {
    return std::nullopt;
  }
  Target out;
  auto path = PercentDecode(encoded, false);
  if (!path.has_value()) return std::nullopt;
  out.path = *std::move(path);
  if (mark == std::string_view::npos) return out;

  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    auto key = PercentDecode(pair.substr(0, equals), true);
    auto value = PercentDecode(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!key.has_value() || !value.has_value()) return std::nullopt;
    out.query.emplace_back(*std::move(key), *std::move(value));
  }
  return out;
}

}  // namespace spillway::http
