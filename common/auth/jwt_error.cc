#include "common/auth/jwt.h"

namespace spillway::auth {

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
    case JwtError::kKeysUnavailable:
      return "token_keys_unavailable";
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
      return "The token's signature is not valid: get a token signed by the issuer that this "
             "server "
             "trusts.";
    case JwtError::kExpired:
      return "The token has expired: get a new one and connect again.";
    case JwtError::kNotYetValid:
      return "The token is not valid yet: wait until its start time, or check the issuer's clock.";
    case JwtError::kWrongIssuer:
      return "The token is from another issuer: get one from the issuer this server trusts.";
    case JwtError::kWrongAudience:
      return "The token is meant for another service: get one for this service's audience.";
    case JwtError::kKeysUnavailable:
      return "The keys that the token must be checked with are not here at the moment: connect "
             "again in some seconds.";
  }
  return "";
}

}  // namespace spillway::auth
