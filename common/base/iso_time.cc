#include "common/base/iso_time.h"

#include <time.h>

#include <array>
#include <chrono>
#include <cstdio>

namespace spillway {

std::string IsoTime(WallTime time) {
  const auto millis =
      std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const int64_t fraction = (millis % 1000 + 1000) % 1000;
  const auto seconds = static_cast<time_t>((millis - fraction) / 1000);
  struct tm parts {};
  gmtime_r(&seconds, &parts);
  std::array<char, 96> text;
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                    parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                    parts.tm_min, parts.tm_sec, static_cast<int>(fraction));
  return std::string(text.data(), static_cast<size_t>(length));
}

}  // namespace spillway
