#include "common/auth/jwt.h"

#include <cjose/cjose.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace spillway::auth {
namespace {

struct JwkRelease {
  void operator()(cjose_jwk_t* jwk) const { cjose_jwk_release(jwk); }
};
struct JwsRelease {
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
struct HeaderRelease {
  void operator()(cjose_header_t* header) const { cjose_header_release(header); }
};
using Jwk = std::unique_ptr<cjose_jwk_t, JwkRelease>;
using Jws = std::unique_ptr<cjose_jws_t, JwsRelease>;
using Header = std::unique_ptr<cjose_header_t, HeaderRelease>;

Jwk MakeKey(std::string_view secret) {
  cjose_err error{};
  return Jwk(cjose_jwk_create_oct_spec(reinterpret_cast<const uint8_t*>(secret.data()),
                                       secret.size(), &error));
}

JwtResult Refuse(JwtError error, std::string detail) {
  JwtResult result;
  result.error = error;
  result.detail = std::move(detail);
  return result;
}

// Three parts of base64url text. libcjose takes more than that (padding, the other alphabet,
// embedded NULs), and one token must have one spelling.
bool IsCompactForm(std::string_view token) {
  size_t dots = 0;
  for (const char c : token) {
    const bool base64url = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.') {
      ++dots;
    } else if (!base64url) {
      return false;
    }
  }
  return dots == 2;
}

}  // namespace

std::string_view JwtErrorCode(JwtError error) {
  switch (error) {
    case JwtError::kNone:
      return "";
    case JwtError::kMissing:
      return "token_missing";
    case JwtError::kMalformed:
      return "token_malformed";
    case JwtError::kBadSignature:
      return "token_bad_signature";
    case JwtError::kExpired:
      return "token_expired";
    case JwtError::kNotYetValid:
      return "token_not_yet_valid";
    case JwtError::kWrongIssuer:
      return "token_wrong_issuer";
    case JwtError::kWrongAudience:
      return "token_wrong_audience";
  }
  return "";
}

std::string_view JwtErrorMessage(JwtError error) {
  switch (error) {
    case JwtError::kNone:
      return "";
    case JwtError::kMissing:
      return "No token was given: connect with a JSON Web Token.";
    case JwtError::kMalformed:
      return "The token is not a well-formed JSON Web Token: send it whole and unchanged, at most "
             "8 KiB.";
    case JwtError::kBadSignature:
      return "The token's signature is not valid: get a token signed with HS256 by the issuer this "
             "server trusts.";
    case JwtError::kExpired:
      return "The token has expired: get a new one and connect again.";
    case JwtError::kNotYetValid:
      return "The token is not valid yet: wait until its start time, or check the issuer's clock.";
    case JwtError::kWrongIssuer:
      return "The token is from another issuer: get one from the issuer this server trusts.";
    case JwtError::kWrongAudience:
      return "The token is meant for another service: get one for this service's audience.";
  }
  return "";
}

struct JwtVerifier::Keys {
  std::vector<Jwk> list;
};

absl::StatusOr<std::unique_ptr<JwtVerifier>> JwtVerifier::Create(const JwtOptions& options,
                                                                 const Clock& clock) {
  if (options.secrets.empty()) {
    return absl::InvalidArgumentError("no JWT secret is set: give at least one");
  }
  auto keys = std::make_unique<Keys>();
  for (const std::string& secret : options.secrets) {
    if (secret.empty()) return absl::InvalidArgumentError("a JWT secret is empty");
    Jwk key = MakeKey(secret);
    if (key == nullptr) return absl::InvalidArgumentError("a JWT secret cannot be used as a key");
    keys->list.push_back(std::move(key));
  }
  return std::unique_ptr<JwtVerifier>(new JwtVerifier(options, clock, std::move(keys)));
}

JwtVerifier::JwtVerifier(const JwtOptions& options, const Clock& clock, std::unique_ptr<Keys> keys)
    : issuer_(options.issuer),
      audience_(options.audience),
      require_exp_(options.require_exp),
      leeway_(options.leeway),
      clock_(clock),
      keys_(std::move(keys)),
      has_short_secret_(
          std::any_of(options.secrets.begin(), options.secrets.end(),
                      [](const auto& secret) { return secret.size() < kLeastSecretBytes; })) {}

JwtVerifier::~JwtVerifier() = default;

JwtResult JwtVerifier::Verify(std::string_view token) const {
  if (token.empty()) return Refuse(JwtError::kMissing, "empty");
  if (token.size() > kMaxTokenBytes) return Refuse(JwtError::kMalformed, "above the size limit");
  if (!IsCompactForm(token)) return Refuse(JwtError::kMalformed, "not three base64url parts");
  cjose_err error{};
  const Jws jws(cjose_jws_import(token.data(), token.size(), &error));
  if (jws == nullptr) return Refuse(JwtError::kMalformed, "not a signed token");

  cjose_header_t* header = cjose_jws_get_protected(jws.get());  // the token's own
  const char* algorithm = cjose_header_get(header, CJOSE_HDR_ALG, &error);
  if (algorithm == nullptr || std::string_view(algorithm) != CJOSE_HDR_ALG_HS256) {
    return Refuse(JwtError::kBadSignature, "the algorithm is not HS256");
  }
  // RFC 7515, section 4.1.11: extensions that must be understood, and none is.
  if (char* critical = cjose_header_get_raw(header, "crit", &error)) {
    free(critical);
    return Refuse(JwtError::kMalformed, "the header has 'crit'");
  }
  const bool signed_by_one =
      std::any_of(keys_->list.begin(), keys_->list.end(), [&jws](const Jwk& key) {
        cjose_err ignored{};
        return cjose_jws_verify(jws.get(), key.get(), &ignored);
      });
  if (!signed_by_one) return Refuse(JwtError::kBadSignature, "signed with another key");

  uint8_t* payload = nullptr;  // the token's own
  size_t payload_size = 0;
  if (!cjose_jws_get_plaintext(jws.get(), &payload, &payload_size, &error)) {
    return Refuse(JwtError::kMalformed, "no payload");
  }
  auto claims =
      Claims::Parse(std::string_view(reinterpret_cast<const char*>(payload), payload_size));
  if (!claims.ok()) {
    return Refuse(JwtError::kMalformed, std::string(claims.status().message()));
  }
  return CheckClaims(*std::move(claims));
}

JwtResult JwtVerifier::CheckClaims(Claims claims) const {
  const double now = static_cast<double>(ToUnixMillis(clock_.WallNow())) / 1000.0;
  const auto leeway = static_cast<double>(leeway_.count());
  if (!claims.exp().has_value() && require_exp_) {
    return Refuse(JwtError::kMalformed, "no 'exp', which the settings require");
  }
  if (claims.exp().has_value() && now >= *claims.exp() + leeway) {
    return Refuse(JwtError::kExpired, absl::StrCat("'exp' was ", now - *claims.exp(), " s ago"));
  }
  for (const auto& [name, start] :
       {std::pair("nbf", claims.nbf()), std::pair("iat", claims.iat())}) {
    if (start.has_value() && now < *start - leeway) {
      return Refuse(JwtError::kNotYetValid,
                    absl::StrCat("'", name, "' is ", *start - now, " s ahead"));
    }
  }
  if (!issuer_.empty() && claims.iss() != issuer_) {
    return Refuse(JwtError::kWrongIssuer, "'iss' is not the issuer set");
  }
  const auto& audiences = claims.aud();
  if (!audience_.empty() &&
      std::find(audiences.begin(), audiences.end(), audience_) == audiences.end()) {
    return Refuse(JwtError::kWrongAudience, "'aud' does not hold the audience set");
  }
  JwtResult result;
  result.claims = std::move(claims);
  return result;
}

absl::StatusOr<std::string> SignHs256(std::string_view secret, std::string_view claims_json) {
  const auto failed = [](const cjose_err& error) {
    return absl::InternalError(absl::StrCat("cannot sign: ", error.message));
  };
  if (secret.empty()) return absl::InvalidArgumentError("the secret is empty");
  if (auto claims = Claims::Parse(claims_json); !claims.ok()) return claims.status();
  cjose_err error{};
  const Jwk key = MakeKey(secret);
  if (key == nullptr) return absl::InvalidArgumentError("the secret cannot be used as a key");
  const Header header(cjose_header_new(&error));
  if (header == nullptr ||
      !cjose_header_set(header.get(), CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, &error) ||
      !cjose_header_set(header.get(), "typ", "JWT", &error)) {
    return failed(error);
  }
  const Jws jws(cjose_jws_sign(key.get(), header.get(),
                               reinterpret_cast<const uint8_t*>(claims_json.data()),
                               claims_json.size(), &error));
  const char* text = nullptr;  // the token's own
  if (jws == nullptr || !cjose_jws_export(jws.get(), &text, &error)) return failed(error);
  return std::string(text);
}

}  // namespace spillway::auth
