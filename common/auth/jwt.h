#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/algorithm.h"
#include "common/auth/claims.h"
#include "common/auth/key_source.h"
#include "common/base/clock.h"

namespace spillway::auth {

// Why a token is refused. The codes are part of the protocol and of the audit log: they never
// change.
enum class JwtError : uint8_t {
  kNone,
  kMissing,          // token_missing
  kMalformed,        // token_malformed
  kBadSignature,     // token_bad_signature; also every algorithm and key that is not accepted
  kExpired,          // token_expired
  kNotYetValid,      // token_not_yet_valid
  kWrongIssuer,      // token_wrong_issuer
  kWrongAudience,    // token_wrong_audience
  kKeysUnavailable,  // token_keys_unavailable: the same token may be good in a moment
};
constexpr size_t kJwtErrors = 9;

// The stable code ("token_expired"); "" for kNone.
std::string_view JwtErrorCode(JwtError error);
// What happened and what to do, in one sentence that is safe to show to the client.
std::string_view JwtErrorMessage(JwtError error);

struct JwtResult {
  JwtError error = JwtError::kNone;
  Claims claims;       // only when ok()
  size_t issuer = 0;   // the same number for all tokens of one issuer; only when ok()
  std::string detail;  // for the log: what exactly was wrong. Never holds the token.

  bool ok() const { return error == JwtError::kNone; }
};

// Somebody whose tokens are accepted.
struct JwtIssuer {
  std::string issuer;    // "iss" of the tokens; any that no other issuer has when empty
  std::string audience;  // required in "aud"; any when empty
  std::shared_ptr<KeySource> keys;
};

struct JwtOptions {
  // The short form of one issuer: HS256 with any of these, so that a secret can be replaced while
  // tokens of the old one live. None empty.
  std::vector<std::string> secrets;
  std::string issuer;    // required "iss"; any when empty
  std::string audience;  // required in "aud"; any when empty
  // Beside it, or instead. Several may have the same `issuer`: any key of theirs will do.
  std::vector<JwtIssuer> issuers = {};
  bool require_exp = false;
  // How far the issuer's clock may be off.
  std::chrono::seconds leeway{30};
};

// Verifies signed tokens (RFC 7519 in the compact form of RFC 7515). The algorithm is one of
// Algorithm, and is tried only with keys of its own kind that are for it, of the issuer that the
// token names. Nothing of a token is believed before its signature was checked, but for `iss`,
// which, with several issuers, says whose keys to take. What a header says about keys (jku, jwk,
// x5u, x5c) is never followed.
//
// Immutable after Create, but for the keys of its sources: any thread may call Verify, which takes
// no lock that is held for longer than a few instructions, and never waits for keys. Owned by the
// composition root.
class JwtVerifier {
 public:
  static constexpr size_t kMaxTokenBytes = 8 * 1024;
  static constexpr size_t kLeastSecretBytes = VerifyKey::kLeastSecretBytes;

  // `clock` must outlive the verifier. InvalidArgument for unusable options.
  static absl::StatusOr<std::unique_ptr<JwtVerifier>> Create(const JwtOptions& options,
                                                             const Clock& clock);

  JwtResult Verify(std::string_view token) const;
  // Of those that are known so far: shorter ones are accepted, since they are in use; the
  // application may warn.
  bool has_short_secret() const;
  std::chrono::seconds leeway() const { return leeway_; }

 private:
  // A token in compact form, its parts still encoded.
  struct Parts;
  enum class Verdict : uint8_t { kMatches, kNoMatch, kUnavailable };

  JwtVerifier(const JwtOptions& options, std::vector<JwtIssuer> issuers, const Clock& clock)
      : issuers_(std::move(issuers)),
        require_exp_(options.require_exp),
        leeway_(options.leeway),
        clock_(clock) {}

  // The first of the issuers with this one's name.
  size_t NumberOf(const JwtIssuer& issuer) const;
  // Whether tokens with this `iss` are this issuer's.
  bool IsFor(const JwtIssuer& issuer, std::string_view iss) const;
  static Verdict CheckSignature(const JwtIssuer& issuer, Algorithm algorithm, std::string_view kid,
                                std::string_view text, std::string_view signature);
  JwtResult CheckClaims(const JwtIssuer& issuer, Claims claims) const;

  const std::vector<JwtIssuer> issuers_;
  const bool require_exp_;
  const std::chrono::seconds leeway_;
  const Clock& clock_;
};

// Signs `claims_json` (a JSON object) with HS256. For tools and tests: Spillway issues no tokens
// itself.
absl::StatusOr<std::string> SignHs256(std::string_view secret, std::string_view claims_json);

}  // namespace spillway::auth
