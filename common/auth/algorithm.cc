#include "common/auth/algorithm.h"

#include <array>

namespace spillway::auth {
namespace {

// In the order of Algorithm.
constexpr std::array<std::string_view, kAlgorithms> kNames = {
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
    "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};

}  // namespace

std::optional<Algorithm> ParseAlgorithm(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

std::string_view NameOf(Algorithm algorithm) { return kNames[static_cast<size_t>(algorithm)]; }

}  // namespace spillway::auth
