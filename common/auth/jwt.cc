#include "common/auth/jwt.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/auth/base64url.h"

namespace spillway::auth {

struct JwtVerifier::Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // header and payload, with the dot

  static std::optional<Parts> Of(std::string_view token) {
    const size_t first = token.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    const size_t second = token.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    return Parts{.header = token.substr(0, first),
                 .payload = token.substr(first + 1, second - first - 1),
                 .signature = token.substr(second + 1),
                 .signed_text = token.substr(0, second)};
  }
};

namespace {

JwtResult Refuse(JwtError error, std::string detail) {
  JwtResult result;
  result.error = error;
  result.detail = std::move(detail);
  return result;
}

// The headers that nearly all tokens of HS256 have, encoded: {"alg":"HS256","typ":"JWT"} and the
// other order.
constexpr std::string_view kUsualHeaders[] = {"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
                                              "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"};

struct Header {
  Algorithm algorithm = Algorithm::kHs256;
  std::string kid;
};

// What the header says against the token; kNone: nothing.
JwtResult ReadHeader(std::string_view encoded, Header* header) {
  if (encoded == kUsualHeaders[0] || encoded == kUsualHeaders[1]) return JwtResult();
  std::string json;
  if (!DecodeBase64Url(encoded, &json)) {
    return Refuse(JwtError::kMalformed, "not three base64url parts");
  }
  const absl::StatusOr<Claims> members = Claims::Parse(json);  // an object without repetitions
  if (!members.ok()) return Refuse(JwtError::kMalformed, "the header is no JSON object");
  const Claim* name = members->Find("alg");
  const std::optional<Algorithm> algorithm = name == nullptr || name->type != Claim::Type::kString
                                                 ? std::nullopt
                                                 : ParseAlgorithm(name->string_value);
  if (!algorithm) return Refuse(JwtError::kBadSignature, "the algorithm is none that is known");
  header->algorithm = *algorithm;
  // RFC 7515, section 4.1.11: extensions that must be understood, and none is.
  if (members->Find("crit") != nullptr)
    return Refuse(JwtError::kMalformed, "the header has 'crit'");
  if (const Claim* kid = members->Find("kid"); kid != nullptr) {
    if (kid->type != Claim::Type::kString || kid->string_value.size() > KeySet::kMaxKidBytes) {
      return Refuse(JwtError::kMalformed, "'kid' is no short text");
    }
    header->kid = kid->string_value;
  }
  return JwtResult();
}

}  // namespace

absl::StatusOr<std::unique_ptr<JwtVerifier>> JwtVerifier::Create(const JwtOptions& options,
                                                                 const Clock& clock) {
  std::vector<JwtIssuer> issuers;
  if (!options.secrets.empty()) {
    auto keys = KeySet::FromSecrets(options.secrets, {Algorithm::kHs256});
    if (!keys.ok()) return keys.status();
    issuers.push_back({.issuer = options.issuer,
                       .audience = options.audience,
                       .keys = std::make_shared<KeySource>(*std::move(keys))});
  }
  issuers.insert(issuers.end(), options.issuers.begin(), options.issuers.end());
  if (issuers.empty()) {
    return absl::InvalidArgumentError("no JWT secret is set, and no issuer: give at least one");
  }
  return std::unique_ptr<JwtVerifier>(new JwtVerifier(options, std::move(issuers), clock));
}

bool JwtVerifier::has_short_secret() const {
  return std::any_of(issuers_.begin(), issuers_.end(), [](const JwtIssuer& issuer) {
    const std::shared_ptr<const KeySet> keys = issuer.keys->Current();
    return keys != nullptr && keys->has_short_secret();
  });
}

JwtResult JwtVerifier::Verify(std::string_view token) const {
  if (token.empty()) return Refuse(JwtError::kMissing, "empty");
  if (token.size() > kMaxTokenBytes) return Refuse(JwtError::kMalformed, "above the size limit");
  const std::optional<Parts> parts = Parts::Of(token);
  if (!parts) return Refuse(JwtError::kMalformed, "not three base64url parts");
  std::string payload;
  std::string signature;
  if (!DecodeBase64Url(parts->payload, &payload) ||
      !DecodeBase64Url(parts->signature, &signature)) {
    return Refuse(JwtError::kMalformed, "not three base64url parts");
  }
  Header header;
  if (JwtResult bad = ReadHeader(parts->header, &header); !bad.ok()) return bad;

  absl::StatusOr<Claims> claims = absl::UnknownError("");
  const auto malformed = [&claims] {
    return Refuse(JwtError::kMalformed, std::string(claims.status().message()));
  };
  const bool several = issuers_.size() > 1;
  if (several) {
    claims = Claims::Parse(payload);
    if (!claims.ok()) return malformed();
  }
  bool any = false;
  bool unavailable = false;
  for (const JwtIssuer& issuer : issuers_) {
    if (several && !IsFor(issuer, claims->iss())) continue;
    any = true;
    const Verdict verdict =
        CheckSignature(issuer, header.algorithm, header.kid, parts->signed_text, signature);
    unavailable = unavailable || verdict == Verdict::kUnavailable;
    if (verdict != Verdict::kMatches) continue;
    if (!several) {
      claims = Claims::Parse(payload);
      if (!claims.ok()) return malformed();
    }
    return CheckClaims(issuer, *std::move(claims));
  }
  if (!any) return Refuse(JwtError::kWrongIssuer, "'iss' is none of the issuers");
  if (unavailable) return Refuse(JwtError::kKeysUnavailable, "its key is not here");
  return Refuse(JwtError::kBadSignature, "signed with another key");
}

bool JwtVerifier::IsFor(const JwtIssuer& issuer, std::string_view iss) const {
  if (!issuer.issuer.empty()) return issuer.issuer == iss;
  // One of any issuer is asked about those that nobody else is.
  return std::none_of(issuers_.begin(), issuers_.end(), [&](const JwtIssuer& other) {
    return !other.issuer.empty() && other.issuer == iss;
  });
}

JwtVerifier::Verdict JwtVerifier::CheckSignature(const JwtIssuer& issuer, Algorithm algorithm,
                                                 std::string_view kid, std::string_view text,
                                                 std::string_view signature) {
  KeySource& source = *issuer.keys;
  if (!source.options().algorithms.Has(algorithm)) return Verdict::kNoMatch;
  std::shared_ptr<const KeySet> held;
  const KeySet* keys = source.fixed();
  if (keys == nullptr) {
    held = source.Current();
    keys = held.get();
  }
  if (keys == nullptr) {
    source.Miss();
    return Verdict::kUnavailable;
  }
  switch (keys->Check(algorithm, kid, text, signature)) {
    case KeySet::Verdict::kMatches:
      return Verdict::kMatches;
    case KeySet::Verdict::kUnknownKey:
      return source.Miss() ? Verdict::kUnavailable : Verdict::kNoMatch;
    case KeySet::Verdict::kNoMatch:
      break;
  }
  return Verdict::kNoMatch;
}

JwtResult JwtVerifier::CheckClaims(const JwtIssuer& issuer, Claims claims) const {
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
  if (!issuer.issuer.empty() && claims.iss() != issuer.issuer) {
    return Refuse(JwtError::kWrongIssuer, "'iss' is not the issuer set");
  }
  const auto& audiences = claims.aud();
  if (!issuer.audience.empty() &&
      std::find(audiences.begin(), audiences.end(), issuer.audience) == audiences.end()) {
    return Refuse(JwtError::kWrongAudience, "'aud' does not hold the audience set");
  }
  JwtResult result;
  result.claims = std::move(claims);
  result.issuer = NumberOf(issuer);
  return result;
}

size_t JwtVerifier::NumberOf(const JwtIssuer& issuer) const {
  size_t number = 0;
  while (issuers_[number].issuer != issuer.issuer) ++number;
  return number;
}

}  // namespace spillway::auth
