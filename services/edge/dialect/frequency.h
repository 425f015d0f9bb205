#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::edge {

// How often a subscription is sent to: every event at once, or the latest of each key at a rate
// that the configuration sets. The names are part of the client protocol (docs/protocol-json.md).
enum class Frequency : uint8_t {
  kHigh,  // every event, at once
  kNormal,
  kLow,
  kBackground,
};
constexpr size_t kFrequencies = 4;
constexpr std::array<std::string_view, kFrequencies> kFrequencyNames = {"high", "normal", "low",
                                                                        "background"};

constexpr std::string_view NameOf(Frequency frequency) {
  return kFrequencyNames[static_cast<size_t>(frequency)];
}

constexpr std::optional<Frequency> ParseFrequency(std::string_view name) {
  for (size_t i = 0; i < kFrequencies; ++i) {
    if (kFrequencyNames[i] == name) return static_cast<Frequency>(i);
  }
  return std::nullopt;
}

}  // namespace spillway::edge
