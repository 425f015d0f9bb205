#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace spillway::auth {

// How tokens may be signed (RFC 7518, section 3.1; EdDSA: RFC 8037, with Ed25519). There is no
// "none".
enum class Algorithm : uint8_t {
  kHs256,
  kHs384,
  kHs512,
  kRs256,
  kRs384,
  kRs512,
  kPs256,
  kPs384,
  kPs512,
  kEs256,
  kEs384,
  kEs512,
  kEdDsa,
};
constexpr size_t kAlgorithms = 13;

// Of the `alg` member, compared exactly; nothing for any other text.
std::optional<Algorithm> ParseAlgorithm(std::string_view name);
std::string_view NameOf(Algorithm algorithm);

// A plain value.
class AlgorithmSet {
 public:
  constexpr AlgorithmSet() = default;
  constexpr AlgorithmSet(std::initializer_list<Algorithm> algorithms) {
    for (const Algorithm algorithm : algorithms) Add(algorithm);
  }
  static constexpr AlgorithmSet All() {
    AlgorithmSet all;
    all.bits_ = (1U << kAlgorithms) - 1;
    return all;
  }

  constexpr void Add(Algorithm algorithm) { bits_ |= 1U << static_cast<unsigned>(algorithm); }
  constexpr bool Has(Algorithm algorithm) const {
    return (bits_ >> static_cast<unsigned>(algorithm) & 1U) != 0;
  }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr AlgorithmSet operator&(AlgorithmSet other) const {
    other.bits_ &= bits_;
    return other;
  }
  bool operator==(const AlgorithmSet&) const = default;

 private:
  uint32_t bits_ = 0;
};

// What each kind of key is for. A token's algorithm is only ever tried with keys of its own kind,
// so that none can be taken for another's.
inline constexpr AlgorithmSet kSecretAlgorithms = {Algorithm::kHs256, Algorithm::kHs384,
                                                   Algorithm::kHs512};
inline constexpr AlgorithmSet kPssAlgorithms = {Algorithm::kPs256, Algorithm::kPs384,
                                                Algorithm::kPs512};
inline constexpr AlgorithmSet kRsaAlgorithms = {Algorithm::kRs256, Algorithm::kRs384,
                                                Algorithm::kRs512, Algorithm::kPs256,
                                                Algorithm::kPs384, Algorithm::kPs512};

// All but those of secrets.
inline constexpr AlgorithmSet kPublicAlgorithms = {
    Algorithm::kRs256, Algorithm::kRs384, Algorithm::kRs512, Algorithm::kPs256, Algorithm::kPs384,
    Algorithm::kPs512, Algorithm::kEs256, Algorithm::kEs384, Algorithm::kEs512, Algorithm::kEdDsa};

}  // namespace spillway::auth
