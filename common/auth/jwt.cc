#include "common/auth/jwt.h"

#include <cjose/cjose.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/auth/hmac_sha256.h"

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

// A token in compact form, its parts still encoded.
struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // header and payload, with the dot
};

std::optional<Parts> Split(std::string_view token) {
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return Parts{.header = token.substr(0, first),
               .payload = token.substr(first + 1, second - first - 1),
               .signature = token.substr(second + 1),
               .signed_text = token.substr(0, second)};
}

// The value of each character of base64url (RFC 4648, section 5); 64 for all others.
constexpr std::array<uint8_t, 256> kValues = [] {
  std::array<uint8_t, 256> values{};
  values.fill(64);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return values;
}();

// Only what an encoder makes of something: no padding, no other alphabet, no spare bits. One token
// must have one spelling.
bool DecodeBase64Url(std::string_view text, std::string* out) {
  out->clear();
  out->reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const uint8_t value = kValues[static_cast<uint8_t>(c)];
    if (value == 64) return false;
    bits = bits << 6 | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out->push_back(static_cast<char>(bits >> count));
  }
  return count < 6 && (bits & ((1U << count) - 1)) == 0;
}

// The headers that nearly all tokens have, encoded: {"alg":"HS256","typ":"JWT"} and the other
// order.
constexpr std::string_view kUsualHeaders[] = {"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
                                              "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"};

// What the header says against the token; kNone: nothing.
JwtResult CheckHeader(std::string_view encoded) {
  if (encoded == kUsualHeaders[0] || encoded == kUsualHeaders[1]) return JwtResult();
  std::string json;
  if (!DecodeBase64Url(encoded, &json)) {
    return Refuse(JwtError::kMalformed, "not three base64url parts");
  }
  const absl::StatusOr<Claims> header = Claims::Parse(json);  // an object without repetitions
  if (!header.ok()) return Refuse(JwtError::kMalformed, "the header is no JSON object");
  const Claim* algorithm = header->Find("alg");
  if (algorithm == nullptr || algorithm->type != Claim::Type::kString ||
      algorithm->string_value != "HS256") {
    return Refuse(JwtError::kBadSignature, "the algorithm is not HS256");
  }
  // RFC 7515, section 4.1.11: extensions that must be understood, and none is.
  if (header->Find("crit") != nullptr) return Refuse(JwtError::kMalformed, "the header has 'crit'");
  return JwtResult();
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
  std::vector<std::unique_ptr<HmacSha256>> list;
};

absl::StatusOr<std::unique_ptr<JwtVerifier>> JwtVerifier::Create(const JwtOptions& options,
                                                                 const Clock& clock) {
  if (options.secrets.empty()) {
    return absl::InvalidArgumentError("no JWT secret is set: give at least one");
  }
  auto keys = std::make_unique<Keys>();
  for (const std::string& secret : options.secrets) {
    if (secret.empty()) return absl::InvalidArgumentError("a JWT secret is empty");
    auto key = HmacSha256::Create(secret);
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
  const std::optional<Parts> parts = Split(token);
  if (!parts) return Refuse(JwtError::kMalformed, "not three base64url parts");
  std::string payload;
  std::string signature;
  if (!DecodeBase64Url(parts->payload, &payload) ||
      !DecodeBase64Url(parts->signature, &signature)) {
    return Refuse(JwtError::kMalformed, "not three base64url parts");
  }
  if (JwtResult bad = CheckHeader(parts->header); !bad.ok()) return bad;
  const bool signed_by_one =
      std::any_of(keys_->list.begin(), keys_->list.end(),
                  [&](const auto& key) { return key->Matches(parts->signed_text, signature); });
  if (!signed_by_one) return Refuse(JwtError::kBadSignature, "signed with another key");
  auto claims = Claims::Parse(payload);
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
