#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/algorithm.h"
#include "common/auth/verify_key.h"

namespace spillway::auth {

// The keys of one issuer, as of one moment. Immutable; any thread.
class KeySet {
 public:
  static constexpr size_t kMaxBytes = 256 * 1024;  // of a text with keys
  static constexpr size_t kMaxKeys = 100;          // in it
  static constexpr size_t kMaxKidBytes = 256;
  // Of the keys that fit a token that names none: more are not tried.
  static constexpr size_t kMaxTries = 16;

  using Made = absl::StatusOr<std::shared_ptr<const KeySet>>;

  // Each makes a set of at least one key, with `allowed` as its bound of algorithms, or says by
  // InvalidArgument what is wrong, without a word of the text.

  // One secret in each line.
  static Made FromSecretLines(std::string_view text, AlgorithmSet allowed);
  static Made FromSecrets(const std::vector<std::string>& secrets, AlgorithmSet allowed);
  // PEM: every public key in it, and the first certificate's. A certificate's dates do not count.
  static Made FromPem(std::string_view text, AlgorithmSet allowed);
  // A JSON Web Key Set (RFC 7517). `trusted`: it comes from the operator, may hold secrets (`oct`),
  // and is wrong if a key in it is unfit. Otherwise such a key is left out. Keys for encryption,
  // and of an unknown kind, are left out either way.
  static Made FromJwks(std::string_view text, AlgorithmSet allowed, bool trusted);

  enum class Verdict : uint8_t {
    kMatches,
    kNoMatch,
    kUnknownKey,  // no key here has this kid, and none that fits is without one
  };
  // `kid` "": the token names none, and every key that fits is tried. Else those of that name; if
  // there are none, those without a name.
  Verdict Check(Algorithm algorithm, std::string_view kid, std::string_view text,
                std::string_view signature) const;

  size_t size() const { return keys_.size(); }
  bool has_short_secret() const { return has_short_secret_; }
  // For the log: why keys were left out.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  static Made Finish(KeySet set, absl::string_view none);

  std::vector<std::shared_ptr<const VerifyKey>> keys_;
  std::vector<std::string> left_out_;
  bool has_short_secret_ = false;
};

}  // namespace spillway::auth
