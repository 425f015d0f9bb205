#include "tools/load/client_token.h"

#include <time.h>

#include "absl/strings/str_cat.h"
#include "common/auth/jwt.h"

namespace spillway::load {

bool IsTokenPerClient(const ClientOptions& options) {
  return !options.jwt_secret.empty() && options.jwt_claims.find("{i}") != std::string::npos;
}

absl::StatusOr<std::string> ClientToken(const ClientOptions& options, uint64_t number) {
  if (options.jwt_secret.empty()) return std::string();
  constexpr int64_t kDay = 24 * 60 * 60;
  std::string claims = Replaced(options.jwt_claims, "i", absl::StrCat(number));
  const size_t end = claims.rfind('}');
  if (end == std::string::npos || claims.front() != '{') {
    return absl::InvalidArgumentError("jwt_claims is no JSON object");
  }
  if (claims.find("\"exp\"") == std::string::npos) {
    const bool empty = claims.find('"') == std::string::npos;
    claims.insert(end, absl::StrCat(empty ? "" : ",", "\"exp\":", time(nullptr) + kDay));
  }
  return auth::SignHs256(options.jwt_secret, claims);
}

}  // namespace spillway::load
