#include <cjose/cjose.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/auth/jwt.h"

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

}  // namespace

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
