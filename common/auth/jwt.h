#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/claims.h"
#include "common/base/clock.h"

namespace spillway::auth {

// Why a token is refused. The codes are part of the protocol and of the audit log: they never
// change.
enum class JwtError : uint8_t {
  kNone,
  kMissing,        // token_missing
  kMalformed,      // token_malformed
  kBadSignature,   // token_bad_signature; also every algorithm that is not accepted
  kExpired,        // token_expired
  kNotYetValid,    // token_not_yet_valid
  kWrongIssuer,    // token_wrong_issuer
  kWrongAudience,  // token_wrong_audience
};

// The stable code ("token_expired"); "" for kNone.
std::string_view JwtErrorCode(JwtError error);
// What happened and what to do, in one sentence that is safe to show to the client.
std::string_view JwtErrorMessage(JwtError error);

struct JwtResult {
  JwtError error = JwtError::kNone;
  Claims claims;       // only when ok()
  std::string detail;  // for the log: what exactly was wrong. Never holds the token.

  bool ok() const { return error == JwtError::kNone; }
};

struct JwtOptions {
  // HMAC secrets; a token signed with any of them is accepted, so that a secret can be replaced
  // while tokens of the old one live. At least one, none empty.
  std::vector<std::string> secrets;
  std::string issuer;    // required "iss"; any when empty
  std::string audience;  // required in "aud"; any when empty
  bool require_exp = false;
  // How far the issuer's clock may be off.
  std::chrono::seconds leeway{30};
};

// Verifies signed tokens (RFC 7519 in the compact form of RFC 7515) with HS256 (RFC 7518,
// section 3.2). The signature is checked in constant time, before anything of the payload is read.
// Only HS256: "none" and all others are refused. Immutable after Create: any thread may call
// Verify. Owned by the composition root.
class JwtVerifier {
 public:
  static constexpr size_t kMaxTokenBytes = 8 * 1024;
  // RFC 7518, section 3.2: a key of the hash's size or larger must be used. Shorter ones are
  // accepted, since they are in use; has_short_secret() lets the application warn.
  static constexpr size_t kLeastSecretBytes = 32;

  // `clock` must outlive the verifier. InvalidArgument for unusable options.
  static absl::StatusOr<std::unique_ptr<JwtVerifier>> Create(const JwtOptions& options,
                                                             const Clock& clock);
  ~JwtVerifier();

  JwtResult Verify(std::string_view token) const;
  bool has_short_secret() const { return has_short_secret_; }

 private:
  struct Keys;
  JwtVerifier(const JwtOptions& options, const Clock& clock, std::unique_ptr<Keys> keys);
  JwtResult CheckClaims(Claims claims) const;

  const std::string issuer_;
  const std::string audience_;
  const bool require_exp_;
  const std::chrono::seconds leeway_;
  const Clock& clock_;
  const std::unique_ptr<Keys> keys_;
  bool has_short_secret_ = false;
};

// Signs `claims_json` (a JSON object) with HS256. For tools and tests: Spillway issues no tokens
// itself.
absl::StatusOr<std::string> SignHs256(std::string_view secret, std::string_view claims_json);

}  // namespace spillway::auth
