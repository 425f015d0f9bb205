#include "common/auth/json_web_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/auth/base64url.h"
#include "common/auth/key_set.h"
#include "common/base/strings.h"

namespace spillway::auth {
namespace {

using simdjson::dom::element;

constexpr size_t kMaxMembers = 64;  // of a key; the known ones are some twenty

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* thing) const {
    kFree(thing);
  }
};
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

PublicKey FromParams(const char* kind, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return PublicKey(key);
}

PublicKey Rsa(std::string_view n, std::string_view e) {
  const Number modulus(BN_bin2bn(Bytes(n), static_cast<int>(n.size()), nullptr));
  const Number exponent(BN_bin2bn(Bytes(e), static_cast<int>(e.size()), nullptr));
  const Builder builder(OSSL_PARAM_BLD_new());
  if (modulus == nullptr || exponent == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return nullptr;
  }
  return FromParams("RSA", builder.get());
}

PublicKey Ec(const char* curve, std::string_view x, std::string_view y) {
  const std::string point = absl::StrCat("\x04", Abs(x), Abs(y));  // uncompressed
  const Builder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return FromParams("EC", builder.get());
}

class Reader {
 public:
  Reader(element value, AlgorithmSet allowed, bool secrets) : allowed_(allowed), secrets_(secrets) {
    is_object_ = value.get_object().get(object_) == simdjson::SUCCESS;
  }

  JsonWebKey Read() {
    if (!is_object_) return Unfit("a key is a JSON object");
    if (object_.size() > kMaxMembers) return Unfit("too many members");
    if (HasRepeats()) return Unfit("a member is given twice");
    const std::optional<std::string_view> kind = Text("kty");
    if (!kind) return Unfit("'kty' is missing");
    if (Find("use").has_value() && Text("use") != "sig") return LeftOut("not for signatures");
    if (!VerifiesByOperations()) return LeftOut("not for checking signatures");
    std::string kid;
    if (Find("kid").has_value()) {
      const std::optional<std::string_view> name = Text("kid");
      if (!name || name->size() > KeySet::kMaxKidBytes) return Unfit("'kid' is no short text");
      kid = std::string(*name);
    }
    if (Find("alg").has_value()) {
      const std::optional<std::string_view> name = Text("alg");
      const auto algorithm = name ? ParseAlgorithm(*name) : std::nullopt;
      if (!algorithm) return LeftOut("its 'alg' is unknown");
      if (!allowed_.Has(*algorithm)) return LeftOut("its 'alg' is not allowed");
      allowed_ = AlgorithmSet{*algorithm};
    }
    if (kind == "RSA") return ReadRsa(std::move(kid));
    if (kind == "EC") return ReadEc(std::move(kid));
    if (kind == "OKP") return ReadOkp(std::move(kid));
    if (kind == "oct") return ReadSecret(std::move(kid));
    return LeftOut("its 'kty' is unknown");
  }

 private:
  static JsonWebKey Unfit(std::string reason) {
    return {.key = nullptr, .reason = std::move(reason), .unfit = true};
  }
  static JsonWebKey LeftOut(std::string reason) {
    return {.key = nullptr, .reason = std::move(reason)};
  }
  static JsonWebKey Of(VerifyKey::Made made) {
    ERR_clear_error();
    if (!made.ok()) return Unfit(std::string(made.status().message()));
    return {.key = *std::move(made), .reason = {}};
  }

  bool HasRepeats() const {
    for (auto one = object_.begin(); one != object_.end(); ++one) {
      size_t times = 0;
      for (const auto& member : object_) times += member.key == one.key() ? 1 : 0;
      if (times > 1) return true;
    }
    return false;
  }

  std::optional<element> Find(std::string_view name) const {
    for (const auto& [key, value] : object_) {
      if (key == name) return value;
    }
    return std::nullopt;
  }

  std::optional<std::string_view> Text(std::string_view name) const {
    const std::optional<element> value = Find(name);
    std::string_view text;
    if (!value || value->get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
    return text;
  }

  // The bytes of a member in base64url; "" if there are none.
  std::string Octets(std::string_view name) const {
    const std::optional<std::string_view> text = Text(name);
    std::string bytes;
    if (!text || !DecodeBase64Url(*text, &bytes)) return {};
    return bytes;
  }

  bool VerifiesByOperations() const {
    const std::optional<element> value = Find("key_ops");
    if (!value) return true;
    simdjson::dom::array list;
    if (value->get_array().get(list) != simdjson::SUCCESS) return false;
    for (const element item : list) {
      std::string_view operation;
      if (item.get_string().get(operation) == simdjson::SUCCESS && operation == "verify") {
        return true;
      }
    }
    return false;
  }

  JsonWebKey ReadRsa(std::string kid) {
    const std::string n = Octets("n");
    const std::string e = Octets("e");
    // Before anything is made of it: arithmetic on long numbers is slow.
    if (n.empty() || n.size() > VerifyKey::kMostRsaBits / 8 + 1 || e.empty() || e.size() > 8) {
      return Unfit("an RSA key has 'n' and 'e' in base64url, neither of them too long");
    }
    return Of(VerifyKey::FromPublicKey(Rsa(n, e), allowed_, std::move(kid)));
  }

  JsonWebKey ReadEc(std::string kid) {
    const std::optional<std::string_view> curve = Text("crv");
    const std::string x = Octets("x");
    const std::string y = Octets("y");
    size_t bytes = 0;
    const char* name = "";
    if (curve == "P-256") {
      bytes = 32;
      name = "P-256";
    } else if (curve == "P-384") {
      bytes = 48;
      name = "P-384";
    } else if (curve == "P-521") {
      bytes = 66;
      name = "P-521";
    } else {
      return LeftOut("its 'crv' is unknown: P-256, P-384 and P-521 are known");
    }
    if (x.size() != bytes || y.size() != bytes) {
      return Unfit("an EC key has 'x' and 'y' in base64url, in the full length of its curve");
    }
    return Of(VerifyKey::FromPublicKey(Ec(name, x, y), allowed_, std::move(kid)));
  }

  JsonWebKey ReadOkp(std::string kid) {
    if (Text("crv") != "Ed25519") return LeftOut("its 'crv' is unknown: Ed25519 is known");
    const std::string x = Octets("x");
    if (x.size() != 32) return Unfit("an Ed25519 key has 32 bytes in 'x'");
    return Of(VerifyKey::FromPublicKey(
        PublicKey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(x), x.size())),
        allowed_, std::move(kid)));
  }

  JsonWebKey ReadSecret(std::string kid) {
    if (!secrets_) return LeftOut("a secret that everybody may read is none");
    const std::string secret = Octets("k");
    if (secret.empty()) return Unfit("a secret key has 'k' in base64url");
    return Of(VerifyKey::FromSecret(secret, allowed_, std::move(kid)));
  }

  simdjson::dom::object object_;
  bool is_object_ = false;
  AlgorithmSet allowed_;
  const bool secrets_;
};

}  // namespace

JsonWebKey ReadJsonWebKey(simdjson::dom::element value, AlgorithmSet allowed, bool secrets) {
  return Reader(value, allowed, secrets).Read();
}

}  // namespace spillway::auth
