#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "common/auth/algorithm.h"
#include "common/auth/hmac.h"

using EVP_PKEY = struct evp_pkey_st;

namespace spillway::auth {

struct PublicKeyFree {
  void operator()(EVP_PKEY* key) const;
};
using PublicKey = std::unique_ptr<EVP_PKEY, PublicKeyFree>;

// One key that tokens are checked with, made once, and the algorithms that it is for: those of its
// kind (of an EC key, the one of its curve) that its owner allows. Immutable; any thread.
//
// By OpenSSL and not by libcjose: that knows no EdDSA, copies the token and makes a JSON tree of
// its header for every check, and sets the key up anew each time.
class VerifyKey {
 public:
  static constexpr int kLeastRsaBits = 2048;  // RFC 7518, section 3.3
  static constexpr int kMostRsaBits = 8192;   // a check takes a time that grows with it
  // RFC 7518, section 3.2: a key of the hash's size or larger must be used; this is HS256's.
  static constexpr size_t kLeastSecretBytes = 32;

  using Made = absl::StatusOr<std::shared_ptr<const VerifyKey>>;

  // InvalidArgument if it is empty, or `allowed` has nothing for its kind.
  static Made FromSecret(std::string_view secret, AlgorithmSet allowed, std::string kid = {});
  // The same for an unfit key: another kind or curve, RSA with too few bits, a point off its curve.
  static Made FromPublicKey(PublicKey key, AlgorithmSet allowed, std::string kid = {});

  // "": it has none.
  const std::string& kid() const { return kid_; }
  AlgorithmSet algorithms() const { return algorithms_; }
  bool is_short_secret() const { return is_short_secret_; }

  // Whether the signature is that of `text` by this key. Not for an algorithm that it does not
  // have. `signature` as it stands in a token, decoded: of ES*, both numbers in their full length.
  bool Matches(Algorithm algorithm, std::string_view text, std::string_view signature) const;

 private:
  VerifyKey(AlgorithmSet algorithms, std::string kid)
      : algorithms_(algorithms), kid_(std::move(kid)) {}

  const AlgorithmSet algorithms_;
  const std::string kid_;
  bool is_short_secret_ = false;
  std::array<std::unique_ptr<Hmac>, 3> macs_;  // of a secret: HS256, 384, 512
  PublicKey key_;                              // of all others
};

}  // namespace spillway::auth
